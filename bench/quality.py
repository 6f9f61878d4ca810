"""How good libpqf's models are beside those of cmfrec and implicit, on the same cells.

usage: quality.py PQF RATINGS.csv.gz [RATINGS.csv.gz ...]

Each table has a row per rating: user, item, value, in its first three columns. Ratings: root mean squared error of models with biases. Clicks, which are the ratings of
4 or more: recall@20 and NDCG@100 of lists without the training cells (as docs/metrics.md has them).
All models have the same regularization and sweeps, all solve exactly, and all are measured by the
same code, which is this file's and not the library's. Figures are means over several random tenths
held out, each with initial factors of its own; behind them in brackets is libpqf's figure less the
peer's, "+-" the standard error of that: what lies within twice of it is no difference.
"""

import csv
import gzip
import os
import subprocess
import sys
import tempfile

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: cmfrec has threads of its own

import numpy
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix

try:
    import cmfrec
except ImportError:
    cmfrec = None
try:
    import implicit
except ImportError:
    implicit = None

THREADS = 2
SWEEPS = 15
SEEDS = range(1, 9)
CONFIDENCE = 10
CLICK = 4


class Ratings:
    """A table of ratings with users and items numbered from 0, and some of them held out."""

    def __init__(self, path):
        with gzip.open(path, "rt", newline="") as file:
            lines = csv.reader(file)
            next(lines)
            table = numpy.array([line[:3] for line in lines], dtype=numpy.float64)
        self.users, self.user = numpy.unique(table[:, 0], return_inverse=True)
        self.items, self.item = numpy.unique(table[:, 1], return_inverse=True)
        self.value = table[:, 2].astype(numpy.float32)
        self.hold_out(0)

    def hold_out(self, seed):
        self.held_out = numpy.random.default_rng(seed).random(len(self.value)) < 0.1

    def matrix(self, chosen, value=None):
        value = self.value[chosen] if value is None else value
        return csr_matrix(
            (value, (self.user[chosen], self.item[chosen])),
            shape=(len(self.users), len(self.items)),
        )


def fit_pqf(pqf, train, seed, options):
    """Trains by the command and gives mean, biases and factors, in the order of the matrix."""
    with tempfile.TemporaryDirectory() as folder:
        model, cells = os.path.join(folder, "model"), os.path.join(folder, "train.mtx")
        train = train.tocoo()
        with open(cells, "w") as file:
            file.write("%%MatrixMarket matrix coordinate real general\n")
            file.write(f"{train.shape[0]} {train.shape[1]} {train.nnz}\n")
            numpy.savetxt(
                file, numpy.column_stack([train.row + 1, train.col + 1, train.data]), "%d %d %g"
            )
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        subprocess.run(
            [pqf, "fit", cells, "--output", model, "--quiet", "--solver", "als", "--patience", "0"]
            + ["--epochs", str(SWEEPS), "--threads", str(THREADS), "--init-scale", "0.1"]
            + ["--seed", str(seed), *flags],
            check=True,
        )
        return load_file(model), float(read_mean(model))


def read_mean(model):
    from safetensors import safe_open

    with safe_open(model, "numpy") as file:
        return file.metadata().get("mean", 0)


def errors(ratings, predict):
    test = ratings.held_out
    predicted = predict(ratings.user[test], ratings.item[test])
    return float(numpy.sqrt(numpy.mean((predicted - ratings.value[test]) ** 2)))


def rating_models(pqf, ratings, seed, k, regularization, bias_regularization):
    """Root mean squared errors by library."""
    train = ratings.matrix(~ratings.held_out)
    model, mean = fit_pqf(
        pqf,
        train,
        seed,
        {
            "objective": "observed",
            "factors": k,
            "regularization": regularization,
            "bias-regularization": bias_regularization,
        },
    )

    def by_pqf(user, item):
        return (
            mean
            + model["row_bias"][user]
            + model["col_bias"][item]
            + numpy.sum(model["P"][user] * model["Q"][item], axis=1)
        )

    found = {"libpqf": errors(ratings, by_pqf)}
    if cmfrec is not None:
        weights = [bias_regularization] * 2 + [regularization] * 4
        theirs = cmfrec.CMF(
            k=k, lambda_=weights, method="als", use_cg=False, niter=SWEEPS, use_float=True,
            nthreads=THREADS, verbose=False, random_state=seed,
        )  # fmt: skip
        theirs.fit(train.tocoo())
        found["cmfrec"] = errors(ratings, lambda user, item: theirs.predict(user, item))
    return found


