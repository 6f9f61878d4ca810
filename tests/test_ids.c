/* Ids: copies and borrowed ones, the index that finds them, and what is no UTF-8. */
#include "suites.h"
#include "test.h"

#include "escape.h"
#include "hash.h"
#include "ids.h"
#include "memory.h"
#include "utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MANY = 100000 };

static pqf_id number_id(int64_t number)
{
  return (pqf_id){NULL, 0, number};
}

static pqf_id text_id(const char *text)
{
  return (pqf_id){text, (int64_t)strlen(text), 0};
}

static void numbers_are_copied_and_found(void)
{
  int64_t numbers[] = {7, -3, INT64_MAX, 0, INT64_MIN};
  pqf_ids *ids;
  REQUIRE_OK(pqf_ids_from_numbers(&ids, numbers, 5));
  numbers[0] = 8;
  CU_ASSERT_EQUAL(pqf_ids_kind(ids), PQF_IDS_NUMBERS);
  CU_ASSERT_EQUAL(pqf_ids_count(ids), 5);
  CU_ASSERT_EQUAL(pqf_ids_numbers(ids)[0], 7);
  CU_ASSERT_PTR_NULL(pqf_ids_bytes(ids));
  CU_ASSERT_PTR_NULL(pqf_ids_offsets(ids));
  for (int32_t n = 0; n < 5; n++) {
    pqf_id id;
    int32_t place = -1;
    pqf_ids_get(ids, n, &id);
    CU_ASSERT_PTR_NULL(id.text);
    CHECK_OK(pqf_ids_find(ids, 5, &id, &place));
    CU_ASSERT_EQUAL(place, n);
  }
  int32_t place;
  const pqf_id absent = number_id(8);
  const pqf_id other_kind = text_id("7");
  CHECK_STATUS(pqf_ids_find(ids, 5, &absent, &place), PQF_ENOTFOUND);
  CHECK_WORDS("no id 8");
  CHECK_STATUS(pqf_ids_find(ids, 5, &other_kind, &place), PQF_ENOTFOUND);
  CHECK_WORDS("no id \"7\"");
  pqf_ids_release(ids);
}

static void texts_are_copied_and_found(void)
{
  char changing[] = "first";
  const char *const texts[] = {changing, "", "\xc3\xa9t\xc3\xa9", "firs", "a text of some length"};
  pqf_ids *ids;
  REQUIRE_OK(pqf_ids_from_texts(&ids, texts, 5));
  changing[0] = 'F';
  CU_ASSERT_EQUAL(pqf_ids_kind(ids), PQF_IDS_TEXTS);
  CU_ASSERT_PTR_NULL(pqf_ids_numbers(ids));
  CU_ASSERT_EQUAL(pqf_ids_offsets(ids)[5], 5 + 0 + 5 + 4 + 21);
  CU_ASSERT_EQUAL(memcmp(pqf_ids_bytes(ids), "first", 5), 0);
  for (int32_t n = 0; n < 5; n++) {
    pqf_id id;
    int32_t place = -1;
    pqf_ids_get(ids, n, &id);
    CU_ASSERT_PTR_NOT_NULL(id.text);
    CHECK_OK(pqf_ids_find(ids, 5, &id, &place));
    CU_ASSERT_EQUAL(place, n);
  }
  int32_t place;
  const pqf_id absent = text_id("First");
  const pqf_id other_kind = number_id(0);
  const pqf_id broken = {"first", -1, 0};
  CHECK_STATUS(pqf_ids_find(ids, 5, &absent, &place), PQF_ENOTFOUND);
  CHECK_WORDS("no id \"First\"");
  CHECK_STATUS(pqf_ids_find(ids, 5, &other_kind, &place), PQF_ENOTFOUND);
  CHECK_STATUS(pqf_ids_find(ids, 5, &broken, &place), PQF_EINVAL);
  CHECK_WORDS("length of the id is -1");
  pqf_ids_release(ids);
}

static void no_ids_are_the_indices(void)
{
  pqf_id id;
  int32_t place = -1;
  pqf_ids_get(NULL, 41, &id);
  CU_ASSERT_EQUAL(id.number, 41);
  CU_ASSERT_PTR_NULL(id.text);
  CHECK_OK(pqf_ids_find(NULL, 42, &id, &place));
  CU_ASSERT_EQUAL(place, 41);
  CHECK_STATUS(pqf_ids_find(NULL, 41, &id, &place), PQF_ENOTFOUND);
  id.number = -1;
  CHECK_STATUS(pqf_ids_find(NULL, 41, &id, &place), PQF_ENOTFOUND);
  id = text_id("0");
  CHECK_STATUS(pqf_ids_find(NULL, 41, &id, &place), PQF_ENOTFOUND);
  CU_ASSERT_EQUAL(pqf_ids_kind(NULL), PQF_IDS_NONE);
  CU_ASSERT_EQUAL(pqf_ids_count(NULL), 0);
  CU_ASSERT_PTR_NULL(pqf_ids_numbers(NULL));
  CU_ASSERT_PTR_NULL(pqf_ids_bytes(NULL));
  CU_ASSERT_PTR_NULL(pqf_ids_offsets(NULL));
  CU_ASSERT_PTR_NULL(pqf_ids_share(NULL));
  pqf_ids_release(NULL);
}

