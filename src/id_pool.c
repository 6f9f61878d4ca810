/* Ids met one after the other in a table: kept in growing arrays, found again by a growing hash
 * index (open addressing, at most two thirds full), and at the end put in order. */
#include "id_pool.h"

#include "error.h"
#include "hash.h"
#include "memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int64_t larger(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

/* Makes room for one id more, of `length` bytes if it is a text. */
static int grow(pqf_id_pool *pool, int64_t length)
{
  if (pool->count == INT32_MAX)
    return pqf_fail(PQF_EINVAL, "there are more than %" PRId32 " ids", INT32_MAX);
  const int texts = pool->kind == PQF_IDS_TEXTS;
  if (pool->count == pool->capacity) {
    const int64_t capacity = larger(64, 2 * pool->capacity);
    int64_t **array = texts ? &pool->offset : &pool->numbers;
    const size_t used = *array != NULL ? (size_t)pool->count + (texts ? 1 : 0) : 0;
    int64_t *grown = pqf_reallocate(*array, used * sizeof **array, capacity + 1, sizeof **array);
    if (grown == NULL)
      return PQF_ENOMEM;
    grown[used] = 0; /* the first offset */
    *array = grown;
    pool->capacity = capacity;
  }
  if (texts && (pool->bytes == NULL || length > pool->byte_capacity - pool->offset[pool->count])) {
    const int64_t used = pool->offset[pool->count];
    const int64_t capacity = larger(1024, larger(2 * pool->byte_capacity, used + length));
    char *grown = pqf_reallocate(pool->bytes, (size_t)used, capacity, 1);
    if (grown == NULL)
      return PQF_ENOMEM;
    pool->bytes = grown;
    pool->byte_capacity = capacity;
  }
  return PQF_OK;
}

int pqf_id_pool_append(pqf_id_pool *pool, const pqf_id *id)
{
  const int status = grow(pool, id->length);
  if (status != PQF_OK)
    return status;
  if (pool->kind != PQF_IDS_TEXTS) {
    pool->numbers[pool->count] = id->number;
  } else {
    const int64_t begin = pool->offset[pool->count];
    if (id->length > 0)
      memcpy(pool->bytes + begin, id->text, (size_t)id->length);
    pool->offset[pool->count + 1] = begin + id->length;
  }
  pool->count++;
  return PQF_OK;
}

static pqf_id get(const pqf_id_pool *pool, int64_t place)
{
  if (pool->kind == PQF_IDS_NUMBERS)
    return (pqf_id){NULL, 0, pool->numbers[place]};
  const int64_t begin = pool->offset[place];
  return (pqf_id){pool->bytes != NULL ? pool->bytes + begin : "", pool->offset[place + 1] - begin,
                  0};
}

