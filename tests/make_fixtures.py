#!/usr/bin/env python3
"""Writes the Parquet files in tests/data that the tests of the command read.

Run it with the project's virtual environment, which has pyarrow:
    .venv/bin/python tests/make_fixtures.py
pandas is not needed: what its to_parquet() adds to a file, the metadata that name the index, is
spelled out below.
"""

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

DATA = pathlib.Path(__file__).parent / "data"

# The notebook's matrix: five users, four items.
MATRIX = [
    [4.5, 2.3, 0.0, 1.2],
    [4.6, 0.0, 0.0, 1.25],
    [1.0, 1.2, 0.0, 5.6],
    [1.8, 0.0, 0.0, 4.3],
    [0.0, 1.4, 5.32, 4.3],
]
USERS = ["ann", "bob", "cem", "dia", "eve"]
ITEMS = ["book", "lamp", "rug", "vase"]


def columns(kind):
    return [pa.array([row[n] for row in MATRIX], kind) for n in range(len(ITEMS))]


def pandas_metadata(index):
    """As DataFrame.to_parquet() writes it; `index` is a column's name or a range."""
    if isinstance(index, range):
        index = {"kind": "range", "name": None, "start": 0, "stop": len(index), "step": 1}
    return {b"pandas": json.dumps({"index_columns": [index], "column_indexes": [], "columns": [],
                                   "pandas_version": "2.2.0"}).encode()}


def write(name, names, arrays, compression, metadata=None):
    schema = pa.schema([pa.field(n, a.type) for n, a in zip(names, arrays)], metadata)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), DATA / name,
                   compression=compression)


def main():
    index = "__index_level_0__"
    write("matrix.parquet.gzip", ITEMS + [index], columns(pa.float64()) + [pa.array(USERS)],
          "gzip", pandas_metadata(index))
    write("range_index.parquet", ["0", "1", "2", "3"], columns(pa.float32()), "snappy",
          pandas_metadata(range(5)))
    write("number_index.parquet", ["user"] + ITEMS,
          [pa.array([50, 10, 40, 20, 30])] + columns(pa.float32()), "zstd", pandas_metadata("user"))
    write("text_index.parquet", ["name"] + ITEMS,
          [pa.array(USERS)] + columns(pa.float32()), "none")
    write("text_column.parquet", ["book", "colour", "lamp", "rug"],
          [pa.array([1.0, 2.0]), pa.array(["red", "blue"]), pa.array([3.0, 4.0]),
           pa.array([5.0, 6.0])], "snappy")
    write("null.parquet", ITEMS,
          columns(pa.float32())[:3] + [pa.array([1.2, None, 5.6, 4.3, 4.3], pa.float32())], "snappy")
    write("two_indices.parquet", ["a", "b"] + ITEMS,
          [pa.array(USERS), pa.array(USERS)] + columns(pa.float32()), "snappy",
          {b"pandas": json.dumps({"index_columns": ["a", "b"]}).encode()})

    cells = [(user, item, MATRIX[u][i]) for u, user in enumerate(USERS)
             for i, item in enumerate(ITEMS) if MATRIX[u][i] != 0]
    cells.reverse()
    users, items, ratings = (list(part) for part in zip(*cells))
    write("long.parquet", ["user", "item", "rating"],
          [pa.array(users), pa.array(items), pa.array(ratings, pa.float32())], "zstd")
    write("long_categories.parquet", ["user", "item", "rating"],
          [pa.array(users).dictionary_encode(), pa.array(items).dictionary_encode(),
           pa.array(ratings)], "gzip")
    write("long_numbers.parquet", ["when", "stars", "user", "item"],
          [pa.array(range(len(cells))), pa.array([int(2 * r) for r in ratings], pa.int8()),
           pa.array([100 * USERS.index(u) for u in users], pa.int32()),
           pa.array([ITEMS.index(i) for i in items], pa.uint16())], "snappy")
    write("pairs.parquet", ["who", "what", "note"],
          [pa.array(["eve", "ann", "eve"]), pa.array(["rug", "vase", "book"]),
           pa.array(["x", "y", "z"])], "snappy")


if __name__ == "__main__":
    main()
