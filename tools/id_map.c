/* Open addressing over indices: slots hold the index of an id and are searched from its hash
 * onwards; at most half of them are taken.
 *
 * An integer is an id as it is printed, so that 7 and "7" may stand for each other and "007" is a
 * text: turning the numbers seen so far into texts loses nothing. */
#include "id_map.h"

#include "failure.h"
#include "number.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256, NUMBER_TEXT = 24 };

void pqf_id_map_clear(pqf_id_map *map)
{
  free(map->numbers);
  free(map->offsets);
  free(map->bytes);
  free(map->slots);
  *map = (pqf_id_map){0};
}

static uint64_t hash(const pqf_id_map *map, const pqf_id *id)
{
  return id->text != NULL ? pqf_hash_bytes(map->key, id->text, id->length)
                          : pqf_hash_number(map->key, (uint64_t)id->number);
}

void pqf_id_map_get(const pqf_id_map *map, int64_t index, pqf_id *out)
{
  *out = (pqf_id){0};
  if (map->kind == PQF_IDS_NUMBERS) {
    out->number = map->numbers[index];
    return;
  }
  const int64_t end = index + 1 < map->count ? map->offsets[index + 1] : map->byte_count;
  out->text = map->bytes + map->offsets[index];
  out->length = end - map->offsets[index] - 1;
}

static bool same(const pqf_id *a, const pqf_id *b)
{
  if (a->text == NULL || b->text == NULL)
    return a->text == b->text && a->number == b->number;
  return a->length == b->length && memcmp(a->text, b->text, (size_t)a->length) == 0;
}

/* The slot of an id of the map's kind, or the empty one where it belongs. */
static int64_t find_slot(const pqf_id_map *map, const pqf_id *id)
{
  const int64_t mask = map->slot_count - 1;
  int64_t slot = (int64_t)(hash(map, id) & (uint64_t)mask);
  for (; map->slots[slot] >= 0; slot = (slot + 1) & mask) {
    pqf_id there;
    pqf_id_map_get(map, map->slots[slot], &there);
    if (same(&there, id))
      break;
  }
  return slot;
}

static int build_slots(pqf_id_map *map, int64_t slot_count)
{
  int32_t *slots = pqf_resize(map->slots, slot_count, sizeof *slots);
  if (slots == NULL)
    return PQF_ENOMEM;
  map->slots = slots;
  if (map->slot_count == 0)
    map->key = pqf_hash_new_key();
  map->slot_count = slot_count;
  memset(slots, 0xff, (size_t)slot_count * sizeof *slots);
  for (int64_t index = 0; index < map->count; ++index) {
    pqf_id id;
    pqf_id_map_get(map, index, &id);
    slots[find_slot(map, &id)] = (int32_t)index;
  }
  return PQF_OK;
}

static int append_text(pqf_id_map *map, const char *text, int64_t length)
{
  char *bytes =
      pqf_grow(map->bytes, &map->byte_capacity, map->byte_count + length + 1, sizeof *bytes);
  if (bytes == NULL)
    return PQF_ENOMEM;
  map->bytes = bytes;
  assert(text != NULL);
  memcpy(bytes + map->byte_count, text, (size_t)length);
  bytes[map->byte_count + length] = '\0';
  map->offsets[map->count++] = map->byte_count;
  map->byte_count += length + 1;
  return PQF_OK;
}

static int make_texts(pqf_id_map *map)
{
  const int64_t count = map->count;
  if (map->kind == PQF_IDS_NUMBERS) {
    int64_t *offsets = pqf_resize(NULL, map->capacity, sizeof *offsets);
    if (offsets == NULL)
      return PQF_ENOMEM;
    map->offsets = offsets;
  }
  map->kind = PQF_IDS_TEXTS;
  map->count = 0;
  for (int64_t index = 0; index < count; ++index) {
    char text[NUMBER_TEXT];
    const int length = snprintf(text, sizeof text, "%" PRId64, map->numbers[index]);
    const int status = append_text(map, text, length);
    if (status != PQF_OK)
      return status;
  }
  free(map->numbers);
  map->numbers = NULL;
  return map->slot_count > 0 ? build_slots(map, map->slot_count) : PQF_OK;
}

static int reserve(pqf_id_map *map)
{
  if (map->count == INT32_MAX)
    return pqf_say(PQF_EINVAL, "more than %d different ids", INT32_MAX);
  int64_t capacity = map->capacity;
  if (map->kind == PQF_IDS_NUMBERS) {
    int64_t *numbers = pqf_grow(map->numbers, &capacity, map->count + 1, sizeof *numbers);
    if (numbers == NULL)
      return PQF_ENOMEM;
    map->numbers = numbers;
  } else {
    int64_t *offsets = pqf_grow(map->offsets, &capacity, map->count + 1, sizeof *offsets);
    if (offsets == NULL)
      return PQF_ENOMEM;
    map->offsets = offsets;
  }
  map->capacity = capacity;
  if (2 * (map->count + 1) <= map->slot_count)
    return PQF_OK;
  return build_slots(map, map->slot_count > 0 ? 2 * map->slot_count : FIRST_SLOTS);
}

/* Adds an id of the map's kind. */
static int add(pqf_id_map *map, const pqf_id *id, int32_t *out)
{
  int status = reserve(map);
  if (status != PQF_OK)
    return status;
  const int64_t slot = find_slot(map, id);
  if (map->slots[slot] < 0) {
    const int32_t index = (int32_t)map->count;
    if (map->kind == PQF_IDS_NUMBERS) {
      assert(map->numbers != NULL); /* reserve() made room */
      map->numbers[map->count++] = id->number;
    } else {
      status = append_text(map, id->text, id->length);
    }
    if (status != PQF_OK)
      return status;
    map->slots[slot] = index;
  }
  *out = map->slots[slot];
  return PQF_OK;
}

