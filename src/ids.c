/* Ids: numbers or texts in the order of the rows or columns that they name, and an index that finds
 * their place.
 *
 * The index is an open-addressing hash table with linear probing. It holds places (int32_t; -1: a
 * free slot), not ids: the ids themselves are looked at in the arrays, which may lie in a mapped
 * file. Ids that were copied have it from the start, because it is what finds duplicates. Borrowed
 * ids get it at the first search: each thread that finds none builds one, the first to finish
 * publishes its own with a compare-exchange, the others throw theirs away. So no search waits for
 * another one. */
#include "ids.h"

#include "error.h"
#include "hash.h"
#include "memory.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct pqf_ids {
  atomic_int_fast64_t references;
  int64_t count;
  const int64_t *numbers; /* NULL: texts */
  const char *bytes;      /* NULL: numbers */
  const int64_t *offset;
  int64_t *own_numbers; /* what is released with the ids; NULL: borrowed */
  char *own_bytes;
  int64_t *own_offset;
  int64_t slot_count; /* of the index, a power of two */
  pqf_hash_key key;
  _Atomic(int32_t *) slots; /* the index; NULL: not built yet */
};

static int new_ids(pqf_ids **out, int64_t count)
{
  if (count < 0 || count > INT32_MAX)
    return pqf_fail(PQF_EINVAL, "the number of ids is %" PRId64 ", not from 0 to %" PRId32, count,
                    INT32_MAX);
  pqf_ids *ids = pqf_allocate_zeroed(1, sizeof *ids);
  if (ids == NULL)
    return PQF_ENOMEM;
  atomic_init(&ids->references, 1);
  atomic_init(&ids->slots, NULL);
  ids->count = count;
  ids->slot_count = pqf_hash_slots(count);
  ids->key = pqf_hash_new_key();
  *out = ids;
  return PQF_OK;
}

static uint64_t hash(const pqf_ids *ids, const pqf_id *id)
{
  return id->text != NULL ? pqf_hash_bytes(ids->key, id->text, id->length)
                          : pqf_hash_number(ids->key, (uint64_t)id->number);
}

static int is_at(const pqf_ids *ids, int64_t place, const pqf_id *id)
{
  if (ids->numbers != NULL)
    return ids->numbers[place] == id->number;
  const int64_t length = ids->offset[place + 1] - ids->offset[place];
  return id->text != NULL && length == id->length &&
         memcmp(ids->bytes + ids->offset[place], id->text, (size_t)length) == 0;
}

/* Where the search for an id begins. */
static int64_t first_slot(const pqf_ids *ids, const pqf_id *id)
{
  return (int64_t)(hash(ids, id) & (uint64_t)(ids->slot_count - 1));
}

/* The slot that holds `id`, or the free one where it belongs; `slot` is that of first_slot(). */
static int64_t search_from(const pqf_ids *ids, const int32_t *slots, const pqf_id *id, int64_t slot)
{
  const int64_t mask = ids->slot_count - 1;
  while (slots[slot] >= 0 && !is_at(ids, slots[slot], id))
    slot = (slot + 1) & mask;
  return slot;
}

static int64_t find_slot(const pqf_ids *ids, const int32_t *slots, const pqf_id *id)
{
  return search_from(ids, slots, id, first_slot(ids, id));
}

/* Builds an index. Of an id that is there twice it finds the first place; `*second` is the second
 * place of one of these, or -1. NULL: no memory.
 *
 * Slots are in no order, so that each is a cache miss: they are fetched some ids ahead. */
static int32_t *build_index(const pqf_ids *ids, int64_t *second)
{
  enum { AHEAD = 16 };
  int64_t ahead[AHEAD] = {0};
  *second = -1;
  int32_t *slots = pqf_allocate(ids->slot_count, sizeof *slots);
  if (slots == NULL)
    return NULL;
  memset(slots, -1, (size_t)ids->slot_count * sizeof *slots);
  for (int64_t next = 0; next < ids->count + AHEAD; next++) {
    pqf_id id;
    const int64_t place = next - AHEAD;
    const int64_t from = ahead[next % AHEAD];
    if (next < ids->count) {
      pqf_ids_get(ids, next, &id);
      ahead[next % AHEAD] = first_slot(ids, &id);
      __builtin_prefetch(&slots[ahead[next % AHEAD]], 1);
    }
    if (place < 0)
      continue;
    pqf_ids_get(ids, place, &id);
    const int64_t slot = search_from(ids, slots, &id, from);
    if (slots[slot] < 0)
      slots[slot] = (int32_t)place;
    else if (*second < 0)
      *second = place;
  }
  return slots;
}

static int refuse_second(const pqf_ids *ids, const int32_t *slots, int64_t second)
{
  pqf_id id;
  char name[PQF_ID_NAME];
  pqf_ids_get(ids, second, &id);
  return pqf_fail(PQF_EINVAL, "id %s is given twice: at %" PRId32 " and at %" PRId64,
                  pqf_id_name(&id, name), slots[find_slot(ids, slots, &id)], second);
}