static void empty_ids_hold_nothing(void)
{
  const int64_t none = 0;
  const pqf_id id = number_id(0);
  int32_t place;
  pqf_ids *ids;
  REQUIRE_OK(pqf_ids_from_numbers(&ids, NULL, 0));
  CHECK_STATUS(pqf_ids_find(ids, 0, &id, &place), PQF_ENOTFOUND);
  pqf_ids_release(ids);
  REQUIRE_OK(pqf_ids_from_bytes(&ids, NULL, &none, 0));
  CU_ASSERT_EQUAL(pqf_ids_count(ids), 0);
  pqf_ids_release(ids);
  CHECK_STATUS(pqf_ids_from_numbers(&ids, &none, -1), PQF_EINVAL);
  CHECK_STATUS(pqf_ids_from_numbers(&ids, &none, (int64_t)INT32_MAX + 1), PQF_EINVAL);
  CHECK_WORDS("number of ids is 2147483648");
  CU_ASSERT_PTR_NULL(ids);
}

static void duplicates_are_named(void)
{
  const int64_t numbers[] = {4, 17, 5, 17};
  const char *const texts[] = {"a", "bb", "bb", "a"};
  const char *const missing[] = {"a", NULL};
  pqf_ids *ids = NULL;
  CHECK_STATUS(pqf_ids_from_numbers(&ids, numbers, 4), PQF_EINVAL);
  CHECK_WORDS("id 17 is given twice: at 1 and at 3");
  CU_ASSERT_PTR_NULL(ids);
  CHECK_STATUS(pqf_ids_from_texts(&ids, texts, 4), PQF_EINVAL);
  CHECK_WORDS("id \"bb\" is given twice: at 1 and at 2");
  CHECK_STATUS(pqf_ids_from_texts(&ids, missing, 2), PQF_EINVAL);
  CHECK_WORDS("id 1 is NULL");
  const int64_t offset[] = {0, 2, 4};
  CHECK_STATUS(pqf_ids_from_bytes(&ids, "xyxy", offset, 2), PQF_EINVAL);
  CHECK_WORDS("id \"xy\" is given twice");
  CU_ASSERT_PTR_NULL(ids);
}

static void long_ids_are_cut_in_words(void)
{
  char text[301];
  char name[PQF_ID_NAME];
  for (int n = 0; n < 150; n++)
    memcpy(text + 2 * n, "\xc3\xa9", 2); /* of two bytes each, after one of one byte */
  text[0] = 'x';
  text[1] = 'x';
  for (int64_t start = 0; start < 2; start++) {
    const pqf_id id = {text + start, 300 - start, 0};
    pqf_id_name(&id, name);
    const int64_t length = (int64_t)strlen(name);
    CU_ASSERT(length < PQF_ID_NAME);
    CU_ASSERT_EQUAL(strcmp(name + length - 4, "...\""), 0);
    CU_ASSERT_EQUAL(pqf_utf8_fault(name, length), -1);
  }
  const pqf_id number = number_id(INT64_MIN);
  CU_ASSERT_STRING_EQUAL(pqf_id_name(&number, name), "-9223372036854775808");
}

static void names_are_escaped_in_messages(void)
{
  const char *const twice[] = {"a\x1b[31m\x07\n\xc2\x9b\xe2\x80\xae\xc3\xa9",
                               "a\x1b[31m\x07\n\xc2\x9b\xe2\x80\xae\xc3\xa9"};
  pqf_ids *ids;
  CHECK_STATUS(pqf_ids_from_texts(&ids, twice, 2), PQF_EINVAL);
  CHECK_WORDS("id \"a\\x1b[31m\\x07\\x0a\\u009b\\u202e\xc3\xa9\" is given twice");
}

static void escaped(const char *text, int is_cut, size_t capacity, const char *wanted)
{
  char out[64];
  pqf_escape(text, is_cut, out, capacity);
  CU_ASSERT_STRING_EQUAL(out, wanted);
}