int pqf_id_map_add_number(pqf_id_map *map, int64_t number, int32_t *out)
{
  if (map->kind == PQF_IDS_NONE && !map->texts_only)
    map->kind = PQF_IDS_NUMBERS;
  if (map->kind == PQF_IDS_NUMBERS)
    return add(map, &(pqf_id){.number = number}, out);
  char text[NUMBER_TEXT];
  const int length = snprintf(text, sizeof text, "%" PRId64, number);
  map->kind = PQF_IDS_TEXTS;
  return add(map, &(pqf_id){.text = text, .length = length}, out);
}

int pqf_id_map_add_text(pqf_id_map *map, const char *text, int64_t length, int32_t *out)
{
  int64_t number;
  if (memchr(text, '\0', (size_t)length) != NULL)
    return pqf_say(PQF_EINVAL, "an id with a zero byte in it: \"%.60s...\"", text);
  if (map->kind != PQF_IDS_TEXTS) {
    if (!map->texts_only && pqf_integer_read(text, (size_t)length, &number))
      return pqf_id_map_add_number(map, number, out);
    const int status = make_texts(map);
    if (status != PQF_OK)
      return status;
  }
  return add(map, &(pqf_id){.text = text, .length = length}, out);
}

int pqf_id_map_add(pqf_id_map *map, const pqf_id *id, int32_t *out)
{
  return id->text == NULL ? pqf_id_map_add_number(map, id->number, out)
                          : pqf_id_map_add_text(map, id->text, id->length, out);
}

int32_t pqf_id_map_find(const pqf_id_map *map, const pqf_id *id)
{
  pqf_id wanted = *id;
  char text[NUMBER_TEXT];
  if (map->count == 0)
    return -1;
  if (map->kind == PQF_IDS_NUMBERS && id->text != NULL) {
    if (!pqf_integer_read(id->text, (size_t)id->length, &wanted.number))
      return -1;
    wanted.text = NULL;
  } else if (map->kind == PQF_IDS_TEXTS && id->text == NULL) {
    wanted.length = snprintf(text, sizeof text, "%" PRId64, id->number);
    wanted.text = text;
  }
  return map->slots[find_slot(map, &wanted)];
}

typedef struct pqf_sorted {
  pqf_id id;
  int32_t index;
} pqf_sorted;

static int compare(const void *left, const void *right)
{
  const pqf_id *a = &((const pqf_sorted *)left)->id;
  const pqf_id *b = &((const pqf_sorted *)right)->id;
  if (a->text == NULL)
    return (a->number > b->number) - (a->number < b->number);
  const int64_t shorter = a->length < b->length ? a->length : b->length;
  const int order = memcmp(a->text, b->text, (size_t)shorter);
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

int pqf_id_map_sort(pqf_id_map *map, int32_t *rank)
{
  int status = PQF_ENOMEM;
  pqf_id_map sorted = {.texts_only = map->kind == PQF_IDS_TEXTS};
  pqf_sorted *order = pqf_resize(NULL, map->count, sizeof *order);
  if (order == NULL)
    goto out;
  for (int64_t index = 0; index < map->count; ++index) {
    pqf_id_map_get(map, index, &order[index].id);
    order[index].index = (int32_t)index;
  }
  qsort(order, (size_t)map->count, sizeof *order, compare);
  for (int64_t place = 0; place < map->count; ++place) {
    status = pqf_id_map_add(&sorted, &order[place].id, &rank[order[place].index]);
    if (status != PQF_OK)
      goto out;
  }
  status = PQF_OK;
  pqf_id_map_clear(map);
  *map = sorted;
  sorted = (pqf_id_map){0};
out:
  pqf_id_map_clear(&sorted);
  free(order);
  return status;
}

bool pqf_id_map_is_plain(const pqf_id_map *map)
{
  if (map->kind == PQF_IDS_TEXTS)
    return false;
  for (int64_t index = 0; index < map->count; ++index)
    if (map->numbers[index] != index)
      return false;
  return true;
}

int pqf_id_map_give(const pqf_id_map *map, pqf_data *data, int32_t side)
{
  if (pqf_id_map_is_plain(map))
    return PQF_OK;
  const char **texts = NULL;
  int status = PQF_ENOMEM;
  if (map->kind == PQF_IDS_TEXTS) {
    texts = pqf_resize(NULL, map->count, sizeof *texts);
    if (texts == NULL)
      goto out;
    for (int64_t index = 0; index < map->count; ++index)
      texts[index] = map->bytes + map->offsets[index];
  }
  status = pqf_data_set_ids(data, side, map->count, map->numbers, texts);
  if (status != PQF_OK)
    (void)pqf_say(status, "%s", pqf_error_message());
out:
  free(texts);
  return status;
}

int pqf_id_print(const pqf_id *id, char *out, size_t capacity)
{
  if (id->text == NULL)
    return snprintf(out, capacity, "%" PRId64, id->number);
  const int64_t most = 200; /* enough to recognise it */
  const int length = (int)(id->length < most ? id->length : most);
  return snprintf(out, capacity, "\"%.*s%s\"", length, id->text, id->length > most ? "..." : "");
}
