# Berth's build. `make help` lists what there is to make; scripts/setup installs what it needs.
#
# Sources are found, not registered: every .cc under proxy/ but main.cc goes into a library, which the proxy,
# the unit tests (tests/unit, tests/sim) and the fuzzers (tests/fuzz) link. Each flavour has its own folder
# under build/, so debug and release objects never mix, and a change of flags rebuilds that flavour.

PREFIX ?= /usr/local
DESTDIR ?=
# Where everything that is built goes. Two runs at the same time need a folder each.
BUILD ?= build
build := $(BUILD)

CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
CLANGXX ?= $(firstword $(shell command -v clang++-14 clang++ 2>/dev/null) clang++)
CCACHE ?= $(shell command -v ccache 2>/dev/null)
WERROR ?= -Werror

MAKEFLAGS += --no-builtin-rules --no-print-directory
# Every core, unless the command line says otherwise.
MAKEFLAGS += -j$(shell nproc) --output-sync=target
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := release

# --- What is compiled --------------------------------------------------------------------------------------

find_cc = $(sort $(shell find $(wildcard $(1)) /dev/null -name '*.cc' 2>/dev/null))

main_source := proxy/server/main.cc
lib_sources := $(filter-out $(main_source),$(call find_cc,proxy))
# (The simulator as a program: tests/sim/sim.mk.)
test_sources := $(filter-out tests/sim/main.cc,$(call find_cc,tests/unit tests/sim))
# Of the unit tests, TSan looks at those of several threads: with the others it has nothing to do.
threaded_sources := $(shell grep -l Threaded /dev/null $(filter tests/unit/%,$(test_sources))) \
  $(filter-out %_test.cc,$(filter tests/unit/%,$(test_sources)))
