/* Ids of rows or columns, and the index that finds them: immutable and shared. */
#ifndef PQF_SRC_IDS_H
#define PQF_SRC_IDS_H

#include "pqf.h"

/* Either numbers, or texts that lie one behind the other: text n is
 * bytes[offset[n] .. offset[n + 1]). */
typedef struct pqf_ids pqf_ids;

/* Copies. Duplicates are refused. The result has one reference. */
int pqf_ids_from_numbers(pqf_ids **out, const int64_t *numbers, int64_t count);
int pqf_ids_from_texts(pqf_ids **out, const char *const *texts, int64_t count);

/* Takes texts as one block; `offset` has count + 1 entries, the first 0. Must be valid UTF-8. */
int pqf_ids_from_bytes(pqf_ids **out, const char *bytes, const int64_t *offset, int64_t count);

/* Borrows memory that outlives the ids (a mapped file); the caller has checked that offsets ascend
 * from 0. The index is built by the first search; texts are not checked. Exactly one of `numbers`
 * and `bytes` is given. */
int pqf_ids_borrow(pqf_ids **out, const int64_t *numbers, const char *bytes, const int64_t *offset,
                   int64_t count);

/* Checks of borrowed ids what is checked of copied ones at once: that they differ, and that texts
 * are UTF-8; PQF_EINVAL. NULL is allowed. Many threads at once. */
int pqf_ids_check(const pqf_ids *ids);

/* One reference more, one less; NULL is allowed and stays NULL. Thread-safe. */
pqf_ids *pqf_ids_share(pqf_ids *ids);
void pqf_ids_release(pqf_ids *ids);

int32_t pqf_ids_kind(const pqf_ids *ids); /* PQF_IDS_NONE for NULL */
int64_t pqf_ids_count(const pqf_ids *ids);
const int64_t *pqf_ids_numbers(const pqf_ids *ids); /* NULL: texts */
const char *pqf_ids_bytes(const pqf_ids *ids);      /* NULL: numbers */
const int64_t *pqf_ids_offsets(const pqf_ids *ids); /* NULL: numbers */

/* `ids` NULL: the index is the id. The index must be in range. */
void pqf_ids_get(const pqf_ids *ids, int64_t index, pqf_id *out);

/* An id for words: 17 or "text", cut where it is long; gives `out`. */
enum { PQF_ID_NAME = 100 };
const char *pqf_id_name(const pqf_id *id, char out[PQF_ID_NAME]);

/* The first of `count` indices whose ids differ; -1: none. NULL: the index is the id. */
int64_t pqf_ids_first_difference(const pqf_ids *a, const pqf_ids *b, int64_t count);

/* As pqf_ids_find(), of an id of any kind; sets no error message where there is none. */
int pqf_ids_look_up(const pqf_ids *ids, int64_t count, const pqf_id *id, int32_t *out);

/* `ids` NULL: numbers from 0 to count - 1. Many threads at once; takes no lock. PQF_ENOTFOUND,
 * PQF_ENOMEM. */
int pqf_ids_find(const pqf_ids *ids, int64_t count, const pqf_id *id, int32_t *out);

#endif
