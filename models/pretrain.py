"""Learns word vectors from open text: skip-grams with sub-words (Bojanowski et al. 2017).

The text is prepared and cut exactly as scoring does, so that a vector stands for what the model
sees. floret (a fork of fastText) trains on one thread, which makes a second run equal to the
first. 1.6 million lines, four passes and 128 values take about 27 minutes.

Two libraries are needed for training only: `pip install -e '.[train]'`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models import datasets
from models.hashing import Hashes, Spans
from models.text import prepare, unaccented
from models.tokens import batches, tokens, words
from models.vectors import PART_BITS, PART_SIZES, Floats, Vectors, part_bucket

log = logging.getLogger(__name__)

SIZE = 128
SETTINGS = {
    "model": "skipgram", "dim": SIZE, "ws": 8, "epoch": 4, "neg": 5, "lr": 0.05, "t": 1e-4,
    "minn": min(PART_SIZES), "maxn": max(PART_SIZES), "bucket": 400_000, "minCount": 6,
    "thread": 1, "verbose": 0,
}  # fmt: skip
_PIECE = 5_000
_SHORTEST = 3  # tokens; a shorter line has no neighbours to learn from


def vectors(folder: Path, *, seed: int) -> Vectors:
    """Vectors learnt from the sources of `datasets.PLAIN` in a folder of data."""
    import floret

    with TemporaryDirectory() as aside:
        path = Path(aside) / "lines.txt"
        count = _write(path, folder, seed=seed)
        log.info("vectors.text_written lines=%d", count)
        model = floret.train_unsupervised(str(path), **SETTINGS)
    return _taken(model)


def _write(path: Path, folder: Path, *, seed: int) -> int:
    """Write the lines of the corpus in a drawn order; how many."""
    lines = [line for source in datasets.PLAIN for line in _lines(folder, source, seed)]
    order = np.random.default_rng(seed).permutation(len(lines))
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{lines[place]}\n" for place in order)
    return len(lines)


def _lines(folder: Path, source: datasets.Source, seed: int) -> Iterator[str]:
    for lang in source.languages:
        texts = datasets.plain(folder, source, lang=lang, seed=seed)
        for first in range(0, len(texts), _PIECE):
            for read in batches(prepare(texts[first : first + _PIECE], lang=lang)):
                yield from (" ".join(own) for own in words(read) if len(own) >= _SHORTEST)


def _taken(model: Any) -> Vectors:
    """The vectors of a floret model under our hashes; parts that share a bucket are averaged."""
    known = [word for word in model.get_words() if word != "</s>"]
    read = tokens([" ".join(known)])
    hashes = Spans(read.codes).hashes(read.starts, read.ends)
    rows = np.array([model.get_word_vector(word) for word in words(read)[0]], np.float32)
    order = np.argsort(hashes, kind="stable")
    kept = order[np.concatenate([[True], np.diff(hashes[order]) > 0])]
    return Vectors(hashes[kept], rows[kept], _parts(model, known))


def _parts(model: Any, known: list[str]) -> Floats:
    ids: dict[str, int] = {}
    for word in known:
        names, places = model.get_subwords(word)
        ids |= {n: int(p) for n, p in zip(names, places, strict=True) if n != word}
    names = [name.replace("<", " ").replace(">", " ") for name in ids]
    buckets = part_bucket(_hashes(names))
    total = np.zeros((1 << PART_BITS, SIZE), np.float32)
    count = np.zeros(1 << PART_BITS, np.int64)
    rows = np.array([model.get_input_vector(place) for place in ids.values()], np.float32)
    np.add.at(total, buckets, rows)
    np.add.at(count, buckets, 1)
    return np.asarray(total / np.maximum(count, 1)[:, None], np.float32)


def _hashes(names: list[str]) -> Hashes:
    """The hash of each run of characters without accents."""
    codes = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), np.uint32)
    ends = np.cumsum([len(name) for name in names])
    starts = np.concatenate([[0], ends[:-1]])
    return Spans(unaccented(codes)).hashes(starts, ends)
