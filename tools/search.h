/* The options that `pqf tune` tries. An axis is an option with the values to try: some of them, or
 * a range to draw from. */
#ifndef PQF_TOOLS_SEARCH_H
#define PQF_TOOLS_SEARCH_H

#include "arguments.h"

enum { PQF_MOST_AXES = 16, PQF_VALUE_TEXT = 64 };

typedef struct pqf_search_axis {
  pqf_option option;
  char *text;   /* owned: the values, each ended by NUL */
  char **value; /* owned: where each begins; NULL: a range */
  int64_t count;
  double low;
  double high;
} pqf_search_axis;

typedef struct pqf_search {
  pqf_search_axis axes[PQF_MOST_AXES];
  int axis_count;
  int64_t tries;
  bool random;
  uint64_t state; /* of the generator */
} pqf_search;

/* One try: the text of each axis's value. */
typedef struct pqf_try {
  char value[PQF_MOST_AXES][PQF_VALUE_TEXT];
} pqf_try;

/* Reads --grid, --range and --random of the arguments; draws go by the seed of their options.
 * PQF_EXIT_USAGE: something is wrong with them. Clear it in any case. */
int pqf_search_read(pqf_search *search, const pqf_arguments *arguments);
void pqf_search_clear(pqf_search *search);

/* The n-th try, which has to be asked for in order: of a grid the last axis changes fastest; random
 * ones are drawn, from ranges evenly on a logarithmic scale. */
void pqf_search_next(pqf_search *search, int64_t n, pqf_try *out);

/* Sets the options of a try, whose texts are borrowed. */
int pqf_search_set(const pqf_search *search, const pqf_try *from, pqf_options *options);

#endif
