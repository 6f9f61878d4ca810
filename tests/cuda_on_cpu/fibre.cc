/* Switching from one stack to another. On x86-64 by a few lines of assembly, for swapcontext makes
 * two system calls each time and is fifty times slower. AddressSanitizer and ThreadSanitizer are
 * told of each switch; the latter not to take it for an order of events. */
#include "fibre.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

/* This file is not compiled with -fsanitize=thread when the kernels are. */
#if defined(CUDA_ON_CPU_TSAN)
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
}
#endif

namespace cuda_on_cpu
{

static constexpr std::size_t stack_bytes = 256 * 1024;

/* Stacks are of whole pages: with their ends at different places within a page they do not push
 * each other out of the cache. */
static constexpr std::size_t stack_step = 64;
static constexpr std::size_t stack_places = 64;

/* ---- Context -----------------------------------------------------------------------------------
 */

#if defined(__x86_64__)

/* Saves what a function must preserve, and the place, below `*saved`; takes up `next`. (A `ret`
 * would go where the processor's own stack of calls does not expect it, each time.) */
extern "C" void cuda_on_cpu_switch(void **saved, void *next);
asm(R"(
.text
.globl cuda_on_cpu_switch
.hidden cuda_on_cpu_switch
.type cuda_on_cpu_switch, @function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cuda_on_cpu_switch, . - cuda_on_cpu_switch
)");

struct context {
  void *stack_pointer;
};

static void context_switch(context *from, context *to)
{
  cuda_on_cpu_switch(&from->stack_pointer, to->stack_pointer);
}

/* As if `entry` had been called by nobody and had then called cuda_on_cpu_switch. */
static void context_begin(context *c, unsigned char *stack, std::size_t size, void (*entry)())
{
  constexpr std::size_t saved_registers = 6;
  void **top = reinterpret_cast<void **>(stack + size);
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(entry);
  top -= saved_registers;
  memset(top, 0, saved_registers * sizeof *top);
  c->stack_pointer = top;
}

#else

struct context {
  ucontext_t saved;
};

static void context_switch(context *from, context *to)
{
  swapcontext(&from->saved, &to->saved);
}

static void context_begin(context *c, unsigned char *stack, std::size_t size, void (*entry)())
{
  getcontext(&c->saved);
  c->saved.uc_stack.ss_sp = stack;
  c->saved.uc_stack.ss_size = size;
  c->saved.uc_link = nullptr;
  makecontext(&c->saved, entry, 0);
}

#endif

/* ---- Fibres ------------------------------------------------------------------------------------
 */

struct fibre {
  context own;
  unsigned char *stack;
  std::size_t stack_size;
  void (*entry)();
  void *sanitizer; /* its own word for this fibre */
};

static context resumer; /* whoever resumed the fibre that runs */
static fibre *running;

#if defined(__SANITIZE_ADDRESS__)
static void *resumer_sanitizer;
static const void *resumer_stack;
static std::size_t resumer_stack_bytes;
#elif defined(CUDA_ON_CPU_TSAN)
static void *resumer_sanitizer;
static constexpr unsigned without_order = 1;
#endif

static void fibre_main()
{
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &resumer_stack, &resumer_stack_bytes);
#endif
  running->entry();
  abort(); /* it never returns */
}

fibre *fibre_create(void (*entry)())
{
  static std::size_t count = 0;
  auto *f = new fibre{};
  void *stack =
      mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) {
    perror("cuda_on_cpu: no stack for a thread");
    abort();
  }
  f->stack = static_cast<unsigned char *>(stack);
  f->stack_size = stack_bytes - count++ % stack_places * stack_step;
  f->entry = entry;
  fibre_restart(f);
  return f;
}

void fibre_restart(fibre *f)
{
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(f->stack, stack_bytes);
  f->sanitizer = nullptr;
#elif defined(CUDA_ON_CPU_TSAN)
  if (f->sanitizer != nullptr)
    __tsan_destroy_fiber(f->sanitizer); /* which may believe to be in a handler of signals */
  f->sanitizer = __tsan_create_fiber(0);
#endif
  context_begin(&f->own, f->stack, f->stack_size, fibre_main);
}

void fibre_resume(fibre *f)
{
  running = f;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&resumer_sanitizer, f->stack, f->stack_size);
  context_switch(&resumer, &f->own);
  __sanitizer_finish_switch_fiber(resumer_sanitizer, nullptr, nullptr);
#elif defined(CUDA_ON_CPU_TSAN)
  resumer_sanitizer = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(f->sanitizer, without_order);
  context_switch(&resumer, &f->own);
#else
  context_switch(&resumer, &f->own);
#endif
}

void fibre_pause()
{
  fibre *const self = running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&self->sanitizer, resumer_stack, resumer_stack_bytes);
  context_switch(&self->own, &resumer);
  __sanitizer_finish_switch_fiber(self->sanitizer, &resumer_stack, &resumer_stack_bytes);
#elif defined(CUDA_ON_CPU_TSAN)
  __tsan_switch_to_fiber(resumer_sanitizer, without_order);
  context_switch(&self->own, &resumer);
#else
  context_switch(&self->own, &resumer);
#endif
}

void fibre_abandon()
{
  fibre_pause();
  abort(); /* it is not resumed before it has been restarted */
}

void order_release(void *mark)
{
#if defined(CUDA_ON_CPU_TSAN)
  __tsan_release(mark);
#else
  (void)mark;
#endif
}

void order_acquire(void *mark)
{
#if defined(CUDA_ON_CPU_TSAN)
  __tsan_acquire(mark);
#else
  (void)mark;
#endif
}

} // namespace cuda_on_cpu
