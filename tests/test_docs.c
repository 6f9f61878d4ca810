/* The documents say what the code says: the README's program is the example, calls and links that
 * are named exist, every status and every option is explained, and runs end as they tell. */
#include "suites.h"
#include "test.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, LONGEST_NAME = 64 };

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static void report(int passed, const char *what, const char *where, const char *problem)
{
  char words[PATH_SIZE + 256];
  snprintf(words, sizeof words, "%s: %s %s", where, what, problem);
  CU_assertImplementation(passed ? CU_TRUE : CU_FALSE, __LINE__, words, __FILE__, "", CU_FALSE);
}

/* Appends a file to `text`, ended by NUL; the caller frees the result. */
static char *append_file(char *text, const char *path)
{
  size_t length = text != NULL ? strlen(text) : 0;
  FILE *file = fopen(path, "r");
  report(file != NULL, "cannot be", path, "read");
  for (size_t got = 1; file != NULL && got > 0; length += got) {
    char *longer = realloc(text, length + BUFSIZ + 1);
    if (longer == NULL)
      abort();
    text = longer;
    got = fread(text + length, 1, BUFSIZ, file);
    text[length + got] = '\0';
  }
  if (file != NULL)
    fclose(file);
  return text;
}

/* All files that match a pattern below the source tree, one behind the other; the caller frees the
 * text. A pattern that nothing matches is reported. */
static char *read_sources(const char *pattern)
{
  char path[PATH_SIZE];
  glob_t found;
  char *text = NULL;
  snprintf(path, sizeof path, "%s/%s", TEST_SOURCE, pattern);
  const int status = glob(path, GLOB_BRACE, NULL, &found);
  report(status == 0, "are there no files like", "docs", pattern);
  for (size_t n = 0; status == 0 && n < found.gl_pathc; ++n)
    text = append_file(text, found.gl_pathv[n]);
  if (status == 0)
    globfree(&found);
  return text != NULL ? text : calloc(1, 1);
}

static void readme_has_the_example(void)
{
  static const char begin[] = "```c\n";
  char *readme = read_sources("README.md");
  char *example = read_sources("examples/notebook.c");
  const char *block = strstr(readme, begin);
  CU_ASSERT_PTR_NOT_NULL(block);
  if (block != NULL) {
    block += sizeof begin - 1;
    CU_ASSERT_EQUAL(strncmp(block, example, strlen(example)), 0);
    CU_ASSERT_EQUAL(strncmp(block + strlen(example), "```\n", 4), 0);
  }
  free(readme);
  free(example);
}

/* Whether `text` has `name` as a whole word. */
static int has_word(const char *text, const char *name, size_t length)
{
  for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name))
    if ((at == text || strchr(name_letters, at[-1]) == NULL) &&
        (at[length] == '\0' || strchr(name_letters, at[length]) == NULL))
      return 1;
  return 0;
}

/* Every `pqf_name(` of the text is declared in the headers; pqf_noun_verb() is the pattern of
 * names. */
static void check_calls(const char *text, const char *headers, const char *where)
{
  for (const char *at = strstr(text, "pqf_"); at != NULL; at = strstr(at + 1, "pqf_")) {
    char name[LONGEST_NAME];
    const size_t length = strspn(at, name_letters);
    if (at[length] != '(' || length >= sizeof name)
      continue;
    snprintf(name, sizeof name, "%.*s", (int)length, at);
    if (strcmp(name, "pqf_noun_verb") != 0)
      report(has_word(headers, name, length), name, where, "is no call");
  }
}

static void calls_that_are_named_exist(void)
{
  static const char *const documents[] = {"README.md", "CHANGELOG.md", "docs/*.md"};
  char *headers = read_sources("{include,src}/*.h");
  for (size_t n = 0; n < sizeof documents / sizeof documents[0]; ++n) {
    char *text = read_sources(documents[n]);
    check_calls(text, headers, documents[n]);
    free(text);
  }
  free(headers);
}

