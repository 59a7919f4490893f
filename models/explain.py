"""Which words moved a score: each word is taken away in turn and the text is scored again.

The effect of a word is exact for the model: its probability with the word minus without it. It
holds for linear heads, the network and checkpoints alike, and it counts the word's part in pairs
and in its surroundings. A text of n words costs n + 1 scores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORDS_LIMIT = 120  # that are taken away; a longer text is explained by its first words
_WORD = re.compile(r"\S+")

Score = Callable[[Sequence[str]], NDArray[np.float32]]  # texts to `(n,)` probabilities


@dataclass(frozen=True, slots=True)
class Effect:
    """A word as written, where it begins, and what its presence adds to a probability (-1..1)."""

    word: str
    start: int
    effect: float


def effects(text: str, score: Score) -> list[Effect]:
    """The effect of each word in the order of the text; NaN where the model does not answer."""
    spans = [found.span() for found in _WORD.finditer(text)][:WORDS_LIMIT]
    without = [text[:start] + text[end:] for start, end in spans]
    chances = score([text, *without]).astype(float)
    return [
        Effect(text[start:end], start, float(chances[0] - chance))
        for (start, end), chance in zip(spans, chances[1:], strict=True)
    ]


def strongest(found: Sequence[Effect], *, count: int, least: float = 0.02) -> list[Effect]:
    """The `count` words with the largest effects of at least `least`, largest first."""
    known = [each for each in found if abs(each.effect) >= least]
    return sorted(known, key=lambda each: -abs(each.effect))[:count]
