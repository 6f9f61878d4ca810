/* Ids of one side, numbered in the order in which they are added. */
#ifndef PQF_TOOLS_ID_MAP_H
#define PQF_TOOLS_ID_MAP_H

#include "../src/hash.h"
#include "pqf.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A zeroed struct is an empty map. Ids are numbers as long as every id that was added reads as an
 * integer; the first that does not makes texts of them all. */
typedef struct pqf_id_map {
  int32_t kind;    /* PQF_IDS_NONE: empty */
  bool texts_only; /* set by the owner of an empty map: integers are texts too */
  int64_t count;
  int64_t capacity;
  int64_t *numbers; /* PQF_IDS_NUMBERS */
  int64_t *offsets; /* PQF_IDS_TEXTS: where each begins in `bytes` */
  char *bytes;      /* the texts, each ended by NUL */
  int64_t byte_count;
  int64_t byte_capacity;
  int32_t *slots; /* hash table of indices, -1 where empty */
  int64_t slot_count;
  pqf_hash_key key; /* of that table, drawn with its first slots */
} pqf_id_map;

void pqf_id_map_clear(pqf_id_map *map);

/* Finds an id, or adds it: its index goes to `out`. */
int pqf_id_map_add_text(pqf_id_map *map, const char *text, int64_t length, int32_t *out);
int pqf_id_map_add_number(pqf_id_map *map, int64_t number, int32_t *out);
int pqf_id_map_add(pqf_id_map *map, const pqf_id *id, int32_t *out);

/* The index of an id, or -1. A number and the text that prints it are the same id. */
int32_t pqf_id_map_find(const pqf_id_map *map, const pqf_id *id);

/* The id of an index, which is in range. */
void pqf_id_map_get(const pqf_id_map *map, int64_t index, pqf_id *out);

/* Puts the ids in ascending order, numbers by value and texts by bytes; rank[old index] (count
 * entries) is the new index. */
int pqf_id_map_sort(pqf_id_map *map, int32_t *rank);

/* Whether the ids are 0, 1, 2, ... in order, and so say nothing. */
bool pqf_id_map_is_plain(const pqf_id_map *map);

/* Gives the ids to data; nothing if there are none or they are plain. */
int pqf_id_map_give(const pqf_id_map *map, pqf_data *data, int32_t side);

/* Writes an id for words or a file: cut like snprintf, whose result it returns. */
int pqf_id_print(const pqf_id *id, char *out, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