static void text_is_escaped(void)
{
  escaped("", 0, 64, "");
  escaped("plain \\x1b", 0, 64, "plain \\x1b");
  escaped("\x01\x1f\x7f~", 0, 64, "\\x01\\x1f\\x7f~");
  escaped("\xc2\x80\xc2\x9f\xc2\xa0", 0, 64, "\\u0080\\u009f\xc2\xa0");
  escaped("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", 0, 64,
          "\\u061c\\u200e\\u200f\xe2\x80\x90");
  escaped("\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", 0, 64, "\\u2028\\u202e\xe2\x80\xaf");
  escaped("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", 0, 64,
          "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa");
  escaped("\xf0\x9f\x98\x80\xed\xa0\x80", 0, 64, "\xf0\x9f\x98\x80\\xed\\xa0\\x80");
  /* cut at whole characters, whoever cuts */
  escaped("ab\x1b", 0, 7, "ab\\x1b");
  escaped("ab\x1b", 0, 6, "ab");
  escaped("ab\xc3\xa9", 0, 4, "ab");
  escaped("ab\xe2\x80", 1, 64, "ab");
  escaped("ab\xe2\x80", 0, 64, "ab\\xe2\\x80");
  escaped("ab\xff", 1, 64, "ab\\xff");
}

static void utf8_is_checked(void)
{
  static const struct {
    const char *bytes;
    int64_t length;
    int64_t fault;
  } cases[] = {
      {"", 0, -1},
      {"plain", 5, -1},
      {"\x01\x7f", 2, -1},
      {"\xc2\x80\xdf\xbf", 4, -1},
      {"\xe0\xa0\x80\xe1\x80\xbf\xec\xbf\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 18, -1},
      {"\xf0\x90\x80\x80\xf1\x80\x80\x80\xf3\xbf\xbf\xbf\xf4\x8f\xbf\xbf", 16, -1},
      {"a\0b", 3, 1},                /* NUL */
      {"\x80", 1, 0},                /* no first byte */
      {"ab\xbf", 3, 2},              /* the same, later */
      {"\xc0\x80", 2, 0},            /* overlong */
      {"\xc1\xbf", 2, 0},            /* overlong */
      {"\xe0\x9f\xbf", 3, 0},        /* overlong */
      {"\xf0\x8f\xbf\xbf", 4, 0},    /* overlong */
      {"\xed\xa0\x80", 3, 0},        /* a surrogate */
      {"\xed\xbf\xbf", 3, 0},        /* a surrogate */
      {"\xf4\x90\x80\x80", 4, 0},    /* above 10FFFF */
      {"\xf5\x80\x80\x80", 4, 0},    /* above 10FFFF */
      {"\xff", 1, 0},                /* no first byte */
      {"\xc3", 1, 0},                /* cut */
      {"\xe2\x82", 2, 0},            /* cut */
      {"a\xf0\x9f\x98", 4, 1},       /* cut */
      {"\xc3z", 2, 0},               /* a second byte that is none */
      {"\xe2\x82z", 3, 0},           /* a third byte that is none */
      {"\xf0\x9f\x98\xc0", 4, 0},    /* a fourth byte that is none */
      {"\xe2\x82\xac\xe2\xac", 5, 3} /* the second character */
  };
  for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
    CU_ASSERT_EQUAL(pqf_utf8_fault(cases[n].bytes, cases[n].length), cases[n].fault);
    const int64_t offset[] = {0, cases[n].length};
    pqf_ids *ids;
    CHECK_STATUS(pqf_ids_from_bytes(&ids, cases[n].bytes, offset, 1),
                 cases[n].fault < 0 ? PQF_OK : PQF_EINVAL);
    pqf_ids_release(ids);
  }
  const char *const texts[] = {"a", "b\xff"};
  pqf_ids *ids;
  CHECK_STATUS(pqf_ids_from_texts(&ids, texts, 2), PQF_EINVAL);
  CHECK_WORDS("id 1 is not text in UTF-8: byte 1 is 0xff");
}

/* ---- Many ------------------------------------------------------------------------------------ */

typedef struct many {
  int64_t *numbers; /* different, in no order */
  int64_t *offset;
  char *bytes; /* the same as texts */
} many;

static many make_many(void)
{
  many all = {test_allocate(MANY, sizeof *all.numbers), test_allocate(MANY + 1, sizeof *all.offset),
              test_allocate((int64_t)MANY * 24, 1)};
  for (int64_t n = 0; n < MANY; n++) {
    all.numbers[n] = (int64_t)((uint64_t)n * 0x9e3779b97f4a7c15u); /* odd: no two are equal */
    all.offset[n + 1] =
        all.offset[n] + snprintf(all.bytes + all.offset[n], 24, "%lld", (long long)all.numbers[n]);
  }
  return all;
}

