/* Ids that are still being collected. */
#ifndef PQF_SRC_ID_POOL_H
#define PQF_SRC_ID_POOL_H

#include "hash.h"
#include "ids.h"

/* Starts as {.kind = ...} with all else zero. */
typedef struct pqf_id_pool {
  int32_t kind; /* PQF_IDS_NUMBERS or PQF_IDS_TEXTS */
  int64_t count;
  int64_t capacity;
  int64_t *numbers; /* NULL while there are none, or texts */
  int64_t *offset;  /* text n is bytes[offset[n] .. offset[n + 1]) */
  char *bytes;
  int64_t byte_capacity;
  int64_t slot_count; /* of the hash index that pqf_id_pool_place() uses, 0 or a power of two */
  int32_t *slots;     /* places, -1: free */
  pqf_hash_key key;   /* of that index */
} pqf_id_pool;

/* Appends an id, there already or not. */
int pqf_id_pool_append(pqf_id_pool *pool, const pqf_id *id);

/* The place of an id, which is appended if it is new. */
int pqf_id_pool_place(pqf_id_pool *pool, const pqf_id *id, int32_t *out);

/* Puts ids that are all different in ascending order: numbers by value, texts by bytes. `*rank`
 * tells the new place of each; release it. */
int pqf_id_pool_sort(pqf_id_pool *pool, int32_t **rank);

/* Makes ids of the pool's; NULL where these are the numbers 0, 1, 2, ... in order. */
int pqf_id_pool_ids(const pqf_id_pool *pool, pqf_ids **out);

/* Bytes that the pool holds. */
uint64_t pqf_id_pool_bytes(const pqf_id_pool *pool);

/* Releases what the pool holds. */
void pqf_id_pool_clear(pqf_id_pool *pool);

#endif
