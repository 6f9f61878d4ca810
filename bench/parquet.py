"""From a Parquet file to a model: `pqf fit` against pyarrow's reading of the same file alone.

usage: parquet.py PQF   (the command), with a Python that has pyarrow and numpy

The table is wide, 10,000 x 2,000 float32, written by pyarrow with gzip. The two take turns; medians
are printed. pyarrow reads in this process, which has it loaded already; pqf is timed from the start
of its process to the end.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import pyarrow
import pyarrow.parquet

ROWS, COLS, THREADS, ROUNDS = 10_000, 2_000, 2, 3
FACTORS, EPOCHS = 16, 20


def write_table(path):
    values = numpy.random.default_rng(1).random((COLS, ROWS), dtype=numpy.float32)
    columns = {f"item{n}": values[n] for n in range(COLS)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="gzip")


def timed(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def fit(command, table, model):
    flags = {
        "output": model,
        "factors": FACTORS,
        "epochs": EPOCHS,
        "patience": 0,
        "learning-rate": 1e-5,
        "init-scale": 0.1,
        "threads": THREADS,
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    subprocess.run([command, "fit", table, *words], check=True, stdout=subprocess.DEVNULL)


def read_matrix(table):
    columns = pyarrow.parquet.read_table(table).columns
    return numpy.stack([column.to_numpy() for column in columns], axis=1)


def training_seconds(command, model):
    answer = subprocess.run([command, "info", model, "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)["training"]["seconds"]


def print_line(what, samples):
    print(f"{what:<44} {statistics.median(samples):9.2f} s")


def main():
    command = sys.argv[1]
    pyarrow.set_cpu_count(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        table, model = f"{folder}/table.parquet", f"{folder}/model.safetensors"
        write_table(table)
        whole, training, reading, stacking = [], [], [], []
        for _ in range(ROUNDS):
            whole.append(timed(lambda: fit(command, table, model)))
            training.append(training_seconds(command, model))
            reading.append(timed(lambda: pyarrow.parquet.read_table(table)))
            stacking.append(timed(lambda: read_matrix(table)))
        megabytes = os.path.getsize(table) / 1e6
        print(
            f"\nParquet, {ROWS} x {COLS} float32, gzip ({megabytes:.0f} MB), {THREADS} threads;"
            f" k = {FACTORS}, {EPOCHS} epochs"
        )
        print_line("pqf fit, from command to model", whole)
        print_line("  of that the training", training)
        print_line("pyarrow, reading alone", reading)
        print_line("pyarrow, reading into one numpy matrix", stacking)


if __name__ == "__main__":
    main()
