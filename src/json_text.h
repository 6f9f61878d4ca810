/* JSON that is read when memory may be short. */
#ifndef PQF_SRC_JSON_TEXT_H
#define PQF_SRC_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* Parses one JSON value, `length` bytes without NUL; duplicate keys are refused. The caller
 * releases
 * `*out`. PQF_ENOMEM and PQF_EFORMAT are told apart; neither sets an error message, for PQF_EFORMAT
 * `error` has what is wrong, and the byte of the text. */
int pqf_json_parse(json_t **out, const char *text, size_t length, json_error_t *error);

#endif
