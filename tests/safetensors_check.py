"""Holds libpqf's model files to other people's reader and writer of safetensors.

usage: safetensors_check.py OURS P_RAW Q_RAW THEIRS

Reads the model file OURS (with text ids) with the package safetensors and compares P and Q with the
raw float32 in P_RAW and Q_RAW; then writes the same model to THEIRS with the package, without the
checksums, which are libpqf's own. Exit status 77: the package is not installed."""

import json
import sys

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import save_file
except ImportError:
    sys.exit(77)

try:
    import xxhash
except ImportError:
    xxhash = None


def read(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def texts(tensors, side):
    data = tensors[side + "_ids"].tobytes()
    offsets = tensors[side + "_id_offsets"]
    return [data[a:b].decode() for a, b in zip(offsets[:-1], offsets[1:])]


def check_sums(path, metadata):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = file.read(length)
        data = file.read()
    assert json.loads(head)["__metadata__"] == metadata
    if xxhash is None:
        return
    digits = metadata["head_xxh64"].encode()
    assert xxhash.xxh64(head.replace(digits, b"0" * 16)).hexdigest() == digits.decode()
    assert xxhash.xxh64(data).hexdigest() == metadata["tensors_xxh64"]


def main(ours, p_raw, q_raw, theirs):
    tensors, metadata = read(ours)
    for name, raw in (("P", p_raw), ("Q", q_raw)):
        assert tensors[name].dtype == numpy.float32
        assert tensors[name].tobytes() == numpy.fromfile(raw, numpy.float32).tobytes()
        assert tensors[name].shape[1] == int(metadata["option.factors"])
    for side, name in (("row", "P"), ("col", "Q")):
        assert len(set(texts(tensors, side))) == len(tensors[name])
    losses = [float(word) for word in metadata["history.loss"].split()]
    assert float(metadata["fit.best_loss"]) <= min(losses)
    assert metadata["pqf_format"] == "1"
    check_sums(ours, metadata)

    for key in ("pqf_format", "head_xxh64", "tensors_xxh64"):
        del metadata[key]
    tensors["of_another_kind"] = numpy.zeros((2, 2, 2), numpy.float64)
    save_file(tensors, theirs, metadata={**metadata, "note": "written by Python"})


if __name__ == "__main__":
    main(*sys.argv[1:])
