/* Want of memory where it cannot become a status: Arrow's threads, whose exceptions nobody catches,
 * and destructors. For the command's C++ alone. */
#ifndef PQF_TOOLS_WANT_OF_MEMORY_H
#define PQF_TOOLS_WANT_OF_MEMORY_H

/* From now on a std::bad_alloc that nobody catches ends the process as any other failure does: one
 * line on standard error, exit status 1, and no unfinished output. To call it again does nothing.
 */
void pqf_expect_want_of_memory();

#endif
