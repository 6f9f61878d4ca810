# libpqf: `make` builds lib/libpqf.so.MAJOR, lib/libpqf.a and bin/pqf; `make help` lists the rest.
#
# Objects go to $(BUILD). Every build with other flags (sanitizers, coverage, another BLAS) is this
# same file with another BUILD, which then has a lib/ and a bin/ of its own.

# What the user may set -----------------------------------------------------------------------

PREFIX ?= /usr/local
prefix ?= $(PREFIX)
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
DESTDIR ?=

# openblas, reference or blis
BLAS ?= openblas
# its name at run time; empty: that of the library which the linker finds
BLAS_LIBRARY ?=
# no: a command that cannot read Parquet, whatever is installed
PARQUET ?= yes
BUILD ?= build
VENV ?= .venv
PKG_CONFIG ?= pkg-config
INSTALL ?= install
FUZZ_SECONDS ?= 60
# Empty: without; see below for the builds that are made without it
HARDENING ?= -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
FUZZ_CC ?= clang
FUZZ_CXX ?= clang++

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

ifneq ($(filter deps,$(MAKECMDGOALS)),)

# `make deps GOAL ...`: what this file finds on the machine changes once deps has run, so the other
# goals belong to a make that starts afterwards.
goals_after_deps := $(filter-out deps,$(MAKECMDGOALS))

.PHONY: deps $(goals_after_deps)
deps:
	@.ci/deps
	$(if $(goals_after_deps),@+$(MAKE) --no-print-directory $(goals_after_deps))
ifneq ($(goals_after_deps),)
$(goals_after_deps): deps
	@:
endif

else

# What this machine lacks ------------------------------------------------------------------------

ifneq ($(filter-out clean deps-dev docs format help uninstall,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell $(PKG_CONFIG) --exists jansson $(filter openblas,$(BLAS)) && echo yes),)
$(error `make deps` installs what is missing here)
endif
endif

# What is built ---------------------------------------------------------------------------------

version_part = $(shell sed -n 's/^\#define PQF_VERSION_$(1) \([0-9]*\)$$/\1/p' include/pqf.h)
MAJOR := $(call version_part,MAJOR)
VERSION := $(MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)

ifeq ($(BUILD),build)
LIB := lib
BIN := bin
else
LIB := $(BUILD)/lib
BIN := $(BUILD)/bin
endif

SHARED := $(LIB)/libpqf.so.$(VERSION)
STATIC := $(LIB)/libpqf.a
COMMAND := $(BIN)/pqf
RUNNER := $(BUILD)/tests/runner

multiarch := $(shell $(CC) -print-multiarch 2>/dev/null)
machine := $(shell $(CC) -dumpmachine)

# The kernels are one source, compiled once for each instruction set that may be met at run time.
# -std=c11 would forbid fused multiply-adds, which are half of what these compilations are for.
KERNEL_OPTIMIZE := -O3
kernel_flags := $(KERNEL_OPTIMIZE) -ffp-contract=fast -fno-math-errno
isa_flags_baseline :=
isa_flags_avx2 := -mavx2 -mfma
isa_flags_avx512 := -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma \
  -mprefer-vector-width=512
ifneq ($(filter x86_64-%,$(machine)),)
isas := baseline avx2 avx512
else
isas := baseline
endif