static void free_many(many *all)
{
  free(all->numbers);
  free(all->offset);
  free(all->bytes);
}

/* Searches every `step`-th id, and as many that are not there; the number of wrong answers. */
static int64_t search(const pqf_ids *ids, int64_t step)
{
  int64_t faults = 0;
  for (int64_t n = 0; n < MANY; n += step) {
    pqf_id id;
    int32_t place = -1;
    pqf_ids_get(ids, n, &id);
    faults += pqf_ids_find(ids, MANY, &id, &place) != PQF_OK || place != n;
    if (id.text != NULL)
      id.text = "-";
    id.length = id.text != NULL;
    id.number = id.number ^ 1; /* multiples of an odd constant: the neighbour is far away */
    faults += pqf_ids_find(ids, MANY, &id, &place) != PQF_ENOTFOUND;
  }
  return faults;
}

static void many_ids_are_found(void)
{
  many all = make_many();
  pqf_ids *ids = NULL;
  CHECK_OK(pqf_ids_from_numbers(&ids, all.numbers, MANY));
  CU_ASSERT_EQUAL(search(ids, 1), 0);
  pqf_ids_release(ids);
  CHECK_OK(pqf_ids_from_bytes(&ids, all.bytes, all.offset, MANY));
  CU_ASSERT_EQUAL(search(ids, 1), 0);
  pqf_ids_release(ids);
  for (int64_t n = 0; n < MANY; n++)
    all.numbers[n] = n << 32; /* alike in their low bits */
  CHECK_OK(pqf_ids_from_numbers(&ids, all.numbers, MANY));
  CU_ASSERT_EQUAL(search(ids, 1), 0);
  pqf_ids_release(ids);
  free_many(&all);
}

/* Against Python's siphash13 with a key of zeros: PYTHONHASHSEED=0, hash(bytes). */
static void hashes_are_siphash(void)
{
  static const struct {
    const char *text;
    uint64_t hash;
  } known[] = {{"a", UINT64_C(0x407448d2b89b1813)},
               {"abcdefg", UINT64_C(0x6db12aae9070f506)},
               {"abcdefgh", UINT64_C(0x3f7b849c0b8e35ea)},
               {"a longer text of 31 bytes, here", UINT64_C(0xbf01c7bfb04c9587)}};
  const pqf_hash_key zero = {0, 0};
  for (size_t n = 0; n < sizeof known / sizeof known[0]; n++)
    CU_ASSERT_EQUAL(pqf_hash_bytes(zero, known[n].text, (int64_t)strlen(known[n].text)),
                    known[n].hash);
  CU_ASSERT_EQUAL(pqf_hash_number(zero, 7), UINT64_C(0x6634b0bda4fe8a7b));
  CU_ASSERT_EQUAL(pqf_hash_number(zero, UINT64_MAX), UINT64_C(0x2f205be2fec8e38d));
  const pqf_hash_key one = pqf_hash_new_key(), other = pqf_hash_new_key();
  CU_ASSERT_TRUE(one.low != other.low || one.high != other.high);
  CU_ASSERT_NOT_EQUAL(pqf_hash_number(one, 7), pqf_hash_number(other, 7));
}

static double seconds_to_index(const int64_t *numbers, int64_t count)
{
  pqf_ids *ids = NULL;
  const clock_t before = clock();
  CHECK_OK(pqf_ids_from_numbers(&ids, numbers, count));
  pqf_ids_release(ids);
  return (double)(clock() - before) / CLOCKS_PER_SEC;
}

/* Ids that fell into one slot while the hash was one that everybody knows: the inverse of
 * splitmix64's finaliser of numbers that agree in their low bits. */
static void colliding_ids_cost_no_more(void)
{
  int64_t *numbers = test_allocate(MANY, sizeof *numbers);
  for (int64_t n = 0; n < MANY; n++)
    numbers[n] = n * INT64_C(123456789123);
  const double harmless = seconds_to_index(numbers, MANY);
  for (int64_t n = 0; n < MANY; n++)
    numbers[n] = (int64_t)test_unmix((uint64_t)n << 40);
  const double colliding = seconds_to_index(numbers, MANY);
  CU_ASSERT_TRUE(colliding < 20 * harmless + 0.1);
  free(numbers);
}

typedef struct searcher {
  pthread_t thread;
  pqf_ids *ids;
  int64_t faults;
} searcher;

