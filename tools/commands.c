/* The commands, in the order in which help lists them. */
#include "arguments.h"

const pqf_command *const pqf_commands[] = {
    &pqf_command_fit,   &pqf_command_predict, &pqf_command_evaluate, &pqf_command_tune,
    &pqf_command_split, &pqf_command_info,    &pqf_command_backends, &pqf_command_help,
};
const int pqf_command_count = sizeof pqf_commands / sizeof pqf_commands[0];