kernel_sources := $(wildcard backends/*_kernels.c)
linked_sources := backends/blas_linked.c # of the static library alone
backend_sources := $(filter-out $(kernel_sources) $(linked_sources),$(wildcard backends/*.c))
object = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
library_objects := $(call object,$(wildcard src/*.c) $(backend_sources)) \
  $(foreach isa,$(isas),$(patsubst %.c,$(BUILD)/%.$(isa).o,$(kernel_sources)))
static_objects := $(library_objects) $(call object,$(linked_sources))
public_headers := $(wildcard include/*.h)

# Compilers and flags ----------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow
OPTIMIZE := -O2 -g -DNDEBUG
# Debug information names sources as seen from here, not where the tree lies.
common_flags := -fPIC -fvisibility=hidden -pthread $(WARNINGS) -ffile-prefix-map='$(CURDIR)'=.

# _FORTIFY_SOURCE needs an optimising compiler, hides calls from the sanitizers, and is the user's if
# the flags name it.
all_flags = $(OPTIMIZE) $(CPPFLAGS) $(CFLAGS) $(CXXFLAGS)
hardening = $(if $(or $(findstring -fsanitize,$(all_flags)),$(filter -O0,$(all_flags))),,$(if \
  $(findstring _FORTIFY_SOURCE,$(all_flags)),$(filter-out -U% -D%,$(HARDENING)),$(HARDENING)))
c_flags = -std=c11 $(common_flags) -Wstrict-prototypes $(OPTIMIZE) $(hardening) $(CFLAGS)
cxx_standard := c++20
cxx_flags = -std=$(cxx_standard) $(common_flags) $(OPTIMIZE) $(hardening) $(CXXFLAGS)
cpp_flags = -D_GNU_SOURCE -Iinclude $(CPPFLAGS)
link_flags = -pthread -Wl,-z,relro -Wl,-z,now $(LDFLAGS)

pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)

jansson_cflags := $(call pkg_cflags,jansson)
jansson_libs := $(call pkg_libs,jansson)

# Debian keeps each BLAS in a folder of its own, and lets libblas.so.3 be any of them.
ifeq ($(BLAS),openblas)
blas_cflags := $(call pkg_cflags,openblas) -DPQF_BLAS_OPENBLAS
blas_libs := $(call pkg_libs,openblas)
else ifeq ($(BLAS),reference)
blas_dir := $(wildcard /usr/lib/$(multiarch)/blas)
blas_cflags :=
blas_libs := $(addprefix -L,$(blas_dir)) -lblas
else ifeq ($(BLAS),blis)
blas_cflags := $(addprefix -isystem ,$(firstword $(wildcard /usr/include/$(multiarch)/blis-*) \
  $(wildcard /usr/include/blis)))
blas_cflags += -DPQF_BLAS_BLIS
blas_libs := -lblis
else
$(error BLAS=$(BLAS) is not one of openblas, reference, blis)
endif
# The BLAS is no library of these: it is loaded when it is needed. Static programs are linked with one,
# by way of an object that the linker is asked for.
library_libs := $(jansson_libs) -lm -ldl
linked_blas := -Wl,-u,pqf_blas_linked $(strip $(blas_libs))

# Parquet: Arrow C++ of the system, else that of the pyarrow wheel in $(VENV).
PYARROW ?= $(firstword $(wildcard $(VENV)/lib/python3*/site-packages/pyarrow))
ifneq ($(PARQUET),yes)
arrow_libs :=
else ifeq ($(shell $(PKG_CONFIG) --exists arrow parquet 2>/dev/null && echo yes),yes)
arrow_cflags := $(call pkg_cflags,arrow parquet)
arrow_libs := $(call pkg_libs,parquet arrow)
else ifneq ($(and $(PYARROW),$(wildcard $(PYARROW)/include/parquet/arrow/reader.h)),)
arrow_cflags := -isystem $(PYARROW)/include
arrow_bundled := $(foreach name,parquet arrow,$(firstword $(wildcard $(PYARROW)/lib$(name).so.*)))
arrow_libs := $(patsubst %,-L$(PYARROW) -l:%,$(notdir $(arrow_bundled)))
endif

