"""Gives libpqf tables made by pyarrow, and looks at what has become of them.

usage: arrow_stream.py LIBPQF

Values are read back through the public calls alone: one step of gradient descent from P = 0 and
Q = I, with a learning rate of 1/2 and no regularization, makes P equal to R; cells that are absent
stay 0. Exit status 77: pyarrow is not installed."""

import ctypes
import sys

try:
    import pyarrow as pa
except ImportError:
    sys.exit(77)

from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_uint64, c_void_p

EINVAL, EIO = -1, -7
NAN = float("nan")


class Options(ctypes.Structure):
    _fields_ = (
        [("size", c_uint64), ("backend", c_char_p), ("backend_path", c_char_p), ("epochs", c_int64)]
        + [(name, c_int32) for name in ("factors", "solver", "update", "objective", "patience",
                                        "init", "threads", "keep_best")]
        + [(name, c_double) for name in ("learning_rate", "regularization", "min_delta",
                                         "init_scale")]
        + [("seed", c_uint64), ("callback", c_void_p), ("payload", c_void_p)])


class DataOptions(ctypes.Structure):
    _fields_ = [("size", c_uint64), ("nan_is_absent", c_int32), ("borrow", c_int32)]


class Id(ctypes.Structure):
    _fields_ = [("text", c_void_p), ("length", c_int64), ("number", c_int64)]


class Library:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.pqf_error_message.restype = c_char_p
        self.lib.pqf_model_borrow_factors.restype = POINTER(c_float)
        for name in ("pqf_data_rows", "pqf_data_cols", "pqf_data_count"):
            getattr(self.lib, name).restype = c_int64

    def words(self):
        return self.lib.pqf_error_message().decode()

    def call(self, name, *arguments):
        status = getattr(self.lib, name)(*arguments)
        assert status == 0, f"{name}: {status}: {self.words()}"

    def take(self, reader, row=None, col=None, value=None, nan_is_absent=False):
        """Exports a reader and imports it: the status and the data."""
        stream = (c_uint64 * 5)()
        reader._export_to_c(ctypes.addressof(stream))
        options = DataOptions(ctypes.sizeof(DataOptions), int(nan_is_absent), 0)
        data = c_void_p()
        encode = lambda name: None if name is None else name.encode()
        status = self.lib.pqf_data_arrow(byref(data), stream, encode(row), encode(col),
                                         encode(value), byref(options))
        assert stream[3] == 0, "the stream was not released"
        return status, data

    def read(self, reader, **arguments):
        """The table as (rows' ids, columns' ids, {cell that is not 0: value}, number of cells)."""
        status, data = self.take(reader, **arguments)
        assert status == 0, self.words()
        rows, cols = self.lib.pqf_data_rows(data), self.lib.pqf_data_cols(data)
        options = Options(size=ctypes.sizeof(Options))
        self.call("pqf_options_init", byref(options), c_uint64(options.size))
        for name, text in (("factors", cols), ("epochs", 1), ("objective", "observed"),
                           ("init", "given"), ("learning_rate", 0.5), ("regularization", 0),
                           ("backend", "cpu")):
            self.call("pqf_options_set", byref(options), name.encode(), str(text).encode())
        model = c_void_p()
        self.call("pqf_create", byref(model), byref(options))
        identity = (c_float * (cols * cols))(*(float(n % (cols + 1) == 0)
                                               for n in range(cols * cols)))
        self.call("pqf_model_set_initial", model, c_int64(rows), c_int64(cols),
                  (c_float * (rows * cols))(), identity)
        self.call("pqf_fit", model, data, None)
        p = self.lib.pqf_model_borrow_factors(model, 0)
        cells = {divmod(n, cols): p[n] for n in range(rows * cols) if p[n] != 0}
        ids = [[self.id(model, side, n) for n in range(count)]
               for side, count in ((0, rows), (1, cols))]
        count = self.lib.pqf_data_count(data)
        self.lib.pqf_free(model)
        self.lib.pqf_data_free(data)
        return ids[0], ids[1], cells, count

    def id(self, model, side, index):
        out = Id()
        self.call("pqf_model_id", model, side, c_int64(index), byref(out))
        if out.text is None:
            return out.number
        return ctypes.string_at(out.text, out.length).decode()


def grid(columns):
    """Columns of values as {cell that is not 0: value}."""
    return {(row, col): float(value) for col, values in enumerate(columns)
            for row, value in enumerate(values) if value and value == value}