/* Every status of pqf.h, by name and number. */
static void statuses_are_explained(void)
{
  char *header = read_sources("include/pqf.h");
  char *text = read_sources("docs/errors.md");
  int count = 0;
  for (const char *at = strstr(header, "#define PQF_E"); at != NULL;
       at = strstr(at + 1, "#define PQF_E")) {
    char name[LONGEST_NAME];
    char number[LONGEST_NAME];
    const char *begin = at + strlen("#define ");
    const int length = (int)strspn(begin, name_letters);
    if (strncmp(begin + length, " (", 2) != 0)
      continue;
    const char *digits = begin + length + 2;
    snprintf(name, sizeof name, "%.*s", length, begin);
    snprintf(number, sizeof number, "%.*s", (int)strcspn(digits, ")"), digits);
    report(has_word(text, name, strlen(name)), name, "docs/errors.md", "is missing");
    report(has_word(text, number, strlen(number)), number, "docs/errors.md", "is missing");
    ++count;
  }
  CU_ASSERT(count >= 10);
  free(header);
  free(text);
}

/* The text of a section, from its heading to the next one; the caller frees it. */
static char *section_of(const char *text, const char *heading)
{
  const char *begin = strstr(text, heading);
  report(begin != NULL, heading, "docs", "is missing");
  if (begin == NULL)
    return calloc(1, 1);
  begin += strlen(heading);
  const char *end = strstr(begin, "\n## ");
  return end != NULL ? strndup(begin, (size_t)(end - begin)) : strdup(begin);
}

/* The first member of a struct whose text begins behind "{": what follows the comments. */
static const char *first_member(const char *text)
{
  for (;;) {
    text += strspn(text, " \n");
    if (strncmp(text, "/*", 2) != 0)
      return text;
    text = strstr(text, "*/") + 2;
  }
}

/* Every struct of pqf.h that starts with its size is in the section on them. */
static void sized_structs_are_named(void)
{
  static const char begin[] = "typedef struct ";
  static const char size[] = "uint64_t size;";
  char *header = read_sources("include/pqf.h");
  char *text = read_sources("docs/abi.md");
  char *section = section_of(text, "\n## Sized structs\n");
  int count = 0;
  for (const char *at = strstr(header, begin); at != NULL; at = strstr(at + 1, begin)) {
    char name[LONGEST_NAME];
    const char *given = at + strlen(begin);
    const int length = (int)strspn(given, name_letters);
    if (strncmp(given + length, " {", 2) != 0 ||
        strncmp(first_member(given + length + 2), size, strlen(size)) != 0)
      continue;
    snprintf(name, sizeof name, "%.*s", length, given);
    report(has_word(section, name, strlen(name)), name, "docs/abi.md, Sized structs", "is missing");
    ++count;
  }
  CU_ASSERT(count >= 11);
  free(header);
  free(text);
  free(section);
}

/* A cell of the table's row that is about an object; the caller frees it. */
static char *table_cell(const char *table, const char *object, int number)
{
  char begin[LONGEST_NAME + 8];
  snprintf(begin, sizeof begin, "\n| `%s`", object);
  const char *row = strstr(table, begin);
  report(row != NULL, object, "docs/threading.md", "has no row");
  for (int cell = 0; row != NULL && cell <= number; ++cell)
    row = strchr(row + 1, '|');
  return row != NULL ? strndup(row, strcspn(row + 1, "|\n") + 1) : calloc(1, 1);
}

/* Where the declaration says what a call does with an object, the table must say the same. */
static void check_object(const char *table, const char *declaration, const char *name,
                         const char *object)
{
  enum { TOGETHER = 1, ALONE = 2 };
  char parameter[LONGEST_NAME + 8];
  snprintf(parameter, sizeof parameter, "%s *", object);
  const char *at = strstr(declaration, parameter);
  if (at == NULL || at[strlen(parameter)] == '*') /* an object that is created is nobody else's */
    return;
  const int is_const = at - declaration > 6 && strncmp(at - 6, "const ", 6) == 0;
  char *cell = table_cell(table, object, is_const ? TOGETHER : ALONE);
  report(has_word(cell, name, strlen(name)), name, "docs/threading.md",
         is_const ? "is not among those at the same time" : "is not among those alone");
  free(cell);
}