/* By value, or by bytes; less than, equal to or more than 0. */
static int compare(const pqf_id *a, const pqf_id *b)
{
  if (a->text == NULL)
    return (a->number > b->number) - (a->number < b->number);
  const int64_t common = a->length < b->length ? a->length : b->length;
  const int order = common > 0 ? memcmp(a->text, b->text, (size_t)common) : 0;
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int64_t find_slot(const pqf_id_pool *pool, const int32_t *slots, int64_t slot_count,
                         const pqf_id *id)
{
  const uint64_t hash = pool->kind == PQF_IDS_TEXTS
                            ? pqf_hash_bytes(pool->key, id->text, id->length)
                            : pqf_hash_number(pool->key, (uint64_t)id->number);
  int64_t slot = (int64_t)(hash & (uint64_t)(slot_count - 1));
  while (slots[slot] >= 0) {
    const pqf_id there = get(pool, slots[slot]);
    if (compare(&there, id) == 0)
      break;
    slot = (slot + 1) & (slot_count - 1);
  }
  return slot;
}

/* Keeps the index at most two thirds full with one id more. */
static int grow_index(pqf_id_pool *pool)
{
  const int64_t count = pool->count + 1;
  if (count + count / 2 <= pool->slot_count)
    return PQF_OK;
  const int64_t slot_count = pqf_hash_slots(count);
  int32_t *slots = pqf_allocate(slot_count, sizeof *slots);
  if (slots == NULL)
    return PQF_ENOMEM;
  memset(slots, -1, (size_t)slot_count * sizeof *slots);
  if (pool->slot_count == 0)
    pool->key = pqf_hash_new_key();
  for (int64_t place = 0; place < pool->count; place++) {
    const pqf_id id = get(pool, place);
    slots[find_slot(pool, slots, slot_count, &id)] = (int32_t)place;
  }
  pqf_release(pool->slots);
  pool->slots = slots;
  pool->slot_count = slot_count;
  return PQF_OK;
}

int pqf_id_pool_place(pqf_id_pool *pool, const pqf_id *id, int32_t *out)
{
  int status = grow_index(pool);
  if (status != PQF_OK)
    return status;
  const int64_t slot = find_slot(pool, pool->slots, pool->slot_count, id);
  if (pool->slots[slot] < 0) {
    status = pqf_id_pool_append(pool, id);
    if (status != PQF_OK)
      return status;
    pool->slots[slot] = (int32_t)(pool->count - 1);
  }
  *out = pool->slots[slot];
  return PQF_OK;
}

typedef struct entry {
  pqf_id id;
  int64_t place;
} entry;

static int compare_entries(const void *a, const void *b)
{
  return compare(&((const entry *)a)->id, &((const entry *)b)->id);
}

/* The pool's arrays anew, in the order of `entries`, which point into the old ones. */
static int rewrite(pqf_id_pool *pool, const entry *entries)
{
  pqf_id_pool sorted = {.kind = pool->kind};
  for (int64_t n = 0; n < pool->count; n++) {
    const int status = pqf_id_pool_append(&sorted, &entries[n].id);
    if (status != PQF_OK) {
      pqf_id_pool_clear(&sorted);
      return status;
    }
  }
  pqf_id_pool_clear(pool);
  *pool = sorted;
  return PQF_OK;
}

int pqf_id_pool_sort(pqf_id_pool *pool, int32_t **rank)
{
  *rank = NULL;
  int status = PQF_ENOMEM;
  int32_t *places = pqf_allocate(pool->count, sizeof *places);
  entry *entries = pqf_allocate(pool->count, sizeof *entries);
  if (places == NULL || entries == NULL)
    goto out;
  for (int64_t n = 0; n < pool->count; n++)
    entries[n] = (entry){get(pool, n), n};
  qsort(entries, (size_t)pool->count, sizeof *entries, compare_entries);
  for (int64_t n = 0; n < pool->count; n++)
    places[entries[n].place] = (int32_t)n;
  status = rewrite(pool, entries);
out:
  pqf_release(entries);
  if (status == PQF_OK)
    *rank = places;
  else
    pqf_release(places);
  return status;
}

int pqf_id_pool_ids(const pqf_id_pool *pool, pqf_ids **out)
{
  *out = NULL;
  if (pool->kind == PQF_IDS_TEXTS) {
    static const int64_t none = 0;
    return pqf_ids_from_bytes(out, pool->bytes, pool->count > 0 ? pool->offset : &none,
                              pool->count);
  }
  int64_t n = 0;
  while (n < pool->count && pool->numbers[n] == n)
    n++;
  return n == pool->count ? PQF_OK : pqf_ids_from_numbers(out, pool->numbers, pool->count);
}

uint64_t pqf_id_pool_bytes(const pqf_id_pool *pool)
{
  return (uint64_t)pool->capacity * sizeof *pool->numbers + (uint64_t)pool->byte_capacity +
         (uint64_t)pool->slot_count * sizeof *pool->slots;
}

void pqf_id_pool_clear(pqf_id_pool *pool)
{
  pqf_release(pool->numbers);
  pqf_release(pool->offset);
  pqf_release(pool->bytes);
  pqf_release(pool->slots);
  *pool = (pqf_id_pool){.kind = pool->kind};
}
