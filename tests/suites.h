/* One suite per file tests/test_NAME.c; main.c runs them. */
#ifndef PQF_TESTS_SUITES_H
#define PQF_TESTS_SUITES_H

void suite_als(void);
void suite_losses(void);
void suite_checkpoint(void);
void suite_killed(void);
void suite_presets(void);
void suite_evaluate(void);
void suite_split(void);
void suite_promises(void);
void suite_insteval(void);
void suite_gpu_kernels(void);
void suite_gpu(void);
void suite_random(void);
void suite_golden(void);
void suite_gradient(void);
void suite_fit(void);
void suite_threads(void);
void suite_model(void);
void suite_predict(void);
void suite_backend_contract(void);
void suite_modules(void);
void suite_start_up(void);
void suite_oom(void);
void suite_blas(void);
void suite_options(void);
void suite_file(void);
void suite_file_damage(void);
void suite_docs(void);
void suite_data(void);
void suite_sparse(void);
void suite_duplicates(void);
void suite_pull(void);
void suite_large(void);
void suite_shapes(void);
void suite_ids(void);
void suite_arrow(void);
void suite_arrow_refused(void);
void suite_formats(void);
void suite_command(void);
void suite_command_train(void);
void suite_command_measure(void);
void suite_command_tune(void);
void suite_command_hostile(void);

#endif
