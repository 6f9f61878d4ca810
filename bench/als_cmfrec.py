"""cmfrec's exact alternating least squares, to be timed by bench/als.c.

usage: als_cmfrec.py

The sum of outer products is a plain loop of cmfrec's own: a build without -O3 -march=native takes
four times as long, and is no measure.

    CFLAGS="-O3 -march=native" pip install --no-cache-dir --no-binary cmfrec cmfrec threadpoolctl

Answers lines on standard input with one number each:

    read FOLDER   take in the files user, item and value, and remove them    0
    sweep K       the seconds of one sweep with K factors
    memory        the most held so far, in bytes
"""

import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: cmfrec has threads of its own

import cmfrec
import numpy
from scipy.sparse import coo_matrix

THREADS = 2


def read(folder):
    arrays = []
    for name, kind in (("user", numpy.int32), ("item", numpy.int32), ("value", numpy.float32)):
        path = os.path.join(folder, name)
        arrays.append(numpy.fromfile(path, dtype=kind))
        os.remove(path)
    user, item, value = arrays
    return coo_matrix((value, (user, item)))


def seconds_of(ratings, factors, sweeps):
    model = cmfrec.CMF(
        k=factors, lambda_=10.0, method="als", use_cg=False, niter=sweeps, use_float=True,
        nthreads=THREADS, verbose=False, finalize_chol=False,
        precompute_for_predictions=False, random_state=1,
    )  # fmt: skip
    begin = time.monotonic()
    model.fit(ratings)
    return time.monotonic() - begin


def peak_memory():
    """VmHWM: ru_maxrss would also remember the process that started this one."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status does not tell VmHWM")


def main():
    ratings = None
    for line in sys.stdin:
        command, *words = line.split()
        if command == "read":
            ratings, answer = read(words[0]), 0
        elif command == "sweep":
            # What a fit does once drops out of the difference.
            factors = int(words[0])
            answer = seconds_of(ratings, factors, 2) - seconds_of(ratings, factors, 1)
        else:
            answer = peak_memory()
        print(repr(answer), flush=True)


if __name__ == "__main__":
    main()
