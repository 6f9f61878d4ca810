"""Holds libpqf's metrics to those of scikit-learn and of the package implicit.

usage: evaluate_check.py LIBPQF

Where definitions meet: RMSE, MAE, AUC and NDCG are scikit-learn's row by row; MAP of whole lists is
its average precision, and MRR of one relevant column a row its label ranking average precision;
MAP, NDCG and, with as many relevant columns in each row, recall are implicit's (which calls that
precision). Exit status 77: one of the packages is not installed."""

import ctypes
import os
import sys
from ctypes import byref, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # implicit asks for it

try:
    import numpy as np
    import scipy.sparse
    import sklearn.metrics as sk
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.evaluation import ranking_metrics_at_k
except ImportError:
    sys.exit(77)

ROWS, COLS, FACTORS, RELEVANT = 150, 400, 8, 6


class Options(ctypes.Structure):
    _fields_ = (
        [("size", c_uint64), ("backend", c_char_p), ("backend_path", c_char_p), ("epochs", c_int64)]
        + [(name, c_int32) for name in ("factors", "solver", "update", "objective", "patience",
                                        "init", "threads", "keep_best")]
        + [(name, c_double) for name in ("learning_rate", "regularization", "min_delta",
                                         "init_scale")]
        + [("seed", c_uint64), ("callback", c_void_p), ("payload", c_void_p)])


class EvaluateOptions(ctypes.Structure):
    _fields_ = [("size", c_uint64), ("k", c_int32), ("metrics", c_uint32), ("threads", c_int32),
                ("reserved", c_int32), ("relevant", c_double)]


class Metrics(ctypes.Structure):
    _fields_ = [("size", c_uint64), ("cells", c_int64), ("rows", c_int64)] + [
        (name, c_double) for name in ("rmse", "mae", "precision", "recall", "ndcg", "map", "mrr",
                                      "auc", "coverage")]


class Library:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.pqf_error_message.restype = c_char_p

    def call(self, name, *arguments):
        status = getattr(self.lib, name)(*arguments)
        assert status == 0, f"{name}: {status}: {self.lib.pqf_error_message().decode()}"

    def data(self, row, col, value, weight=None):
        out = c_void_p()
        kept = [np.ascontiguousarray(given, kind) for given, kind in
                ((row, np.int32), (col, np.int32), (value, np.float32))]
        kept.append(None if weight is None else np.ascontiguousarray(weight, np.float32))
        self.call("pqf_data_coo", byref(out), c_int64(ROWS), c_int64(COLS), c_int64(len(row)),
                  *(None if item is None else item.ctypes.data_as(c_void_p) for item in kept), None)
        return out

    def model(self, p, q):
        """A model with these factors: one step of no length to speak of."""
        options = Options(size=ctypes.sizeof(Options))
        self.call("pqf_options_init", byref(options), c_uint64(options.size))
        for name, text in (("factors", FACTORS), ("epochs", 1), ("objective", "squared"),
                           ("init", "given"), ("learning_rate", 1e-30), ("backend", "cpu")):
            self.call("pqf_options_set", byref(options), name.encode(), str(text).encode())
        model = c_void_p()
        self.call("pqf_create", byref(model), byref(options))
        self.call("pqf_model_set_initial", model, c_int64(ROWS), c_int64(COLS),
                  p.ctypes.data_as(c_void_p), q.ctypes.data_as(c_void_p))
        self.call("pqf_fit", model, self.data([0], [0], [1]), None)
        return model

    def scores(self, model):
        out = np.zeros((ROWS, COLS), np.float32)
        self.call("pqf_reconstruct", model, c_int64(0), c_int64(ROWS),
                  out.ctypes.data_as(c_void_p), c_int64(COLS))
        return out

    def evaluate(self, model, held_out, exclude, k, relevant=-np.inf):
        options = EvaluateOptions(ctypes.sizeof(EvaluateOptions), k, 3, 0, 0, relevant)
        out = Metrics(ctypes.sizeof(Metrics))
        self.call("pqf_evaluate", model, held_out, exclude, byref(options), byref(out))
        return out


def check(got, want, what, tolerance=1e-12):
    assert abs(got - want) <= tolerance, f"{what}: {got}, not {want}"


