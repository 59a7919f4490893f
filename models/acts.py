"""What a message does (complaint, question, call to gather, threat, abuse …) and how risky it is.

An act is what a text does, never who wrote it; a text may do several, or none. Abuse is judged by
registers, as tone is: racist posts, forum insults, posts with slurs, posts around institutions,
short plain sentences, since each has its own idea of the limit. Reported speech, counter-speech
and the mere mention of a slur are not abuse; figures and what fails: `models/cards/acts.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, heads, lexicons, linear, network, word_scores
from models.calibrate import sigmoid
from models.checkpoint import Checkpoint, Description
from models.network import Views
from models.reading import Batch, Read
from models.sentiment import gates
from models.word_scores import WordScores

TASK = "abuse"
ACTS = ("complaint", "question", "request", "praise", "claim", "gather", "threat", "abuse")
ABUSE_REGISTERS = ("racism", "forum", "keyword", "post", "drill")
RISKS = ("information", "contested", "hostile", "illicit suspected")
_CONTESTED = ("complaint", "claim", "gather")
_PLAIN_WEIGHTS = (1.0, 1.0, 0.15, 3.0, 1.0)  # of the registers; posts rank at 95.4 for 93.6
_SURE = 0.85  # abuse from which hatred with a slur is suspected to be illicit

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Done:
    """Probabilities `(n, acts)` in the order of ACTS, NaN where no model reads the text; the acts
    that reach their threshold; the risk, None where no model reads the text.
    """

    probabilities: NDArray[np.float32]
    acts: list[tuple[str, ...]]
    risks: list[str | None]


def load() -> Embedded:
    """The heads that ship; WeightsError when they are missing, altered or do not match."""
    return Embedded(checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK))


class Embedded:
    """Abuse by register from the network and hashed words; the other acts by their heads."""

    def __init__(self, weights: Checkpoint) -> None:
        self._weights = weights
        network.check(weights.description)

    @property
    def model_id(self) -> str:
        """Name and version of the weights."""
        return f"vigie-acts-{self._weights.description.version}"

    @property
    def description(self) -> Description:
        """What the weights say of themselves."""
        return self._weights.description

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights of abuse, of the heads and of the network."""
        parts = (self._weights, heads.read_weights(), network.read_weights())
        return hashlib.sha256(" ".join(part.sha256 for part in parts).encode()).hexdigest()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which each act counts."""
        return self._weights.description.thresholds

    @cached_property
    def _linear(self) -> dict[str, linear.Head]:
        return {
            lang: linear.unpacked(self._weights.tensors, name=lang) for lang in network.LANGUAGES
        }

    @cached_property
    def _words(self) -> dict[str, WordScores]:
        words = network.load().vectors
        return {
            lang: word_scores.restored(self._weights.tensors, name=f"{lang}.words", words=words)
            for lang in network.LANGUAGES
        }

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Done:
        """What each text does."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Done:
        """As `score`, of texts that may have been read already."""
        found = batch.chances[:, heads.columns_of([f"acts/{act}" for act in ACTS])].copy()
        slurs = np.zeros(len(batch), np.bool_)
        for lang, (places, read) in batch.by_lang.items():
            if lang in network.LANGUAGES:
                own = self._abuse(read, lang)
                found[places, ACTS.index("abuse")] = np.where(read.is_empty, np.nan, own)
                slurs[places] = read.hits[:, lexicons.place("acts/abuse.strong")] > 0
        return self._done(found, slurs)

    def _abuse(self, read: Read, lang: str) -> Floats:
        stated = self._weights.description.calibration[lang]
        joined = self._linear[lang].logits(read.features) + self._words[lang].logits(
            read.pieces, read.words
        )
        return abuse(read.views, joined, is_plain(read.hits), lang=lang, **stated)

    def _done(self, found: NDArray[np.float32], slurs: NDArray[np.bool_]) -> Done:
        limits = np.array([self.thresholds[act] for act in ACTS], np.float32)
        reaches = np.nan_to_num(found, nan=0.0) >= limits
        acts = heads.named(reaches, ACTS)
        risks = [
            None if np.isnan(row[0]) else risk(own, p_abuse=float(row[-1]), has_slur=bool(slur))
            for own, row, slur in zip(acts, found, slurs, strict=True)
        ]
        return Done(found, acts, risks)


def abuse(
    views: Views, linear_logits: Floats, plain: NDArray[np.bool_], *, lang: str, share: float,
    slope: Sequence[float],
    offset: Sequence[float],
) -> Floats:  # fmt: skip
    """The probability of abuse `(n,)`: each register's, mixed by how likely the text is of it.

    The registers of racist posts and of slurs are mostly abuse, for they were collected so; a
    text that is `plain`, without any word of abuse, is weighed towards ordinary posts.
    """
    registers = ABUSE_REGISTERS if lang == "fr" else ("en",)
    joined = np.concatenate([views.of(f"abuse_{name}") for name in registers], axis=1)
    joined = joined + share * linear_logits[:, : len(registers)]
    each = sigmoid(joined * np.array(slope) + np.array(offset))
    if lang != "fr":
        return np.asarray(each[:, 0])
    gate = gates(views.of("abuse_register"), linear_logits[:, -len(registers) :])
    gate = np.where(plain[:, None], gate * np.array(_PLAIN_WEIGHTS), gate)
    return np.asarray((gate * each).sum(axis=1) / gate.sum(axis=1))


def is_plain(hits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which texts hold no insult, slur, rude word or sign that somebody is aimed at."""
    names = ("acts/abuse", "acts/abuse.strong", "acts/abuse.weak", "acts/abuse.aim")
    return np.asarray(hits[:, [lexicons.place(name) for name in names]].sum(axis=1) == 0)


def risk(acts: Sequence[str], *, p_abuse: float, has_slur: bool) -> str:
    """One of RISKS: what a text does, from a piece of information to what the law may punish.

    A threat, or hatred that is near certain and holds a slur, is only *suspected*: a person
    decides (law sheet, rule 11).
    """
    if "threat" in acts or (has_slur and p_abuse >= _SURE):
        return RISKS[3]
    if "abuse" in acts:
        return RISKS[2]
    return RISKS[1] if any(act in _CONTESTED for act in acts) else RISKS[0]
