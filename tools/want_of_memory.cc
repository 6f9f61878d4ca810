// See want_of_memory.h. The handler takes no memory.
#include "want_of_memory.h"

#include "arguments.h"
#include "output.h"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <new>

#include <unistd.h>

namespace
{

std::atomic_flag ending = ATOMIC_FLAG_INIT;

[[noreturn]] void end()
{
  static const char line[] = "pqf: out of memory\n";
  bool no_memory = false;
  try {
    if (std::current_exception() != nullptr)
      std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc &) {
    no_memory = true;
  } catch (...) {
  }
  if (!no_memory)
    std::abort();
  while (ending.test_and_set()) // another thread is at it, and ends this one
    (void)pause();
  pqf_output_abandon();
  const ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
  (void)written; // there is nobody left to tell
  _exit(PQF_EXIT_FAILED);
}

} // namespace

void pqf_expect_want_of_memory()
{
  (void)std::set_terminate(end);
}
