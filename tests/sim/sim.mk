# Builds the simulator alone: the proxy's folders up to client/, the simulation, optimised and with every internal
# check on. SANITIZE=1: with ASan and UBSan.

BUILD ?= build
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
CCACHE ?= $(shell command -v ccache 2>/dev/null)
out := $(BUILD)/sim$(if $(SANITIZE),-sanitized)

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

flags := -std=c++20 -I. -pthread -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Wshadow -Wswitch-enum \
  -Woverloaded-virtual -Wold-style-cast -Wcast-qual -Wno-restrict -D_GLIBCXX_ASSERTIONS -DBERTH_SIM_MAIN
ifdef SANITIZE
flags += -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
link := -fsanitize=address,undefined
else
flags += -O2 -g1
endif

folders := base config event stats net http upstream exchange client
sources := $(wildcard $(folders:%=proxy/%/*.cc)) $(addprefix proxy/server/,inventory.cc reload_report.cc tls_plan.cc topology.cc worker_core.cc) \
  $(filter-out %_test.cc,$(wildcard tests/sim/*.cc))
# The scraper's side and name servers are not simulated.
sources := $(filter-out proxy/stats/collector.cc proxy/stats/process.cc proxy/net/resolver.cc,$(sources))
objects := $(sources:%.cc=$(out)/%.o)

libs := -levent_core -levent_pthreads $(shell pkg-config --libs libssl libcrypto libnghttp2 yaml-cpp)

$(out)/sim: $(objects)
	@$(CXX) -pthread $(link) $(LDFLAGS) -o $@ $^ $(libs)

$(out)/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  sim $<"
	@$(CCACHE) $(CXX) $(flags) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c $< -o $@

-include $(objects:.o=.d)
