/* Fibres: functions with stacks of their own that take turns on one thread. */
#ifndef CUDA_ON_CPU_FIBRE_H
#define CUDA_ON_CPU_FIBRE_H

namespace cuda_on_cpu
{

struct fibre;

/* A fibre that will call `entry`, which never returns. It lives as long as the process. */
fibre *fibre_create(void (*entry)());

/* Goes on with a fibre until it pauses. */
void fibre_resume(fibre *f);

/* Called by a fibre: back to whoever resumed it. */
void fibre_pause();

/* Called by a fibre whose work cannot go on: pauses for good, and forgets what it was doing. */
[[noreturn]] void fibre_abandon();

/* Lets a fibre that paused in the middle begin anew. */
void fibre_restart(fibre *f);

/* Marks for ThreadSanitizer: whoever acquires comes after those who have released. */
void order_release(void *mark);
void order_acquire(void *mark);

} // namespace cuda_on_cpu

#endif