fuzz_sources := $(wildcard tests/fuzz/*_fuzz.cc)

packages := libevent_core libevent_extra libssl libcrypto yaml-cpp prometheus-cpp-core zlib libnghttp2 libcares
test_packages := gtest_main gtest
# libevent_pthreads.pc also names the whole of libevent, which repeats libevent_core and libevent_extra.
libs = $(shell pkg-config --libs $(packages)) -levent_pthreads
test_libs = $(shell pkg-config --libs $(test_packages))

# --- How it is compiled ------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wswitch-enum -Wdelete-non-virtual-dtor -Woverloaded-virtual \
  -Wold-style-cast -Wcast-qual -Wformat=2 -Wextra-semi -Wundef $(WERROR)
# GCC 12 warns wrongly about std::string's operator+ (GCC bug 105651).
gcc_warnings := $(warnings) -Wduplicated-cond -Wlogical-op -Wno-restrict
common := -std=c++20 -I. -pthread -fno-omit-frame-pointer

flavours := release debug tsan fuzz
binary_release := $(build)/berth
binary_debug := $(build)/debug/berth
binary_tsan := $(build)/tsan/berth

cxx_release := $(CXX)
flags_release := -O2 -g1 -DNDEBUG -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(gcc_warnings)
link_release := -Wl,-z,relro,-z,now -Wl,--as-needed

cxx_debug := $(CXX)
flags_debug := -O1 -g -D_GLIBCXX_ASSERTIONS -fsanitize=address,undefined -fno-sanitize-recover=all $(gcc_warnings)
link_debug := -fsanitize=address,undefined

cxx_tsan := $(CXX)
flags_tsan := -O1 -g -fsanitize=thread $(gcc_warnings)
link_tsan := -fsanitize=thread

cxx_fuzz := $(CLANGXX)
flags_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all $(warnings)
link_fuzz := -fsanitize=fuzzer,address,undefined

tests_release := $(test_sources)
tests_debug := $(test_sources)
tests_tsan := $(threaded_sources)
tests_fuzz :=

# Unit tests are many lines that run once: with sanitizers, optimising them costs more than it saves.
test_flags_debug := -O0
test_flags_tsan := -O0

# $(1): flavour. Writes a file only if its text changed, so that what depends on it is rebuilt only then.
write_if_changed = @mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@

define flavour_rules
objects_$(1) := $$(lib_sources:%.cc=$(build)/$(1)/obj/%.o)
test_objects_$(1) := $$(tests_$(1):%.cc=$(build)/$(1)/obj/%.o)
main_object_$(1) := $$(main_source:%.cc=$(build)/$(1)/obj/%.o)

$(build)/$(1)/obj/%.o: %.cc $(build)/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  $(1) $$<"
	@$$(CCACHE) $$(cxx_$(1)) $$(common) $$(flags_$(1)) $$(CPPFLAGS) $$(CXXFLAGS) $$(extra_flags) -MMD -MP -c $$< -o $$@

# The version is known to one file only: a new commit recompiles nothing else.
$(build)/$(1)/obj/proxy/server/version.o: $(build)/version
$(build)/$(1)/obj/proxy/server/version.o: extra_flags = -DBERTH_VERSION='"$$(shell cat $(build)/version)"'

# It takes the configuration that explains every key into the binary.
$(build)/$(1)/obj/proxy/server/explained_file.o: conf/berth.yaml

$(build)/$(1)/obj/tests/unit/%.o: extra_flags = $$(test_flags_$(1))

$(build)/$(1)/flags: FORCE
	@pkg-config --exists $$(packages) || { echo "Some libraries are missing: run scripts/setup" >&2; exit 1; }
	$$(call write_if_changed,$$(cxx_$(1)) $$(common) $$(flags_$(1)) $$(test_flags_$(1)) $$(CPPFLAGS) $$(CXXFLAGS))
$(build)/$(1)/lib.list: FORCE
	$$(call write_if_changed,$$(objects_$(1)))
$(build)/$(1)/tests.list: FORCE
	$$(call write_if_changed,$$(test_objects_$(1)))

$(build)/$(1)/libberth.a: $$(objects_$(1)) $(build)/$(1)/lib.list
	@rm -f $$@ && ar rcs $$@ $$(objects_$(1))

$$(binary_$(1)): $$(main_object_$(1)) $(build)/$(1)/libberth.a
	@echo "  link $$@"
	@$$(cxx_$(1)) -pthread $$(link_$(1)) $$(LDFLAGS) -o $$@ $$^ $$(libs)

$(build)/$(1)/unit_tests: $$(test_objects_$(1)) $(build)/$(1)/libberth.a $(build)/$(1)/tests.list
	@echo "  link $$@"
	@$$(cxx_$(1)) -pthread $$(link_$(1)) $$(LDFLAGS) -o $$@ $$(test_objects_$(1)) $(build)/$(1)/libberth.a $$(test_libs) $$(libs)

-include $$(objects_$(1):.o=.d) $$(test_objects_$(1):.o=.d) $$(main_object_$(1):.o=.d)
endef
$(foreach flavour,$(flavours),$(eval $(call flavour_rules,$(flavour))))

$(build)/version: FORCE
	$(call write_if_changed,$(VERSION))
VERSION ?= $(shell scripts/version)

fuzzers := $(fuzz_sources:tests/fuzz/%.cc=$(build)/fuzz/%)
$(fuzzers): $(build)/fuzz/%: $(build)/fuzz/obj/tests/fuzz/%.o $(build)/fuzz/libberth.a
	@echo "  link $@"
	@$(cxx_fuzz) -pthread $(link_fuzz) $(LDFLAGS) -o $@ $^ $(libs)
-include $(fuzz_sources:%.cc=$(build)/fuzz/obj/%.d)

# --- One folder's tests ------------------------------------------------------------------------------------

# The folders whose objects the tests of a folder link: those it may include, and what these need.
uses_base := base
uses_config := base config
uses_event := base event
uses_stats := base stats
uses_net := base config event net
uses_http := base config event net http
uses_upstream := base config event stats net http upstream
uses_exchange := $(uses_upstream) exchange
uses_client := $(uses_exchange) client

# $(1): folder
define folder_rules
folder_objects_$(1) := $$(patsubst %.cc,$(build)/debug/obj/%.o,$$(filter tests/unit/$(1)/% $$(uses_$(1):%=proxy/%/%),$$(test_sources) $$(lib_sources)))
$(build)/debug/unit_$(1): $$(folder_objects_$(1))
	@$$(cxx_debug) -pthread $$(link_debug) -o $$@ $$^ $$(test_libs) $$(libs)
.PHONY: unit-$(1)
unit-$(1): $(build)/debug/unit_$(1)
	$(build)/debug/unit_$(1) --gtest_brief=1
endef
$(foreach folder,base config event stats net http upstream exchange client,$(eval $(call folder_rules,$(folder))))

# --- What one asks for -------------------------------------------------------------------------------------

.PHONY: FORCE release debug tsan unit sim test lint docs format demo bench bench-race bench-scale bench-rolling bench-slow-uploads bench-slow-readers bench-tls fuzz fuzz-smoke install clean help

release: $(build)/berth ## build/berth, optimised (the default)

debug: $(build)/debug/berth $(build)/debug/unit_tests ## build/debug/berth and its unit tests, with ASan and UBSan

tsan: $(build)/tsan/berth $(build)/tsan/unit_tests ## build/tsan/berth and the unit tests of several threads, with TSan

unit: $(build)/debug/unit_tests ## build and run the unit tests (unit-http: those of one folder)
	$(build)/debug/unit_tests --gtest_brief=1

sim: ## run the simulator: SEEDS=100000 (FIRST=random) many seeds, SEED=17 one with its trace, SANITIZE=1
	@$(MAKE) -f tests/sim/sim.mk
	$(build)/sim$(if $(SANITIZE),-sanitized)/sim $(if $(SEED),--seed $(SEED) --trace,--seeds $(or $(SEEDS),2000) --first $(or $(FIRST),1))

test: ## run every test (scripts/test)
	@scripts/test

lint: ## format, include table, headers, clang-tidy, scripts (scripts/lint)
	@scripts/lint

docs: $(build)/berth ## write docs/configuration.md anew, from the schema and conf/berth.yaml
	@$(build)/berth help config --markdown > docs/configuration.md

format: ## format all C++ sources in place
	@find proxy tests -name '*.h' -o -name '*.cc' | xargs clang-format-14 -i

demo: ## Berth in front of real Node servers (scripts/demo)
	@scripts/demo

bench: $(build)/berth ## compare with nginx and HAProxy (tests/bench/run)
	@tests/bench/run

bench-race: $(build)/berth ## POSTs against Node's keepAliveTimeout, through each proxy (tests/bench/race)
	@tests/bench/race

bench-scale: $(build)/berth ## from one server to four by reload: each one's share (tests/bench/scale)
	@tests/bench/scale

bench-rolling: $(build)/berth ## rolling restarts of the app servers, through each proxy (tests/bench/rolling)
	@tests/bench/rolling

bench-slow-uploads: $(build)/berth ## what 500 slow uploads cost the others, through each proxy (tests/bench/slow)
	@tests/bench/slow uploads

bench-slow-readers: $(build)/berth ## what 200 slow readers cost the others, through each proxy (tests/bench/slow)
	@tests/bench/slow readers

bench-tls: $(build)/berth ## TLS: handshakes, requests, idle connections, beside nginx (tests/bench/tls)
	@tests/bench/tls

fuzz: $(fuzzers) ## libFuzzer targets, in build/fuzz/

# What is found new stays in build/fuzz/found/, what breaks something too.
fuzz-smoke: $(fuzzers) ## every fuzzer for a few seconds (FUZZ_SECONDS=5) from the kept inputs
	@for fuzzer in $(fuzzers); do \
	  name=$${fuzzer##*/}; kept=tests/fuzz/corpus/$$name; dict=-dict=tests/fuzz/http.dict; \
	  [ $$name != config_fuzz ] || { kept="conf conf/examples"; dict=; }; \
	  found=$(build)/fuzz/found/$$name; mkdir -p $$found; \
	  $$fuzzer -max_total_time=$(or $(FUZZ_SECONDS),5) $$dict -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$$found/broken- $$found $$kept >$$found.log 2>&1 || { tail -n 40 $$found.log; exit 1; }; \
	  echo "  $$name: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$found.log) inputs"; \
	done