def ranking(train, test, users, items):
    """recall@20 and NDCG@100: rows are users, scores are users items'."""
    recall, ndcg = [], []
    discount = 1 / numpy.log2(numpy.arange(2, 102))
    for user in range(train.shape[0]):
        relevant = test.indices[test.indptr[user] : test.indptr[user + 1]]
        if len(relevant) == 0:
            continue
        scores = items @ users[user]
        scores[train.indices[train.indptr[user] : train.indptr[user + 1]]] = -numpy.inf
        hits = numpy.isin(numpy.argsort(-scores, kind="stable")[:100], relevant)
        recall.append(hits[:20].sum() / min(20, len(relevant)))
        ndcg.append((hits * discount).sum() / discount[: len(relevant)].sum())
    return float(numpy.mean(recall)), float(numpy.mean(ndcg))


def click_models(pqf, ratings, seed, k, regularization):
    """(recall@20, NDCG@100) by library."""
    click = ratings.value >= CLICK
    ones = click & ~ratings.held_out
    train = ratings.matrix(ones, numpy.ones(ones.sum(), numpy.float32))
    test = ratings.matrix(click & ratings.held_out)
    model, _ = fit_pqf(
        pqf,
        train,
        seed,
        {
            "objective": "implicit",
            "factors": k,
            "regularization": regularization,
            "confidence": CONFIDENCE,
        },
    )
    found = {"libpqf": ranking(train, test, model["P"], model["Q"])}
    if cmfrec is not None:
        theirs = cmfrec.CMF_implicit(
            k=k, lambda_=regularization, alpha=CONFIDENCE, use_cg=False, niter=SWEEPS,
            use_float=True, nthreads=THREADS, verbose=False, random_state=seed,
        )  # fmt: skip
        theirs.fit(train.tocoo())
        found["cmfrec"] = ranking(train, test, theirs.A_, theirs.B_)
    if implicit is not None:
        theirs = implicit.als.AlternatingLeastSquares(
            factors=k, regularization=regularization, alpha=1, iterations=SWEEPS, use_cg=False,
            use_native=True, num_threads=THREADS, random_state=seed,
        )  # fmt: skip
        weighted = train.copy()  # its confidence is the input itself
        weighted.data[:] = 1 + CONFIDENCE
        theirs.fit(weighted, show_progress=False)
        found["implicit"] = ranking(train, test, theirs.user_factors, theirs.item_factors)
    return found


def over_seeds(ratings, measure):
    """A line of figures by library from measure(seed), which gives them by library."""
    runs = []
    for seed in SEEDS:
        ratings.hold_out(seed)
        runs.append({name: numpy.atleast_1d(v) for name, v in measure(seed).items()})
    own = numpy.array([run["libpqf"] for run in runs])
    parts = []
    for library in runs[0]:
        figures = numpy.array([run[library] for run in runs])
        less = own - figures
        error = less.std(0, ddof=1) / numpy.sqrt(len(runs))
        parts.append(
            f"{library} "
            + " ".join(
                f"{mean:.4f}" + ("" if library == "libpqf" else f" ({d:+.4f} +- {e:.4f})")
                for mean, d, e in zip(figures.mean(0), less.mean(0), error)
            )
        )
    return ", ".join(parts)


def main(pqf, paths):
    for name, module in (("cmfrec", cmfrec), ("implicit", implicit)):
        if module is None:
            print(f"{name} is left out: this Python does not have it")
    for path in paths:
        ratings = Ratings(path)
        print(
            f"{os.path.basename(path)}: {len(ratings.value)} ratings, {len(ratings.users)} users, "
            f"{len(ratings.items)} items"
        )
        for k in (10, 40):
            found = over_seeds(ratings, lambda seed: rating_models(pqf, ratings, seed, k, 20, 10))
            print(f"  ratings, k = {k}, RMSE: {found}")
        for k in (32, 64):
            found = over_seeds(ratings, lambda seed: click_models(pqf, ratings, seed, k, 10))
            print(f"  clicks, k = {k}, recall@20 and NDCG@100: {found}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
