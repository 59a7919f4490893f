"""The shared network that ships, loaded once, and what it makes of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from models import checkpoint, features, trunk, vectors
from models.checkpoint import Checkpoint, Description
from models.errors import WeightsError
from models.tokens import Tokens, batches
from models.trunk import UNITS, Trunk
from models.vectors import Floats, Found

TASK = "network"
LANGUAGES = ("fr", "en")


@dataclass(frozen=True, slots=True)
class Views:
    """Of n texts: `units` (n, UNITS), `mean` (n, d) of length 1, `logits` (n, outputs)."""

    units: Floats
    mean: Floats
    logits: Floats
    outputs: tuple[str, ...]

    def of(self, task: str) -> Floats:
        """The logits of one task, in the order of its labels."""
        return self.logits[:, [i for i, name in enumerate(self.outputs) if _task(name) == task]]


def _task(output: str) -> str:
    return output.rsplit(".", 1)[0]


def read_weights() -> Checkpoint:
    """The file of weights; WeightsError when it is missing, altered or another.

    Read anew each time: what `load` keeps of it is larger by itself.
    """
    return checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK)


def check_version(stated: Description) -> None:
    """WeightsError when weights were trained on another reading of texts than this code's."""
    if stated.features_version != features.VERSION:
        raise WeightsError(
            f"the weights {stated.model_id!r} were trained on features version "
            f"{stated.features_version} and this code reads version {features.VERSION}: train "
            "again with `vigie models train`"
        )


def check(stated: Description) -> None:
    """WeightsError when weights read texts otherwise or stand on another network than that here.

    Costs one small file: the hash of the network is the one to which its own file is held.
    """
    check_version(stated)
    own, here = stated.stands_on.get(TASK), checkpoint.stated(checkpoint.WEIGHTS, TASK)
    if own != here:
        raise WeightsError(
            f"the weights {stated.model_id!r} stand on network {(own or 'none')[:12]}… and "
            f"{checkpoint.WEIGHTS / TASK}.safetensors is {(here or 'none')[:12]}…: train again "
            "with `vigie models train`, or restore the folder from the distribution"
        )


@cache
def load() -> Trunk:
    """The network of `models/weights`, ready to read."""
    read = read_weights()
    check_version(read.description)
    return trunk.restored(read.tensors, outputs=read.description.labels)


def find(pieces: Sequence[Tokens], *, own: Trunk | None = None) -> list[Found]:
    """Where the words of each batch stand among the vectors."""
    chosen = own or load()
    return [vectors.find(piece, chosen.vectors) for piece in pieces]


def views(
    pieces: Sequence[Tokens], found: Sequence[Found] | None = None, *, own: Trunk | None = None
) -> Views:
    """What the network makes of batches of words; `own` is another than the one that ships."""
    chosen = own or load()
    spots = found or find(pieces, own=chosen)
    both = [chosen.units(piece, spot) for piece, spot in zip(pieces, spots, strict=True)]
    units = np.vstack([np.zeros((0, UNITS), np.float32), *(units for units, _ in both)])
    size = chosen.vectors.rows.shape[1]
    mean = np.vstack([np.zeros((0, size), np.float32), *(mean for _, mean in both)])
    length = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-6)
    return Views(units, mean / length, chosen.logits(units), chosen.outputs)


def word_vectors(words: Sequence[str], *, own: Trunk | None = None) -> Floats:
    """The vector of each word in lower case, `(n, d)` of length 1; a strange one from its parts.

    Places and names are not hidden here: this says what a text is about, and judges nothing.
    """
    table = (own or load()).vectors
    made = [np.zeros((0, table.rows.shape[1]), np.float32)]
    for piece in batches(words):
        spots = vectors.find(piece, table)
        rows = np.where((spots.places >= 0)[:, None], table.rows[spots.places], np.float32(0))
        rows[spots.strange] = np.asarray(spots.shares @ table.parts, np.float32)
        total = np.zeros((piece.count, rows.shape[1]), np.float32)
        np.add.at(total, piece.row, rows)  # what is cut in two is the sum of its pieces
        made.append(total)
    found = np.vstack(made)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6))
