/* Compiled by nvcc and never run: holds what the runtime on the CPU takes for granted against
 * NVIDIA's own headers, which are the only ones on the path here. */
#include "interface.h"
