/* Lines of shell that call the command, and checks of what it prints. In them $PQF is the command,
 * $D the folder tests/data and $T this run's temporary directory. */
#ifndef PQF_TESTS_SHELL_H
#define PQF_TESTS_SHELL_H

#include <stddef.h>

/* Runs a script and checks its exit code. A failure (a code other than 0) must have left exactly
 * one line on standard error, which begins with "pqf: "; a success none. */
#define EXPECT(code, script) shell_expect((code), (script), __FILE__, __LINE__)

/* Checks what the last script printed on standard output or on standard error. */
#define PRINTED(text) shell_printed((text), __FILE__, __LINE__)
#define PRINTED_PART(text) shell_printed_part((text), __FILE__, __LINE__)
#define ERROR_PART(text) shell_error_part((text), __FILE__, __LINE__)

/* Both in one: a script that fails with these words. */
#define REFUSED(code, script, text)                                                                \
  do {                                                                                             \
    EXPECT(code, script);                                                                          \
    ERROR_PART(text);                                                                              \
  } while (0)

int shell_expect(int code, const char *script, const char *file, unsigned int line);
int shell_printed(const char *text, const char *file, unsigned int line);
int shell_printed_part(const char *text, const char *file, unsigned int line);
int shell_error_part(const char *text, const char *file, unsigned int line);

/* What the last script printed on standard output. */
const char *shell_output(void);

/* Writes a file in the temporary directory. */
void shell_file(const char *name, const char *text);
void shell_bytes(const char *name, const void *bytes, size_t count);

/* Whether the command was built with Arrow. */
int shell_has_parquet(void);

#endif