/* The declaration of a public function; the caller frees it. */
static char *declaration_of(const char *header, const char *name)
{
  char call[LONGEST_NAME + 8];
  snprintf(call, sizeof call, "%s(", name);
  for (const char *at = strstr(header, "PQF_API "); at != NULL; at = strstr(at + 1, "PQF_API ")) {
    char *declaration = strndup(at, strcspn(at, ";"));
    const char *found = declaration != NULL ? strstr(declaration, call) : NULL;
    if (found != NULL && (found[-1] == ' ' || found[-1] == '*'))
      return declaration;
    free(declaration);
  }
  report(0, name, "include/pqf.h", "is not declared");
  return calloc(1, 1);
}

/* Every public function has its place in the table, the one that its parameters say. */
static void calls_that_overlap_are_told(void)
{
  static const char *const objects[] = {"pqf_model", "pqf_data", "pqf_options"};
  char *map = read_sources("src/libpqf.map");
  char *header = read_sources("include/pqf.h");
  char *text = read_sources("docs/threading.md");
  char *section = section_of(text, "\n## Which calls may overlap\n");
  int count = 0;
  for (const char *at = strstr(map, "    pqf_"); at != NULL; at = strstr(at + 1, "    pqf_")) {
    char name[LONGEST_NAME];
    const char *given = at + strspn(at, " ");
    snprintf(name, sizeof name, "%.*s", (int)strspn(given, name_letters), given);
    report(has_word(section, name, strlen(name)), name, "docs/threading.md", "is missing");
    char *declaration = declaration_of(header, name);
    for (size_t n = 0; n < sizeof objects / sizeof objects[0]; ++n)
      check_object(section, declaration, name, objects[n]);
    free(declaration);
    ++count;
  }
  CU_ASSERT(count >= 47);
  free(map);
  free(header);
  free(text);
  free(section);
}

/* The manual is in roff, where a dash may be written "\-". */
static void drop_backslashes(char *text)
{
  char *out = text;
  for (const char *in = text; *in != '\0'; ++in)
    if (*in != '\\')
      *out++ = *in;
  *out = '\0';
}

static void options_are_in_the_manual(void)
{
  char *manual = read_sources("docs/man/*.1");
  drop_backslashes(manual);
  for (int32_t n = 0; n < pqf_option_count(); ++n) {
    pqf_option option = {.size = sizeof option};
    char flag[LONGEST_NAME];
    REQUIRE_OK(pqf_option_info(n, &option));
    snprintf(flag, sizeof flag, "-%s", option.name);
    for (char *letter = flag; *letter != '\0'; ++letter)
      if (*letter == '_')
        *letter = '-';
    report(has_word(manual, flag, strlen(flag)), flag, "docs/man", "is missing");
  }
  free(manual);
}

/* Whether the suite has a test of that name. */
static int suite_has_test(const char *suite, const char *name)
{
  char path[PATH_SIZE];
  char line[PATH_SIZE + 32];
  snprintf(path, sizeof path, "tests/test_%s.c", suite);
  snprintf(line, sizeof line, "CU_add_test(suite, \"%s\"", name);
  char *text = read_sources(path);
  const int has = strstr(text, line) != NULL;
  free(text);
  return has;
}

/* Every row of the table of docs/promises.md names tests, as `suite`: "test", "test"; each is one
 * of that suite. */
static void promises_are_held(void)
{
  char *text = read_sources("docs/promises.md");
  int count = 0;
  for (char *row = strstr(text, "\n| "); row != NULL; row = strstr(row + 1, "\n| ")) {
    char line[PATH_SIZE];
    char suite[LONGEST_NAME] = "";
    const char *word = line; /* behind the last backtick */
    int in_row = 0;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(row + 1, "\n"), row + 1);
    if (strstr(line, "| held by |") != NULL)
      continue;
    for (const char *at = line; *at != '\0'; ++at) {
      char name[PATH_SIZE];
      if (strncmp(at, "`: \"", 4) == 0)
        snprintf(suite, sizeof suite, "%.*s", (int)(at - word), word);
      if (*at == '`')
        word = at + 1;
      if (*at != '"')
        continue;
      snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
      report(suite_has_test(suite, name), name, "docs/promises.md", "is no test of its suite");
      at += strlen(name) + 1;
      ++in_row;
    }
    report(in_row > 0, line, "docs/promises.md", "names no test");
    count += in_row;
  }
  CU_ASSERT(count >= 20);
  free(text);
}