tool_sources := $(wildcard tools/*.c)
tool_cflags := $(call pkg_cflags,zlib) $(jansson_cflags)
ifneq ($(arrow_libs),)
tool_sources += $(wildcard tools/*.cc)
tool_cflags += -DPQF_HAVE_PARQUET
endif
tool_libs := $(or $(call pkg_libs,zlib),-lz) $(jansson_libs) $(arrow_libs)
tool_objects := $(call object,$(tool_sources))
tool_linker := $(if $(filter %.cc,$(tool_sources)),$(CXX),$(CC))

test_sources := $(wildcard tests/*.c)
test_objects := $(call object,$(test_sources))
module_objects := $(call object,$(wildcard tests/modules/*.c))
fuzz_objects := $(call object,$(wildcard tests/fuzz/*.c))
test_cflags := $(call pkg_cflags,cunit) -I. -Isrc -Itests \
  -DTEST_SOURCE='"$(CURDIR)"' -DTEST_BUILD='"$(abspath $(BUILD))"' \
  -DTEST_COMMAND='"$(abspath $(COMMAND))"' -DTEST_PYTHON='"$(abspath $(VENV)/bin/python)"' \
  -DTEST_BLAS='"$(BLAS)"'
test_libs := $(call pkg_libs,cunit)

self_test_object := $(BUILD)/tests/cuda_on_cpu/self_test.o
runtime_objects := $(filter-out $(self_test_object),$(call object,$(wildcard tests/cuda_on_cpu/*.cc)))

bench_objects := $(call object,$(wildcard bench/*.c))
example_objects := $(call object,$(wildcard examples/*.c))

# All ---------------------------------------------------------------------------------------------

.PHONY: all
all: $(SHARED) $(LIB)/libpqf.so.$(MAJOR) $(LIB)/libpqf.so $(STATIC) \
  $(if $(wildcard tools/main.c),$(COMMAND))

# A file that changes when its text does: what depends on it is made anew with other flags.
define remember
@mkdir -p $(@D)
@printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@
endef

$(BUILD)/flags: FORCE
	$(call remember,$(CC) $(CXX) $(cpp_flags) $(c_flags) $(cxx_flags) $(link_flags) $(library_libs) \
	  $(kernel_flags) $(blas_cflags) $(blas_libs) $(BLAS_LIBRARY) $(tool_cflags) $(tool_libs) $(arrow_cflags) $(test_cflags) \
	  $(test_libs))

$(BUILD)/place $(BUILD)/stage/place: FORCE
	$(call remember,$(libdir) $(bindir))

.PHONY: FORCE
FORCE:

own_flags :=
$(BUILD)/backends/%.o: own_flags = $(blas_cflags)
$(BUILD)/backends/blas_library.o: own_flags = $(blas_cflags) -include $(blas_name)
$(BUILD)/src/%.o: own_flags = $(jansson_cflags)
# Where a program that holds libpqf.a looks for modules.
$(BUILD)/src/backends.o: own_flags = -DPQF_MODULE_DIR='"$(libdir)/pqf"'
$(BUILD)/src/backends.o: $(BUILD)/place
$(BUILD)/tools/%.o: own_flags = $(tool_cflags) $(arrow_cflags)
$(BUILD)/tests/%.o: own_flags = $(test_cflags)
$(BUILD)/bench/%.o: own_flags = $(blas_cflags)
$(runtime_objects) $(self_test_object): private cxx_standard = c++17
$(runtime_objects) $(self_test_object): private own_flags = -Itests/cuda_on_cpu/include
# The runtime tells ThreadSanitizer of its threads, and must not be taken for one of them.
$(runtime_objects): private override CXXFLAGS := $(patsubst -fsanitize=thread,-DCUDA_ON_CPU_TSAN \
  -fno-tree-loop-distribute-patterns,$(CXXFLAGS))

compile = @mkdir -p $(@D) && echo "  $(1) $@" &&
# The library refuses a module that others can replace, as they can where the umask is 002.
for_us_alone = chmod go-w $(@D) $@

# What a program that multiplies by the BLAS of this build would load.
blas_name := $(BUILD)/blas_name.h
$(blas_name): $(BUILD)/flags
	@echo 'extern void cblas_sgemm(void); int main(void) { cblas_sgemm(); return 0; }' | \
	  $(CC) -w -x c -o $(BUILD)/blas_name - -x none $(filter -L%,$(LDFLAGS)) $(blas_libs)
	@name='$(BLAS_LIBRARY)'; [ -n "$$name" ] || name=$$(readelf -d $(BUILD)/blas_name | \
	  sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^libc\.' | head -n 1); \
	  [ -n "$$name" ] || { echo "no shared library has cblas_sgemm: name it by BLAS_LIBRARY" >&2; exit 1; }; \
	  printf '#define PQF_BLAS_LIBRARY "%s"\n' "$$name" > $@

$(BUILD)/backends/blas_library.o: $(blas_name)

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call compile,cc)$(CC) $(cpp_flags) $(own_flags) $(c_flags) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc $(BUILD)/flags
	$(call compile,c++)$(CXX) $(cpp_flags) $(own_flags) $(cxx_flags) -MMD -MP -c -o $@ $<

define isa_rule
$(BUILD)/%.$(1).o: %.c $(BUILD)/flags
	$$(call compile,cc)$$(CC) $$(cpp_flags) $$(own_flags) -DPQF_ISA=$(1) $$(c_flags) $(kernel_flags) \
	  $(isa_flags_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(isas),$(eval $(call isa_rule,$(isa))))

-include $(patsubst %.o,%.d,$(static_objects) $(tool_objects) $(test_objects) $(module_objects) \
  $(fuzz_objects) $(bench_objects) $(example_objects) $(runtime_objects) \
  $(self_test_object) $(BUILD)/stage/backends.o)

link_shared = $(CC) -shared -Wl,-soname,libpqf.so.$(MAJOR) -Wl,--version-script,src/libpqf.map \
  -Wl,-z,defs $(link_flags)

# Also made anew when a source file is gone.
$(BUILD)/objects: FORCE
	$(call remember,$(static_objects) $(tool_objects) $(test_objects))

$(SHARED): $(library_objects) src/libpqf.map $(BUILD)/objects
	$(call compile,ld)$(link_shared) -o $@ $(library_objects) $(library_libs)

$(LIB)/libpqf.so.$(MAJOR) $(LIB)/libpqf.so: $(SHARED)
	@ln -sf $(<F) $@

$(STATIC): $(static_objects) $(BUILD)/objects
	$(call compile,ar)rm -f $@ && $(AR) rcs $@ $(static_objects)

# The command finds libpqf beside itself; Arrow's libraries, when they come from a wheel, in the
# folder of modules.
arrow_links := $(addprefix $(LIB)/pqf/,$(notdir $(arrow_bundled)))
$(arrow_links): $(LIB)/pqf/%: $(PYARROW)/%
	@mkdir -p $(@D) && ln -sf $(abspath $<) $@ && chmod go-w $(@D)

run_path = -Wl,--enable-new-dtags -Wl,-rpath,'$$ORIGIN/$(1)$(if $(arrow_bundled),:$$ORIGIN/$(1)/pqf)'

$(COMMAND): $(tool_objects) $(LIB)/libpqf.so.$(MAJOR) $(LIB)/libpqf.so $(arrow_links)
	$(call compile,ld)$(tool_linker) $(link_flags) $(call run_path,../lib) -o $@ $(tool_objects) \
	  -L$(LIB) -lpqf $(tool_libs) -lm

# Tests --------------------------------------------------------------------------------------------

$(RUNNER): $(test_objects) $(STATIC)
	$(call compile,ld)$(CC) $(link_flags) -rdynamic -o $@ $(test_objects) $(STATIC) $(test_libs) \
	  $(library_libs)

$(module_objects:.o=.so): %.so: %.o
	$(call compile,ld)$(CC) -shared $(link_flags) -o $@ $< $(absent_library) && $(for_us_alone)

# This module's library is gone once it has been linked.
without_library := $(BUILD)/tests/modules/pqf_without_library.so
absent := $(BUILD)/tests/modules/libpqf_absent.so
$(without_library): private absent_library = -Wl,--no-as-needed $(absent) && rm -f $(absent)
$(without_library): | $(absent)
.INTERMEDIATE: $(absent)
$(absent):
	@mkdir -p $(@D) && $(CC) -shared $(link_flags) -Wl,-soname,$(@F) -o $@ -x c /dev/null

# On Debian libblas.so.3 may be any BLAS: what is built with the reference BLAS runs with that one's
# folder first.
run_with := $(if $(blas_dir),LD_LIBRARY_PATH=$(blas_dir))

.PHONY: check check-suites check-symbols check-install
check: check-suites check-symbols check-install

# LARGE=1 lets tests take minutes: see test_large() in tests/test.h.
LARGE ?=
export PQF_TEST_LARGE := $(or $(LARGE),$(PQF_TEST_LARGE))

# SUITES="name ..." runs these alone
check-suites: all $(RUNNER) $(module_objects:.o=.so)
	$(run_with) $(RUNNER) $(SUITES)

check-symbols: $(SHARED) $(LIB)/libpqf.so $(STATIC) $(COMMAND)
	@HARDENING='$(hardening)' .ci/symbols $(LIB) $(COMMAND)

check-install: all
	+@$(run_with) MAKE='$(MAKE)' CC='$(CC)' CXX='$(CXX)' tests/install/run BUILD=$(BUILD) BLAS=$(BLAS)

# The same suites again, in builds of their own.
again = +@$(MAKE) --no-print-directory BUILD=$(BUILD)/$(1)

sanitize_address := -O1 -UNDEBUG -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize=vptr -fno-sanitize-recover=all
sanitize_thread := -O1 -UNDEBUG -fno-omit-frame-pointer -fsanitize=thread

# gcc warns of what the sanitizers make of the code: not an error here. It takes a minute over a file
# of kernels at -O3 with AddressSanitizer, and two seconds at -O1.
no_error = $(filter-out -Werror,$(1))
sanitized = $(call again,$(1)) CFLAGS='$(call no_error,$(CFLAGS)) $(2)' \
  CXXFLAGS='$(call no_error,$(CXXFLAGS)) $(2)' KERNEL_OPTIMIZE=-O1 \
  LDFLAGS='$(LDFLAGS) $(2)'

.PHONY: check-asan check-tsan check-valgrind check-oom
# AddressSanitizer is for every suite but those that compute long and touch nothing new.
# ThreadSanitizer is for those in which threads of this process meet; the reference BLAS has no threads
# of its own, of which it would know nothing, nor does it know of Arrow's. LARGE=1: whatever they can
# run.
every_suite := $(shell sed -n 's/^    {"\([a-z_]*\)", suite_.*/\1/p' tests/main.c)
asan_suites := $(if $(LARGE),,$(filter-out killed insteval least_squares start_up,$(every_suite)))
tsan_suites := blas gradient fit threads losses presets predict evaluate calls pull sparse
ifneq ($(LARGE),)
tsan_suites += als duplicates golden model backend_contract modules oom data ids arrow file promises \
  checkpoint killed large shapes
endif
check-asan:
	$(call sanitized,asan,$(sanitize_address)) check-suites SUITES='$(or $(SUITES),$(asan_suites))'

check-tsan:
	$(call sanitized,tsan,$(sanitize_thread)) check-suites BLAS=reference PARQUET=no \
	  SUITES='$(or $(SUITES),$(tsan_suites))'

check-valgrind: all $(RUNNER) $(module_objects:.o=.so)
	$(run_with) valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect,possible \
	  --errors-for-leak-kinds=definite,indirect --error-exitcode=9 $(RUNNER) $(SUITES)

check-oom:
	$(call sanitized,asan,$(sanitize_address)) check-suites SUITES=oom

export ASAN_OPTIONS ?= allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1

.PHONY: coverage
coverage:
	$(call again,coverage) check-suites PARQUET=no OPTIMIZE='-O0 -g -DNDEBUG' \
	  CFLAGS='$(CFLAGS) --coverage' \
	  CXXFLAGS='$(CXXFLAGS)' LDFLAGS='$(LDFLAGS) --coverage'
	@gcovr --root . --filter src/ --filter backends/ --exclude-throw-branches --print-summary \
	  --fail-under-line 95 --fail-under-branch 85 $(BUILD)/coverage

# The GPU -------------------------------------------------------------------------------------------

# nvcc: that of CUDA_HOME, else on PATH, else where NVIDIA's packages put it; empty: there is none.
NVCC ?= $(or $(wildcard $(addsuffix /bin/nvcc,$(CUDA_HOME))),$(shell command -v nvcc),\
  $(wildcard /usr/local/cuda/bin/nvcc))
GPU_MODULE := $(LIB)/pqf/pqf_gpu_cuda.so
gpu_sources := backends/gpu_cuda.cu $(wildcard backends/*.cuh) $(public_headers)

comma := ,
gpu_architectures := 75 80 86 89 90
nvcc_flags := -std=c++17 -O3 -Iinclude -cudart static -Werror all-warnings \
  -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra \
  $(addprefix -Xcompiler=,$(filter -f%,$(hardening))) -Xptxas -warn-spills,-warn-lmem-usage \
  $(foreach a,$(gpu_architectures),-gencode arch=compute_$(a)$(comma)code=sm_$(a)) \
  -gencode arch=compute_$(lastword $(gpu_architectures))$(comma)code=compute_$(lastword \
    $(gpu_architectures))

headers_agree := $(BUILD)/cuda_on_cpu/against_nvidia.o

.PHONY: cuda check-cuda-on-cpu cuda-on-cpu
ifneq ($(strip $(NVCC)),)
cuda: $(GPU_MODULE) $(headers_agree)
else
cuda:
	@echo "cuda: no nvcc on PATH, in CUDA_HOME or in /usr/local/cuda: the module is not built"
endif

$(GPU_MODULE): $(gpu_sources) $(BUILD)/flags
	$(call compile,nvcc)$(NVCC) -shared $(nvcc_flags) -o $@ $< -lcublas -lcusolver && $(for_us_alone)

# The constants and types of the runtime below, held against NVIDIA's.
$(headers_agree): tests/cuda_on_cpu/against_nvidia.cu tests/cuda_on_cpu/interface.h
	$(call compile,nvcc)$(NVCC) -std=c++17 -Werror all-warnings -c -o $@ $<

# The same source by g++, and the runtime that plays driver, CUDA, cuBLAS and cuSOLVER for it: found
# as libcuda.so.1, which is what a module of CUDA is looked for by. `make cuda-on-cpu BUG=NAME
# CUDA_ON_CPU=FOLDER` plants a bug.
CUDA_ON_CPU ?= $(BUILD)/cuda_on_cpu
runtime_library := $(BUILD)/cuda_on_cpu/libcuda.so.1
played_object := $(CUDA_ON_CPU)/gpu_cuda.o
played_module := $(CUDA_ON_CPU)/pqf/pqf_gpu_cuda.so

$(runtime_library): $(runtime_objects)
	$(call compile,ld)$(CXX) -shared -Wl,-soname,$(@F) \
	  $(filter-out -fsanitize=thread,$(link_flags)) -o $@ $^

$(played_object): private cxx_standard = c++17
$(played_object): $(gpu_sources) $(wildcard tests/cuda_on_cpu/include/*.h) $(BUILD)/flags
	$(call compile,c++)$(CXX) $(addprefix -DPQF_BUG_,$(BUG)) -D_GNU_SOURCE \
	  -Itests/cuda_on_cpu/include -Iinclude $(cxx_flags) -Wno-unknown-pragmas -c -o $@ -x c++ $<

$(played_module): $(played_object) $(runtime_library)
	$(call compile,ld)$(CXX) -shared $(link_flags) -o $@ $^ && $(for_us_alone)

runtime_test := $(BUILD)/cuda_on_cpu/self_test
$(runtime_test): $(self_test_object) $(runtime_library)
	$(call compile,ld)$(CXX) $(link_flags) -Wl,-rpath,'$$ORIGIN' -o $@ $^ $(test_libs)

cuda-on-cpu: $(played_module) $(RUNNER)

# The suites that compute. On that device, which is slow, a run without LARGE=1 leaves out those whose
# steps backend_contract holds to the same reference; with its threads in other orders it runs the
# suite that launches every kernel. SUITES="name ..." runs these alone.
gpu_suites := gpu_kernels gpu gpu_rows backend_contract gradient als losses fit
forward_suites := $(if $(LARGE),$(gpu_suites),$(filter-out gradient als losses,$(gpu_suites)))
order_suites := gpu_kernels $(if $(LARGE),gpu backend_contract)
orders := forward reverse random

check-cuda-on-cpu: play-self-test $(addprefix play-,$(orders))

.PHONY: play-self-test $(addprefix play-,$(orders))
play-self-test: $(runtime_test)
	$(runtime_test)

$(addprefix play-,$(orders)): play-%: cuda-on-cpu $(module_objects:.o=.so)
	@echo "threads in $* order:" && TEST_BACKEND=cuda TEST_ORDER=$* \
	  TEST_MODULES=$(abspath $(CUDA_ON_CPU))/pqf \
	  LD_LIBRARY_PATH=$(abspath $(BUILD))/cuda_on_cpu$(addprefix :,$(blas_dir)) \
	  $(RUNNER) $(or $(SUITES),$(if $(filter forward,$*),$(forward_suites),$(order_suites)))

# The same suites on a true GPU.
.PHONY: check-gpu
check-gpu: cuda all $(RUNNER) $(BUILD)/bench/gpu
	@$(run_with) .ci/gpu $(COMMAND) $(RUNNER) $(BUILD)/bench/gpu $(abspath $(LIB)/pqf) \
	  $(or $(SUITES),$(gpu_suites))

.PHONY: check-cuda-asan check-cuda-tsan
check-cuda-asan:
	$(call sanitized,asan,$(sanitize_address)) check-cuda-on-cpu \
	  SUITES='$(or $(SUITES),gpu_kernels backend_contract)'

check-cuda-tsan:
	$(call sanitized,tsan,$(sanitize_thread)) check-cuda-on-cpu BLAS=reference PARQUET=no \
	  SUITES='$(or $(SUITES),gpu_kernels)'

# Bugs that are planted on purpose, and what finds them.
.PHONY: check-cuda-mutations
check-cuda-mutations: cuda-on-cpu $(module_objects:.o=.so)
	+@MAKE='$(MAKE)' tests/cuda_on_cpu/mutations $(BUILD)

# Fuzzing: the library and the readers of text formats, instrumented by clang -----------------------

fuzz_flags := -O1 -UNDEBUG -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_calls_objects := $(filter-out $(BUILD)/tests/test_calls.o,$(filter $(BUILD)/tests/calls%,\
  $(test_objects))) $(addprefix $(BUILD)/tests/,arrow_builder.o test_support.o)
fuzz_tool_objects := $(filter-out $(BUILD)/tools/main.o,$(call object,$(wildcard tools/*.c)))

# clang takes a quarter of a minute over a file of kernels with UndefinedBehaviorSanitizer, which
# check-asan has for them.
.PHONY: fuzz fuzz-targets
fuzz:
	$(call again,fuzz) fuzz-targets CC=$(FUZZ_CC) PARQUET=no \
	  KERNEL_OPTIMIZE='-O1 -fno-sanitize=undefined' \
	  CFLAGS='$(CFLAGS) $(fuzz_flags) -fsanitize=fuzzer-no-link' LDFLAGS='$(LDFLAGS) $(fuzz_flags)'
	@.ci/fuzz $(BUILD)/fuzz/tests/fuzz $(FUZZ_SECONDS)

fuzz-targets: $(fuzz_objects:.o=)

$(BUILD)/tools/readers.a: $(fuzz_tool_objects)
	$(call compile,ar)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/fuzz/fuzz_calls: $(fuzz_calls_objects)

$(fuzz_objects:.o=): %: %.o $(BUILD)/tools/readers.a $(STATIC)
	$(call compile,ld)$(CC) $(link_flags) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) \
	  $(tool_libs) $(test_libs) $(library_libs)

# Examples, demonstration, measurements -------------------------------------------------------------

bench_support := $(filter %_support.o,$(bench_objects))
bench_programs := $(patsubst %.o,%,$(filter-out $(bench_support),$(bench_objects)))

$(example_objects:.o=): %: %.o $(STATIC)
	$(call compile,ld)$(CC) $(link_flags) -o $@ $< $(STATIC) $(library_libs)

$(bench_programs): %: %.o $(bench_support) $(STATIC)
	$(call compile,ld)$(CC) $(link_flags) -o $@ $< $(bench_support) $(STATIC) $(bench_blas) \
	  $(library_libs)
$(BUILD)/bench/dense: private bench_blas = $(blas_libs)

# The notebook's matrix and settings, from the Parquet file to predictions; then the same in C; then
# ratings: a tenth held out, a model of the rest, and how well it predicts that tenth.
DEMO := $(BUILD)/demo

.PHONY: examples demo
examples: $(example_objects:.o=)

demo: all examples
	@mkdir -p $(DEMO)
	$(run_with) $(COMMAND) fit tests/data/matrix.parquet.gzip --output $(DEMO)/notebook.safetensors \
	  --update notebook --init torch --seed 0 --factors 3 --epochs 10000
	$(run_with) $(COMMAND) info $(DEMO)/notebook.safetensors
	$(run_with) $(COMMAND) predict $(DEMO)/notebook.safetensors --output $(DEMO)/predicted.csv
	cat $(DEMO)/predicted.csv
	$(run_with) $(BUILD)/examples/notebook
	$(run_with) $(COMMAND) split tests/data/insteval.csv.gz --seed 1 \
	  --output-train $(DEMO)/train.csv --output-test $(DEMO)/test.csv
	$(run_with) $(COMMAND) fit $(DEMO)/train.csv --output $(DEMO)/ratings.safetensors --preset ratings \
	  --factors 10 --regularization 20 --regularization-scaling 0 --bias-regularization 10
	$(run_with) $(COMMAND) evaluate $(DEMO)/ratings.safetensors $(DEMO)/test.csv

.PHONY: bench bench-programs
bench-programs: $(bench_programs)
bench: all bench-programs
	@$(run_with) bench/run $(BUILD)/bench $(COMMAND) $(VENV)/bin/python

# Whatever can be compiled, for .ci/lint.
.PHONY: everything
everything: all examples bench-programs $(RUNNER) $(module_objects:.o=.so) $(fuzz_objects) \
  cuda-on-cpu $(runtime_test)

# The same, but no program is linked; and the headers that are made for it.
.PHONY: every-object every-header
every-header: $(blas_name)
every-object: $(library_objects) $(tool_objects) $(test_objects) $(module_objects) $(fuzz_objects) \
  $(bench_objects) $(example_objects) $(runtime_objects) $(self_test_object) $(played_object)

# Words, style, interface ----------------------------------------------------------------------------

.PHONY: docs lint format abi abi-update
docs:
	@VERSION=$(VERSION) .ci/docs $(BUILD)/docs

# In a build whose warnings are errors, as that of .ci/run, gcc has nothing to do twice. LARGE=1 also
# has clang analyse the tests.
lint:
	+@MAKE='$(MAKE)' LARGE='$(LARGE)' .ci/lint $(BUILD)/lint \
	  $(if $(filter -Werror,$(CFLAGS)),$(BUILD),$(BUILD)/lint/gcc CFLAGS=-Werror CXXFLAGS=-Werror)

style_sources := $(wildcard $(patsubst %,%/*.[ch],include src backends tools tests tests/modules \
  tests/fuzz examples bench) tools/*.cc)
format:
	clang-format -i $(style_sources)

abi: $(SHARED)
	@.ci/abi check $(SHARED) $(MAJOR)

abi-update: $(SHARED)
	@.ci/abi update $(SHARED) $(MAJOR)

# Installing --------------------------------------------------------------------------------------

# What knows its own place is made for it, apart from what was built: the folder of modules that is
# compiled in, and the path from the command to the library.
STAGE := $(BUILD)/stage
moved_objects := $(patsubst $(BUILD)/src/backends.o,$(STAGE)/backends.o,$(library_objects))
moved_static := $(patsubst $(BUILD)/src/backends.o,$(STAGE)/backends.o,$(static_objects))
bin_to_lib = $(shell realpath -m --relative-to=$(bindir) $(libdir))

$(STAGE)/backends.o: src/backends.c $(BUILD)/flags $(STAGE)/place
	$(call compile,cc)$(CC) $(cpp_flags) -DPQF_MODULE_DIR='"$(libdir)/pqf"' $(c_flags) -MMD -MP \
	  -c -o $@ $<

$(STAGE)/libpqf.so.$(VERSION): $(moved_objects) src/libpqf.map
	$(call compile,ld)$(link_shared) -o $@ $(moved_objects) $(library_libs)

$(STAGE)/libpqf.a: $(moved_static)
	$(call compile,ar)rm -f $@ && $(AR) rcs $@ $^

$(STAGE)/libpqf.so.$(MAJOR) $(STAGE)/libpqf.so: $(STAGE)/libpqf.so.$(VERSION)
	@ln -sf $(<F) $@

$(STAGE)/pqf: $(tool_objects) $(STAGE)/libpqf.so.$(MAJOR) $(STAGE)/libpqf.so $(STAGE)/place
	$(call compile,ld)$(tool_linker) $(link_flags) $(call run_path,$(bin_to_lib)) -o $@ \
	  $(tool_objects) -L$(STAGE) -lpqf $(tool_libs) -lm

$(STAGE)/libpqf.pc: libpqf.pc.in $(STAGE)/place $(BUILD)/flags
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	  -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' \
	  -e 's|@blas@|$(linked_blas)|' $< > $@

install_headers := $(notdir $(public_headers))
install_arrow := $(notdir $(arrow_bundled))
install_man := $(notdir $(wildcard docs/man/*.1))
target_bin := $(DESTDIR)$(bindir)
target_lib := $(DESTDIR)$(libdir)
target_include := $(DESTDIR)$(includedir)
target_man := $(DESTDIR)$(mandir)/man1

.PHONY: install uninstall
install: $(STAGE)/libpqf.so.$(VERSION) $(STAGE)/libpqf.a $(STAGE)/pqf $(STAGE)/libpqf.pc
	$(INSTALL) -d '$(target_bin)' '$(target_lib)/pqf' '$(target_lib)/pkgconfig' '$(target_include)' \
	  '$(target_man)'
	$(INSTALL) -m 644 $(public_headers) '$(target_include)'
	$(INSTALL) -m 755 $(STAGE)/libpqf.so.$(VERSION) '$(target_lib)'
	ln -sf libpqf.so.$(VERSION) '$(target_lib)/libpqf.so.$(MAJOR)'
	ln -sf libpqf.so.$(VERSION) '$(target_lib)/libpqf.so'
	$(INSTALL) -m 644 $(STAGE)/libpqf.a '$(target_lib)'
	$(INSTALL) -m 644 $(STAGE)/libpqf.pc '$(target_lib)/pkgconfig'
	$(if $(arrow_bundled),$(INSTALL) -m 644 $(arrow_bundled) '$(target_lib)/pqf')
	$(if $(wildcard $(GPU_MODULE)),$(INSTALL) -m 755 $(GPU_MODULE) '$(target_lib)/pqf')
	$(INSTALL) -m 755 $(STAGE)/pqf '$(target_bin)'
	$(if $(install_man),$(INSTALL) -m 644 $(wildcard docs/man/*.1) '$(target_man)')

uninstall:
	rm -f $(patsubst %,'$(target_include)/%',$(install_headers)) \
	  $(patsubst %,'$(target_lib)/%',libpqf.so.$(VERSION) libpqf.so.$(MAJOR) libpqf.so libpqf.a \
	    pkgconfig/libpqf.pc pqf/$(notdir $(GPU_MODULE)) $(addprefix pqf/,$(install_arrow))) \
	  $(patsubst %,'$(target_man)/%',$(install_man)) '$(target_bin)/pqf'
	-[ ! -d '$(target_lib)/pqf' ] || rmdir '$(target_lib)/pqf'

# The rest -----------------------------------------------------------------------------------------

.PHONY: clean deps-dev help
clean:
	rm -rf $(BUILD) $(LIB) $(BIN)

deps-dev:
	@.ci/deps --all

help:
	@sed -n 's/^#: //p' Makefile

#: all             lib/libpqf.so.MAJOR, lib/libpqf.a, bin/pqf (the default)
#: deps            install what this machine lacks; may come before others: make deps demo
#: deps-dev        the same, and what lint, abi, docs, fuzz and coverage need
#: demo            a matrix in, predictions out, with the command and with a C program
#: check           every test suite, the exported symbols, an installed copy
#: check-asan      the suites under AddressSanitizer and UndefinedBehaviorSanitizer
#: check-tsan      the suites under ThreadSanitizer
#: check-valgrind  the suites under valgrind
#: check-oom       every allocation failing in turn, under AddressSanitizer
#: check-cuda-on-cpu  the source of the CUDA back end, run on the CPU; check-cuda-asan and
#:                 check-cuda-tsan do it under sanitizers; check-cuda-mutations plants bugs in it
#: check-gpu       the same suites on a true GPU, and how fast it is; 77 where there is none
#: cuda            the CUDA back end, lib/pqf/pqf_gpu_cuda.so, where there is nvcc; `make install` then
#:                 installs it too
#: fuzz            every fuzz target, FUZZ_SECONDS (60) in all
#: bench           measurements
#: lint            gcc and clang with warnings as errors, clang-tidy, cppcheck, format, symbols
#: abi             the binary interface against its baseline; abi-update writes the baseline
#: docs            the API reference and the manual pages, warnings fatal
#: coverage        lines and branches that the suites reach
#: format          clang-format
#: install         to PREFIX (/usr/local); libdir, includedir, bindir, mandir, DESTDIR
#: uninstall       remove exactly that
#: clean           remove what was built
#:
#: BLAS=openblas|reference|blis, BLAS_LIBRARY=soname, BUILD=folder, SUITES="name ...", LARGE=1, CC, CXX,
#: CFLAGS, LDFLAGS

endif