static void *search_in_thread(void *argument)
{
  searcher *self = argument;
  pqf_ids *mine = pqf_ids_share(self->ids);
  self->faults = search(mine, 7);
  pqf_ids_release(mine);
  return NULL;
}

static void search_from_four_threads(pqf_ids *ids)
{
  searcher searchers[4];
  int64_t faults = 0;
  for (int n = 0; n < 4; n++) {
    searchers[n] = (searcher){.ids = ids};
    if (pthread_create(&searchers[n].thread, NULL, search_in_thread, &searchers[n]) != 0)
      abort();
  }
  for (int n = 0; n < 4; n++) {
    pthread_join(searchers[n].thread, NULL);
    faults += searchers[n].faults;
  }
  CU_ASSERT_EQUAL(faults, 0);
}

static void threads_share_borrowed_ids(void)
{
  many all = make_many();
  pqf_ids *ids = NULL;
  if (CHECK_OK(pqf_ids_borrow(&ids, all.numbers, NULL, NULL, MANY))) {
    CU_ASSERT_PTR_EQUAL(pqf_ids_numbers(ids), all.numbers);
    search_from_four_threads(ids);
  }
  pqf_ids_release(ids);
  if (CHECK_OK(pqf_ids_borrow(&ids, NULL, all.bytes, all.offset, MANY))) {
    CU_ASSERT_PTR_EQUAL(pqf_ids_bytes(ids), all.bytes);
    CU_ASSERT_PTR_EQUAL(pqf_ids_offsets(ids), all.offset);
    search_from_four_threads(ids);
  }
  pqf_ids_release(ids);
  free_many(&all);
}

static void borrowed_duplicates_give_the_first(void)
{
  const int64_t numbers[] = {3, 9, 9, 3};
  const pqf_id id = number_id(9);
  int32_t place = -1;
  pqf_ids *ids;
  REQUIRE_OK(pqf_ids_borrow(&ids, numbers, NULL, NULL, 4));
  CHECK_OK(pqf_ids_find(ids, 4, &id, &place));
  CU_ASSERT_EQUAL(place, 1);
  pqf_ids_release(ids);
}

static int make_all_kinds(void *payload)
{
  const int64_t numbers[] = {1, 2, 3};
  const char *const texts[] = {"one", "two", "three"};
  const int64_t offset[] = {0, 1, 2, 3};
  const pqf_id id = number_id(3);
  int32_t place = -1;
  (void)payload;
  pqf_ids *ids[4] = {NULL};
  int status = pqf_ids_from_numbers(&ids[0], numbers, 3);
  if (status == PQF_OK)
    status = pqf_ids_from_texts(&ids[1], texts, 3);
  if (status == PQF_OK)
    status = pqf_ids_from_bytes(&ids[2], "abc", offset, 3);
  if (status == PQF_OK)
    status = pqf_ids_borrow(&ids[3], numbers, NULL, NULL, 3);
  if (status == PQF_OK)
    status = pqf_ids_find(ids[3], 3, &id, &place);
  if (status == PQF_OK)
    CU_ASSERT_EQUAL(place, 2);
  for (int n = 0; n < 4; n++)
    pqf_ids_release(ids[n]);
  return status;
}

static void every_allocation_may_fail(void)
{
  test_every_allocation(make_all_kinds, NULL);
}

void suite_ids(void)
{
  CU_pSuite suite = CU_add_suite("ids", NULL, NULL);
  CU_add_test(suite, "numbers are copied and found", numbers_are_copied_and_found);
  CU_add_test(suite, "texts are copied and found", texts_are_copied_and_found);
  CU_add_test(suite, "without ids the index is the id", no_ids_are_the_indices);
  CU_add_test(suite, "empty ids hold nothing", empty_ids_hold_nothing);
  CU_add_test(suite, "duplicates are named", duplicates_are_named);
  CU_add_test(suite, "long ids are cut in words", long_ids_are_cut_in_words);
  CU_add_test(suite, "names are escaped in messages", names_are_escaped_in_messages);
  CU_add_test(suite, "text is escaped", text_is_escaped);
  CU_add_test(suite, "UTF-8 is checked", utf8_is_checked);
  CU_add_test(suite, "100,000 ids are found", many_ids_are_found);
  CU_add_test(suite, "hashes are SipHash-1-3 with a key", hashes_are_siphash);
  CU_add_test(suite, "ids that collide on purpose cost no more", colliding_ids_cost_no_more);
  CU_add_test(suite, "four threads search borrowed ids", threads_share_borrowed_ids);
  CU_add_test(suite, "of borrowed duplicates the first is found",
              borrowed_duplicates_give_the_first);
  CU_add_test(suite, "every allocation may fail", every_allocation_may_fail);
}
