# The checks of `make lint` that look at one file at a time: each leaves a stamp, and is made again only when the
# file, something that it includes, or the check's own settings change. Called by scripts/lint.

BUILD ?= build
out := $(BUILD)/lint
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
flags := -std=c++20 -I. -pthread

MAKEFLAGS += --no-builtin-rules --no-print-directory -j$(shell nproc) --output-sync=target
.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: format headers tidy scripts

cxx_files := $(sort $(shell find proxy tests -name node_modules -prune -o '(' -name '*.h' -o -name '*.cc' ')' -print))
headers := $(filter proxy/%.h,$(cxx_files))
sources := $(filter proxy/%.cc tests/unit/%.cc tests/sim/%.cc tests/fuzz/%.cc,$(cxx_files))
node_files := $(sort $(shell find deploy tests -name node_modules -prune -o '(' -name '*.mjs' -o -name '*.js' ')' -print))
shell_files := $(sort $(shell grep -rlE --exclude-dir=node_modules '^\#!(/bin/|/usr/bin/env )(ba)?sh' scripts .ci deploy tests))

format: $(cxx_files:%=$(out)/%.format)
headers: $(headers:%=$(out)/%.alone)
tidy: $(sources:%=$(out)/%.tidy)
scripts: $(node_files:%=$(out)/%.node) $(shell_files:%=$(out)/%.shell)

$(out)/%.format: % .clang-format
	@mkdir -p $(@D)
	@clang-format-14 --dry-run -Werror $<
	@touch $@

# A header compiles without anything included before it.
$(out)/%.alone: %
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $< | $(CXX) $(flags) -Wall -Wextra -Werror -fsyntax-only -MD -MP -MF $@.d -MT $@ -x c++ -
	@touch $@

# Also what clang warns of, and GCC does not.
$(out)/%.tidy: % .clang-tidy tests/.clang-tidy
	@mkdir -p $(@D)
	@echo "  tidy $<"
	@$(CXX) $(flags) -MM -MP -MF $@.d -MT $@ $<
	@clang-tidy-14 --quiet $< -- $(flags) -Wall -Wextra -DBERTH_VERSION='""' 2>$@.err || { grep -v ' warnings\? generated' $@.err; exit 1; }
	@touch $@

$(out)/%.node: %
	@mkdir -p $(@D)
	@node --check $<
	@touch $@

$(out)/%.shell: %
	@mkdir -p $(@D)
	@if head -n 1 $< | grep -q bash; then bash -n $<; else sh -n $<; fi
	@touch $@

-include $(headers:%=$(out)/%.alone.d) $(sources:%=$(out)/%.tidy.d)
