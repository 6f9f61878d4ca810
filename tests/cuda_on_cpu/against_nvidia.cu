/* The runtime on the CPU and NVIDIA's agree: compiled by nvcc, for what it refuses. */
#include "interface.h"
