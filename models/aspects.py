"""Which public services a message is about, with the tone towards each where two differ.

A service is found by its head (`models.heads`). Where a text speaks of several, it is cut into
clauses, and each service has the mean tone of the clauses that hold its terms ("les agents sont
charmants mais le site ne marche jamais").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models import heads, lexicons
from models.reading import Batch
from models.sentiment import LABELS, SentimentModel
from models.text import READ_LIMIT

SERVICES = tuple(
    name.removeprefix("aspects/") for name in heads.wanted() if name.startswith("aspects/")
)
THRESHOLD = 0.5
_CLAUSES = re.compile(
    r"(?<=[.!?…;])\s+|,\s+|(?<!\s)\s+(?:mais|par contre|en revanche|sauf|alors que|tandis que"
    r"|hormis|but|however|although|though|except|while)\s+",
    re.IGNORECASE,
)
_SHORTEST = 8  # characters of a clause that can have a tone
_PIECE = 256  # texts cut at a time: one text may have some hundred clauses


def aspects(batch: Batch, tone: SentimentModel) -> list[tuple[str, ...]]:
    """The services of each text, `name` or `name:tone` where two tones differ."""
    chances = batch.chances[:, heads.columns_of([f"aspects/{name}" for name in SERVICES])]
    named = np.nan_to_num(chances, nan=0.0) >= THRESHOLD
    found = heads.named(named, SERVICES)
    several = [place for place, own in enumerate(found) if len(own) > 1]
    for first in range(0, len(several), _PIECE):
        places = several[first : first + _PIECE]
        for place, own in zip(places, _toned(batch, places, named, tone), strict=True):
            found[place] = own
    return found


def _toned(
    batch: Batch, places: Sequence[int], named: NDArray[np.bool_], tone: SentimentModel
) -> list[tuple[str, ...]]:
    """The services of the texts at `places`, with their tones where two differ."""
    cut = [(i, clause) for i in places for clause in _cut(batch.texts[i])]
    if not cut:
        return []
    clauses = Batch([clause for _, clause in cut], [batch.langs[i] for i, _ in cut])
    said = tone.score_batch(clauses).probabilities
    columns = [lexicons.place(f"aspects/{name}") for name in SERVICES]
    hits = np.zeros((len(cut), len(SERVICES)), np.bool_)
    for rows, read in clauses.by_lang.values():
        hits[rows] = read.hits[:, columns] > 0
    owner = np.array([i for i, _ in cut])
    return [_names(named[i], said[owner == i], hits[owner == i]) for i in places]


def _cut(text: str) -> list[str]:
    return [part for part in _CLAUSES.split(text[:READ_LIMIT]) if len(part) >= _SHORTEST] or [text]


def _names(
    named: NDArray[np.bool_], said: NDArray[np.float32], hits: NDArray[np.bool_]
) -> tuple[str, ...]:
    tones: dict[str, str] = {}
    for i in np.flatnonzero(named):
        own = said[hits[:, i] & ~np.isnan(said[:, 0])]
        if len(own):
            tones[SERVICES[i]] = LABELS[int(own.mean(axis=0).argmax())]
    names = [SERVICES[i] for i in np.flatnonzero(named)]
    if len(set(tones.values())) < 2:
        return tuple(names)
    return tuple(f"{name}:{tones[name]}" if name in tones else name for name in names)