/* Builds the index of copied ids and refuses duplicates. */
static int index_copies(pqf_ids *ids)
{
  int64_t second;
  int32_t *slots = build_index(ids, &second);
  if (slots == NULL)
    return PQF_ENOMEM;
  atomic_store_explicit(&ids->slots, slots, memory_order_relaxed);
  return second < 0 ? PQF_OK : refuse_second(ids, slots, second);
}

int pqf_ids_from_numbers(pqf_ids **out, const int64_t *numbers, int64_t count)
{
  *out = NULL;
  pqf_ids *ids;
  int status = new_ids(&ids, count);
  if (status != PQF_OK)
    return status;
  status = PQF_ENOMEM;
  ids->own_numbers = pqf_allocate(count, sizeof *numbers);
  if (ids->own_numbers == NULL)
    goto out;
  if (count > 0)
    memcpy(ids->own_numbers, numbers, (size_t)count * sizeof *numbers);
  ids->numbers = ids->own_numbers;
  status = index_copies(ids);
out:
  if (status == PQF_OK)
    *out = ids;
  else
    pqf_ids_release(ids);
  return status;
}

static int check_texts(const pqf_ids *ids)
{
  for (int64_t n = 0; n < ids->count; n++) {
    const int64_t length = ids->offset[n + 1] - ids->offset[n];
    const int64_t fault = pqf_utf8_fault(ids->bytes + ids->offset[n], length);
    if (fault >= 0)
      return pqf_fail(PQF_EINVAL, "id %" PRId64 " is not text in UTF-8: byte %" PRId64 " is 0x%02x",
                      n, fault, (unsigned char)ids->bytes[ids->offset[n] + fault]);
  }
  return PQF_OK;
}

/* Checks the texts whose copies `ids` has been given, and indexes them. */
static int settle_texts(pqf_ids *ids)
{
  ids->bytes = ids->own_bytes;
  ids->offset = ids->own_offset;
  const int status = check_texts(ids);
  return status == PQF_OK ? index_copies(ids) : status;
}

int pqf_ids_from_texts(pqf_ids **out, const char *const *texts, int64_t count)
{
  *out = NULL;
  pqf_ids *ids;
  int status = new_ids(&ids, count);
  if (status != PQF_OK)
    return status;
  status = PQF_ENOMEM;
  ids->own_offset = pqf_allocate(count + 1, sizeof *ids->own_offset);
  if (ids->own_offset == NULL)
    goto out;
  ids->own_offset[0] = 0;
  for (int64_t n = 0; n < count; n++) {
    if (texts[n] == NULL) {
      status = pqf_fail(PQF_EINVAL, "id %" PRId64 " is NULL", n);
      goto out;
    }
    ids->own_offset[n + 1] = ids->own_offset[n] + (int64_t)strlen(texts[n]);
  }
  ids->own_bytes = pqf_allocate(ids->own_offset[count], 1);
  if (ids->own_bytes == NULL)
    goto out;
  for (int64_t n = 0; n < count; n++)
    memcpy(ids->own_bytes + ids->own_offset[n], texts[n],
           (size_t)(ids->own_offset[n + 1] - ids->own_offset[n]));
  status = settle_texts(ids);
out:
  if (status == PQF_OK)
    *out = ids;
  else
    pqf_ids_release(ids);
  return status;
}

int pqf_ids_from_bytes(pqf_ids **out, const char *bytes, const int64_t *offset, int64_t count)
{
  *out = NULL;
  pqf_ids *ids;
  int status = new_ids(&ids, count);
  if (status != PQF_OK)
    return status;
  status = PQF_ENOMEM;
  ids->own_offset = pqf_allocate(count + 1, sizeof *offset);
  if (ids->own_offset == NULL)
    goto out;
  ids->own_bytes = pqf_allocate(offset[count], 1);
  if (ids->own_bytes == NULL)
    goto out;
  memcpy(ids->own_offset, offset, (size_t)(count + 1) * sizeof *offset);
  if (offset[count] > 0)
    memcpy(ids->own_bytes, bytes, (size_t)offset[count]);
  status = settle_texts(ids);
out:
  if (status == PQF_OK)
    *out = ids;
  else
    pqf_ids_release(ids);
  return status;
}

int pqf_ids_borrow(pqf_ids **out, const int64_t *numbers, const char *bytes, const int64_t *offset,
                   int64_t count)
{
  *out = NULL;
  pqf_ids *ids;
  const int status = new_ids(&ids, count);
  if (status != PQF_OK)
    return status;
  ids->numbers = numbers;
  ids->bytes = bytes;
  ids->offset = offset;
  *out = ids;
  return PQF_OK;
}

pqf_ids *pqf_ids_share(pqf_ids *ids)
{
  if (ids != NULL)
    atomic_fetch_add_explicit(&ids->references, 1, memory_order_relaxed);
  return ids;
}

void pqf_ids_release(pqf_ids *ids)
{
  if (ids == NULL || atomic_fetch_sub_explicit(&ids->references, 1, memory_order_acq_rel) > 1)
    return;
  pqf_release(ids->own_numbers);
  pqf_release(ids->own_bytes);
  pqf_release(ids->own_offset);
  pqf_release(atomic_load_explicit(&ids->slots, memory_order_relaxed));
  pqf_release(ids);
}