# One command for each source. The flags are those that g++ and clang have in common, so clangd takes them all.
editor_sources := $(lib_sources) $(main_source) $(test_sources) tests/sim/main.cc $(fuzz_sources)
editor_flags := $(common) $(filter-out -Werror,$(warnings)) -DBERTH_VERSION=\"\"
compile_commands.json: FORCE ## for clangd and other tools: how each source is compiled
	@{ echo '['; \
	  for source in $(editor_sources); do \
	    printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' "$$separator" "$(CURDIR)" "$$source" \
	      '$(CXX) $(subst ",\\",$(editor_flags)) -c '"$$source"; \
	    separator=$$(printf ',\n '); \
	  done; printf '\n]\n'; } > $@

man := $(PREFIX)/share/man/man1
bash_completion := $(PREFIX)/share/bash-completion/completions
zsh_completion := $(PREFIX)/share/zsh/site-functions
fish_completion := $(PREFIX)/share/fish/vendor_completions.d
install: $(build)/berth ## install to DESTDIR/PREFIX (default /usr/local)
	install -D -m 755 $(build)/berth $(DESTDIR)$(PREFIX)/bin/berth
	install -D -m 644 conf/berth.yaml $(DESTDIR)$(PREFIX)/share/doc/berth/berth.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(man) $(DESTDIR)$(bash_completion) \
	  $(DESTDIR)$(zsh_completion) $(DESTDIR)$(fish_completion)
	$(build)/berth help --man > $(DESTDIR)$(man)/berth.1
	$(build)/berth completion bash > $(DESTDIR)$(bash_completion)/berth
	$(build)/berth completion zsh > $(DESTDIR)$(zsh_completion)/_berth
	$(build)/berth completion fish > $(DESTDIR)$(fish_completion)/berth.fish
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' deploy/berth.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/berth.service

clean: ## remove build/
	rm -rf $(build)

help: ## this list
	@sed -n 's/^\([a-z_.-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