def check_errors(pqf, model, scores, random):
    row, col = np.nonzero(random.random((ROWS, COLS)) < 0.1)
    value = random.integers(1, 6, len(row)).astype(np.float32)
    weight = random.integers(0, 4, len(row)).astype(np.float32)
    predicted = scores[row, col].astype(np.float64)
    for given in (None, weight):
        got = pqf.evaluate(model, pqf.data(row, col, value, given), None, 10)
        check(got.rmse, sk.mean_squared_error(value, predicted, sample_weight=given) ** 0.5,
              "RMSE", 1e-6)
        check(got.mae, sk.mean_absolute_error(value, predicted, sample_weight=given), "MAE", 1e-6)


def check_rows(pqf, model, scores, random):
    """Held-out ratings of which those from 4 on are relevant, and an excluded tenth."""
    held = random.random((ROWS, COLS)) < 0.1
    held[::7] = False
    excluded = ~held & (random.random((ROWS, COLS)) < 0.1)
    values = random.integers(1, 6, (ROWS, COLS))
    relevant = held & (values >= 4)
    held_out = pqf.data(*np.nonzero(held), values[held])
    exclude = pqf.data(*np.nonzero(excluded), np.ones(excluded.sum()))
    rows = [(relevant[n, ~excluded[n]].astype(int), scores[n, ~excluded[n]])
            for n in range(ROWS) if relevant[n].any()]
    mean = lambda metric: np.mean([metric(*row) for row in rows])
    for k in (1, 5, 20, COLS):
        got = pqf.evaluate(model, held_out, exclude, k, 4)
        assert got.rows == len(rows) and got.cells == held.sum()
        check(got.auc, mean(sk.roc_auc_score), "AUC")
        check(got.ndcg, mean(lambda truth, score: sk.ndcg_score([truth], [score], k=k)), "NDCG")
    check(got.map, mean(sk.average_precision_score), "MAP")


def check_one_relevant(pqf, model, scores, random):
    col = random.integers(0, COLS, ROWS)
    truth = np.eye(COLS)[col]
    got = pqf.evaluate(model, pqf.data(np.arange(ROWS), col, np.ones(ROWS)), None, COLS)
    check(got.mrr, sk.label_ranking_average_precision_score(truth, scores), "MRR")
    for k in (1, 10, 50):
        got = pqf.evaluate(model, pqf.data(np.arange(ROWS), col, np.ones(ROWS)), None, k)
        hit = sk.top_k_accuracy_score(col, scores, k=k, labels=np.arange(COLS))
        check(got.recall, hit, "recall")
        check(got.precision, hit / k, "precision")


def check_implicit(pqf, model, p, q, random):
    order = np.argsort(random.random((ROWS, COLS)), axis=1)
    of_row = lambda columns: (np.repeat(np.arange(ROWS), columns.shape[1]), columns.ravel())
    held, seen = of_row(order[:, :RELEVANT]), of_row(order[:, RELEVANT:5 * RELEVANT])
    matrix = lambda cells: scipy.sparse.csr_matrix((np.ones(len(cells[0]), np.float32), cells),
                                                   (ROWS, COLS))
    theirs = AlternatingLeastSquares(factors=FACTORS)
    theirs.user_factors, theirs.item_factors = p, q
    for k in (1, 4, 10, 100):
        want = ranking_metrics_at_k(theirs, matrix(seen), matrix(held), k, show_progress=False,
                                    num_threads=1)
        got = pqf.evaluate(model, pqf.data(*held, np.ones(len(held[0]))),
                           pqf.data(*seen, np.ones(len(seen[0]))), k)
        check(got.recall, want["precision"], "recall")
        check(got.map, want["map"], "MAP")
        check(got.ndcg, want["ndcg"], "NDCG")


def main(path):
    pqf = Library(path)
    random = np.random.default_rng(1)
    p = random.standard_normal((ROWS, FACTORS)).astype(np.float32)
    q = random.standard_normal((COLS, FACTORS)).astype(np.float32)
    model = pqf.model(p, q)
    scores = pqf.scores(model)
    assert np.abs(scores - p @ q.T).max() < 1e-5 and len(np.unique(scores)) > 0.9 * scores.size
    check_errors(pqf, model, scores, random)
    check_rows(pqf, model, scores, random)
    check_one_relevant(pqf, model, scores, random)
    check_implicit(pqf, model, p, q, random)


if __name__ == "__main__":
    main(*sys.argv[1:])