/* Links of the form ](path), or ](path#heading), from a document in `folder`. */
static void check_links(const char *text, const char *folder, const char *where)
{
  for (const char *at = strstr(text, "]("); at != NULL; at = strstr(at + 1, "](")) {
    char path[PATH_SIZE];
    const char *target = at + 2;
    const size_t length = strcspn(target, ")#\n");
    if (length == 0 || strncmp(target, "http", 4) == 0)
      continue;
    snprintf(path, sizeof path, "%s/%s%.*s", TEST_SOURCE, folder, (int)length, target);
    report(access(path, F_OK) == 0, path, where, "does not exist");
  }
}

static void links_lead_somewhere(void)
{
  char *readme = read_sources("README.md");
  char *docs = read_sources("docs/*.md");
  check_links(readme, "", "README.md");
  check_links(docs, "docs/", "docs/*.md");
  free(readme);
  free(docs);
}

/* The matrix of docs/notebook.md by one of the rules compared there. */
static int fit_notebook_matrix(int32_t update, int32_t patience, pqf_summary *out)
{
  const pqf_options defaults = PQF_OPTIONS_INIT;
  pqf_options options = defaults;
  int64_t count = 0;
  double *values = test_numbers("golden/notebook_k3_seed0/R.csv", &count);
  float matrix[20] = {0};
  pqf_data *data = NULL;
  pqf_model *model = NULL;
  for (int64_t n = 0; values != NULL && n < 20 && n < count; ++n)
    matrix[n] = (float)values[n];
  options.factors = 3;
  options.epochs = 10000;
  options.init = PQF_INIT_TORCH;
  options.update = update;
  options.patience = patience;
  options.threads = 1;
  CHECK_OK(pqf_data_dense(&data, matrix, 5, 4, 4, NULL));
  CHECK_OK(pqf_create(&model, &options));
  const int status = pqf_fit(model, data, NULL);
  *out = (pqf_summary){.size = sizeof *out};
  CHECK_OK(pqf_model_summary(model, out));
  pqf_free(model);
  pqf_data_free(data);
  free(values);
  return status;
}

/* The table of docs/notebook.md. Where a run ends depends a little on the order of additions. */
static void quirks_are_as_told(void)
{
  pqf_summary summary;
  CHECK_OK(fit_notebook_matrix(PQF_UPDATE_NOTEBOOK, 10, &summary));
  CHECK_AT_MOST(fabs((double)summary.epochs - 97), 0, "epochs");
  CHECK_AT_MOST(fabs(summary.loss - 10.9554), 1e-4, "loss");

  CHECK_OK(fit_notebook_matrix(PQF_UPDATE_GRADIENT, 10, &summary));
  CHECK_AT_MOST(fabs((double)summary.epochs - 148), 3, "epochs");
  CHECK_AT_MOST(fabs(summary.loss - 3.6441), 1e-3, "loss");

  CHECK_STATUS(fit_notebook_matrix(PQF_UPDATE_NOTEBOOK, 0, &summary), PQF_EDIVERGED);
  CHECK_AT_MOST(fabs((double)summary.epochs - 5000), 100, "epochs");
  CHECK_AT_MOST(fabs(summary.best_loss - 10.9554), 1e-4, "lowest loss");

  CHECK_OK(fit_notebook_matrix(PQF_UPDATE_GRADIENT, 0, &summary));
  CHECK_AT_MOST(fabs((double)summary.epochs - 10000), 0, "epochs");
  CHECK_AT_MOST(fabs(summary.loss - 3.6085), 1e-3, "loss");
}

void suite_docs(void)
{
  CU_pSuite suite = CU_add_suite("docs", NULL, NULL);
  CU_add_test(suite, "the README has examples/notebook.c", readme_has_the_example);
  CU_add_test(suite, "calls that are named exist", calls_that_are_named_exist);
  CU_add_test(suite, "statuses are explained", statuses_are_explained);
  CU_add_test(suite, "sized structs are named", sized_structs_are_named);
  CU_add_test(suite, "calls that overlap are told", calls_that_overlap_are_told);
  CU_add_test(suite, "options are in the manual", options_are_in_the_manual);
  CU_add_test(suite, "promises are held by tests", promises_are_held);
  CU_add_test(suite, "links lead somewhere", links_lead_somewhere);
  CU_add_test(suite, "the notebook's quirks", quirks_are_as_told);
}