def check_wide(pqf):
    types = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(),
             pa.uint64(), pa.float16(), pa.float32(), pa.float64()]
    columns = [[float((3 * row + 7 * col) % 11) for row in range(10)] for col in range(len(types))]
    arrays = [pa.array(values, pa.float64()).cast(kind) for values, kind in zip(columns, types)]
    arrays.append(pa.array([row % 3 == 0 for row in range(10)]))
    columns.append([row % 3 == 0 for row in range(10)])
    names = [f"item {kind}" for kind in types] + ["flag"]
    table = pa.table(arrays, names=names)
    users = [f"user {row} of the table" for row in range(10)]
    for kind in (pa.string(), pa.large_string(), pa.string_view(),
                 pa.dictionary(pa.int16(), pa.string())):
        values = pa.array(users).dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) \
            else pa.array(users, kind)
        named = table.append_column("user", values)
        for size in (100, 3, 1):
            got = pqf.read(named.to_reader(max_chunksize=size), row="user")
            assert got == (users, names, grid(columns), 120), got
        part = named.slice(2, 5)
        got = pqf.read(part.to_reader(max_chunksize=2), row="user")
        assert got == (users[2:7], names, grid([values[2:7] for values in columns]), 60), got

    # Columns named 0, 1, 2, ...: no ids, so the places are the ids; other numbers are kept.
    plain = pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0])], names=["0", "1"])
    assert pqf.read(plain.to_reader()) == ([0, 1], [0, 1], grid([[1, 2], [3, 4]]), 4)
    numbered = plain.rename_columns(["-5", "1"]).append_column("u", pa.array([9, 4], pa.uint64()))
    assert pqf.read(numbered.to_reader(), row="u") == ([9, 4], [-5, 1], grid([[1, 2], [3, 4]]), 4)


def check_absent(pqf):
    table = pa.table([pa.array([1.0, None, 3.0, NAN]), pa.array([None, 6, 7, 8])], names=["a", "b"])
    got = pqf.read(table.to_reader(max_chunksize=3), nan_is_absent=True)
    assert got == ([0, 1, 2, 3], ["a", "b"], grid([[1, 0, 3, 0], [0, 6, 7, 8]]), 5), got
    status, _ = pqf.take(table.to_reader())
    assert status == EINVAL and 'column "a", line 1' in pqf.words(), pqf.words()
    status, _ = pqf.take(table.slice(2).to_reader())
    assert status == EINVAL and "row 1, column \"a\" is NaN" in pqf.words(), pqf.words()


def check_long(pqf):
    user = ["zoe", "al", "zoe", "bo", "al", "a name of more than twelve bytes"]
    item = [70, -2, -2, 70, 70, 500]
    value = [1.0, 2.0, None, 4.0, 5.0, 6.0]
    texts = sorted(set(user), key=str.encode)
    numbers = sorted(set(item))
    want = {(texts.index(u), numbers.index(i)): v for u, i, v in zip(user, item, value) if v}
    for kind in (pa.string(), pa.large_string(), pa.string_view(), "dictionary"):
        users = pa.array(user).dictionary_encode() if kind == "dictionary" else pa.array(user, kind)
        table = pa.table([pa.array(value, pa.float32()), pa.array(["ignored"] * 6), users,
                          pa.array(item, pa.int16())], names=["value", "note", "user", "item"])
        for size in (100, 4, 1):
            got = pqf.read(table.to_reader(max_chunksize=size), row="user", col="item",
                           value="value", nan_is_absent=True)
            assert got == (texts, numbers, want, 5), got
    status, _ = pqf.take(table.to_reader(), row="user", col="item", value="value")
    assert status == EINVAL and 'column "value", line 2' in pqf.words(), pqf.words()

    # A dictionary of its own in each batch.
    batches = [pa.record_batch([pa.array(part).dictionary_encode(), pa.array([0, 1]),
                                pa.array([1, 2])], names=["u", "i", "v"])
               for part in (["b", "a"], ["c", "b"])]
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    got = pqf.read(reader, row="u", col="i", value="v")
    assert got == (["a", "b", "c"], [0, 1], {(1, 0): 1, (0, 1): 2, (2, 0): 1, (1, 1): 2}, 4), got


def check_refused(pqf):
    table = pa.table([pa.array([1.0, 2.0]), pa.array(["x", "y"])], names=["a", "note"])
    status, data = pqf.take(table.to_reader())
    assert status == EINVAL and not data and '"note" is not numeric' in pqf.words(), pqf.words()
    status, data = pqf.take(table.to_reader(), row="missing")
    assert status == EINVAL and not data and 'no column "missing"' in pqf.words(), pqf.words()
    status, data = pqf.take(table.slice(0, 0).to_reader(), row="note")
    assert status == EINVAL and not data, pqf.words()

    def batches():
        yield from table.to_batches()
        raise ValueError("the well ran dry")

    reader = pa.RecordBatchReader.from_batches(table.schema, batches())
    status, data = pqf.take(reader, row="note")
    assert status == EIO and not data and "the well ran dry" in pqf.words(), pqf.words()


def main(path):
    pqf = Library(path)
    for check in (check_wide, check_absent, check_long, check_refused):
        check(pqf)


if __name__ == "__main__":
    main(*sys.argv[1:])