int32_t pqf_ids_kind(const pqf_ids *ids)
{
  if (ids == NULL)
    return PQF_IDS_NONE;
  return ids->numbers != NULL ? PQF_IDS_NUMBERS : PQF_IDS_TEXTS;
}

int64_t pqf_ids_count(const pqf_ids *ids)
{
  return ids != NULL ? ids->count : 0;
}

const int64_t *pqf_ids_numbers(const pqf_ids *ids)
{
  return ids != NULL ? ids->numbers : NULL;
}

const char *pqf_ids_bytes(const pqf_ids *ids)
{
  return ids != NULL ? ids->bytes : NULL;
}

const int64_t *pqf_ids_offsets(const pqf_ids *ids)
{
  return ids != NULL ? ids->offset : NULL;
}

void pqf_ids_get(const pqf_ids *ids, int64_t index, pqf_id *out)
{
  *out = (pqf_id){NULL, 0, index};
  if (ids == NULL)
    return;
  if (ids->numbers != NULL)
    out->number = ids->numbers[index];
  else
    *out =
        (pqf_id){ids->bytes + ids->offset[index], ids->offset[index + 1] - ids->offset[index], 0};
}

const char *pqf_id_name(const pqf_id *id, char out[PQF_ID_NAME])
{
  if (id->text == NULL) {
    snprintf(out, PQF_ID_NAME, "%" PRId64, id->number);
    return out;
  }
  const int64_t room = PQF_ID_NAME - 6; /* the quotes, the dots and NUL */
  int64_t shown = id->length <= room ? id->length : room;
  while (shown < id->length && shown > 0 && ((unsigned char)id->text[shown] & 0xc0) == 0x80)
    shown--; /* not in the middle of a character */
  snprintf(out, PQF_ID_NAME, "\"%.*s%s\"", (int)shown, id->text, shown < id->length ? "..." : "");
  return out;
}

/* The index, built if this is the first search. NULL: no memory. */
static const int32_t *get_index(const pqf_ids *ids)
{
  /* Ids are allocated without const; the index is their one part that changes. */
  _Atomic(int32_t *) *published = &((pqf_ids *)ids)->slots;
  int32_t *slots = atomic_load_explicit(published, memory_order_acquire);
  if (slots != NULL)
    return slots;
  int64_t second;
  int32_t *built = build_index(ids, &second);
  if (built == NULL)
    return NULL;
  if (atomic_compare_exchange_strong_explicit(published, &slots, built, memory_order_acq_rel,
                                              memory_order_acquire))
    return built;
  pqf_release(built);
  return slots;
}

int pqf_ids_check(const pqf_ids *ids)
{
  if (ids == NULL || ids->own_numbers != NULL || ids->own_bytes != NULL)
    return PQF_OK;
  const int status = ids->numbers == NULL ? check_texts(ids) : PQF_OK;
  if (status != PQF_OK)
    return status;
  const int32_t *slots = get_index(ids);
  if (slots == NULL)
    return PQF_ENOMEM;
  for (int64_t place = 0; place < ids->count; place++) {
    pqf_id id;
    pqf_ids_get(ids, place, &id);
    if (slots[find_slot(ids, slots, &id)] != place)
      return refuse_second(ids, slots, place);
  }
  return PQF_OK;
}

int64_t pqf_ids_first_difference(const pqf_ids *a, const pqf_ids *b, int64_t count)
{
  if (a == b)
    return -1;
  for (int64_t n = 0; n < count; n++) {
    pqf_id x;
    pqf_id y;
    pqf_ids_get(a, n, &x);
    pqf_ids_get(b, n, &y);
    const int same = x.text == NULL || y.text == NULL
                         ? x.text == y.text && x.number == y.number
                         : x.length == y.length && memcmp(x.text, y.text, (size_t)x.length) == 0;
    if (!same)
      return n;
  }
  return -1;
}

int pqf_ids_look_up(const pqf_ids *ids, int64_t count, const pqf_id *id, int32_t *out)
{
  if (ids == NULL) {
    if (id->text != NULL || id->number < 0 || id->number >= count)
      return PQF_ENOTFOUND;
    *out = (int32_t)id->number;
    return PQF_OK;
  }
  if ((id->text == NULL) != (ids->numbers != NULL))
    return PQF_ENOTFOUND;
  const int32_t *slots = get_index(ids);
  if (slots == NULL)
    return PQF_ENOMEM;
  const int32_t place = slots[find_slot(ids, slots, id)];
  if (place < 0)
    return PQF_ENOTFOUND;
  *out = place;
  return PQF_OK;
}

int pqf_ids_find(const pqf_ids *ids, int64_t count, const pqf_id *id, int32_t *out)
{
  if (id->text != NULL && id->length < 0)
    return pqf_fail(PQF_EINVAL, "the length of the id is %" PRId64, id->length);
  const int status = pqf_ids_look_up(ids, count, id, out);
  char name[PQF_ID_NAME];
  return status == PQF_ENOTFOUND ? pqf_fail(status, "no id %s", pqf_id_name(id, name)) : status;
}
