/* The kernels of cpu_solver.h in double, for the rows that float cannot resolve. */
#define PQF_KERNELS_IN_DOUBLE
#include "cpu_solver_template.h"

static void solve_upper_rounded(const double *u, int64_t d, const double *inverse, const double *y,
                                double *x)
{
  substitute_back(u, d, inverse, y, x, 1);
}

const pqf_cpu_double_solver TABLE_NAME(pqf_cpu_double_solver, PQF_ISA) = {
    .gather_panel = gather_panel,
    .rank_update = rank_update,
    .factor = factor,
    .solve_lower = solve_lower,
    .solve_upper = solve_upper,
    .solve_upper_rounded = solve_upper_rounded,
    .rank_one = rank_one,
};
