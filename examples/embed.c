/* A service in small: loads a model file once, then answers from four threads at the same time.
 *
 *     embed MODEL           the best item of each user, for the first ten users
 *     embed MODEL USER ...  the best item of these users, by their ids
 *
 * All threads share one model without a lock, since they only call functions that take it as
 * `const`. Exit status: 0; 1 the work failed; 2 the command line is wrong. */
#include <errno.h>
#include <inttypes.h>
#include <pqf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, MOST_SHOWN = 10, ROWS_PER_BLOCK = 16, WORDS = 512 };

/* One element per user of the model. */
typedef struct answers {
  int32_t *user; /* user[n] == n: pqf_predict() takes pairs of indices */
  int32_t *best; /* the item with the highest prediction */
  float *score;  /* that prediction */
} answers;

/* One thread's share: users [first, end). What it finds goes to its own part of `out`. */
typedef struct share {
  const pqf_model *model;
  answers *out;
  int64_t first;
  int64_t end;
  int status;
  char words[WORDS]; /* the library keeps a failure's words per thread: they are copied here */
} share;

/* The best items of a block of users; `predicted` has room for their rows of P Q'. */
static int best_of_block(const share *s, int64_t first, int64_t rows, float *predicted)
{
  const int64_t cols = pqf_model_cols(s->model);
  const int status = pqf_reconstruct(s->model, first, rows, predicted, cols);
  if (status != PQF_OK)
    return status;
  for (int64_t row = 0; row < rows; row++) {
    const float *line = predicted + row * cols;
    int32_t best = 0;
    for (int32_t col = 1; col < cols; col++)
      if (line[col] > line[best])
        best = col;
    s->out->user[first + row] = (int32_t)(first + row);
    s->out->best[first + row] = best;
  }
  return PQF_OK;
}

static void *serve(void *argument)
{
  share *s = argument;
  const size_t block = (size_t)ROWS_PER_BLOCK * (size_t)pqf_model_cols(s->model);
  float *predicted = malloc(block * sizeof *predicted);
  if (predicted == NULL) {
    s->status = PQF_ENOMEM;
    snprintf(s->words, sizeof s->words, "%s", pqf_strerror(s->status));
    return NULL;
  }
  for (int64_t row = s->first; row < s->end && s->status == PQF_OK; row += ROWS_PER_BLOCK) {
    const int64_t left = s->end - row;
    s->status = best_of_block(s, row, left < ROWS_PER_BLOCK ? left : ROWS_PER_BLOCK, predicted);
  }
  if (s->status == PQF_OK)
    s->status = pqf_predict(s->model, s->end - s->first, s->out->user + s->first,
                            s->out->best + s->first, s->out->score + s->first);
  if (s->status != PQF_OK)
    snprintf(s->words, sizeof s->words, "%s", pqf_error_message());
  free(predicted);
  return NULL;
}

/* Runs the four threads; the first failure among them is the result, with its words. */
static int serve_all(const pqf_model *model, answers *out, char words[WORDS])
{
  const int64_t rows = pqf_model_rows(model);
  share shares[THREADS];
  pthread_t threads[THREADS];
  int started = 0;
  int status = PQF_OK;
  for (; started < THREADS; started++) {
    share *s = &shares[started];
    *s = (share){.model = model, .out = out};
    s->first = rows * started / THREADS;
    s->end = rows * (started + 1) / THREADS;
    const int error = pthread_create(&threads[started], NULL, serve, s);
    if (error != 0) {
      status = PQF_ENOMEM;
      snprintf(words, WORDS, "no thread: %s", strerror(error));
      break;
    }
  }
  for (int n = 0; n < started; n++) {
    pthread_join(threads[n], NULL);
    if (status == PQF_OK && shares[n].status != PQF_OK) {
      status = shares[n].status;
      memcpy(words, shares[n].words, WORDS);
    }
  }
  return status;
}

static int print_id(const pqf_model *model, int32_t side, int64_t index)
{
  pqf_id id;
  const int status = pqf_model_id(model, side, index, &id);
  if (status == PQF_OK && id.text != NULL)
    printf("%.*s", (int)id.length, id.text);
  else if (status == PQF_OK)
    printf("%" PRId64, id.number);
  return status;
}

static int print_user(const pqf_model *model, int64_t user, const answers *found)
{
  printf("user ");
  int status = print_id(model, PQF_ROWS, user);
  printf(": item ");
  if (status == PQF_OK)
    status = print_id(model, PQF_COLS, found->best[user]);
  printf(", predicted %.4f\n", (double)found->score[user]);
  return status;
}

/* An id as typed: a text, or a number where the model has numbers or no ids at all. */
static int find_user(const pqf_model *model, const char *typed, int32_t *out)
{
  pqf_id id = {.text = typed, .length = (int64_t)strlen(typed)};
  if (pqf_model_id_kind(model, PQF_ROWS) != PQF_IDS_TEXTS) {
    char *end = NULL;
    errno = 0;
    id = (pqf_id){.number = strtoll(typed, &end, 10)};
    if (end == typed || *end != '\0' || errno != 0)
      return PQF_ENOTFOUND;
  }
  return pqf_model_find(model, PQF_ROWS, &id, out);
}

static int print_answers(const pqf_model *model, int count, char **typed, const answers *found)
{
  int status = PQF_OK;
  const int64_t rows = pqf_model_rows(model);
  for (int64_t user = 0; count == 0 && user < rows && user < MOST_SHOWN && status == PQF_OK; user++)
    status = print_user(model, user, found);
  for (int n = 0; n < count && status == PQF_OK; n++) {
    int32_t user = 0;
    status = find_user(model, typed[n], &user);
    if (status == PQF_OK)
      status = print_user(model, user, found);
    else
      fprintf(stderr, "embed: user %s: %s\n", typed[n], pqf_strerror(status));
  }
  return status;
}

static int answer(const pqf_model *model, int count, char **typed)
{
  const size_t rows = (size_t)pqf_model_rows(model);
  char words[WORDS];
  answers found = {
      .user = malloc(rows * sizeof *found.user),
      .best = malloc(rows * sizeof *found.best),
      .score = malloc(rows * sizeof *found.score),
  };
  int status = PQF_ENOMEM;
  if (found.user == NULL || found.best == NULL || found.score == NULL) {
    fprintf(stderr, "embed: %s\n", pqf_strerror(status));
    goto out;
  }
  status = serve_all(model, &found, words);
  if (status != PQF_OK)
    fprintf(stderr, "embed: %s\n", words);
  else
    status = print_answers(model, count, typed, &found);
out:
  free(found.user);
  free(found.best);
  free(found.score);
  return status;
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    fprintf(stderr, "usage: embed MODEL [USER ...]\n");
    return 2;
  }
  pqf_model *model = NULL;
  int status = pqf_load(&model, argv[1], PQF_LOAD_VERIFY);
  if (status != PQF_OK)
    fprintf(stderr, "embed: %s\n", pqf_error_message());
  else
    status = answer(model, argc - 2, argv + 2);
  pqf_free(model);
  return status == PQF_OK ? 0 : 1;
}
