"""Why a message of an alert has its tone and topics: the words that moved it, the terms found.

Made when a mail is due and kept with the incident, so that what is looked at afterwards is what
was told then, by the models of then. Costs a score of up to 121 texts a message (`models.explain`),
about 20 ms once the models are read. Words are people's own: they expire with the mails.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from models import explain, lexicons, reading, sentiment, terms
from models.explain import Effect, Score
from models.sentiment import LABELS, SentimentModel
from models.taxonomy import taxonomy

log = logging.getLogger(__name__)

MOST_WORDS = 4
MOST_TERMS = 4
LONGEST = 40  # characters; what is longer is a link or an attack on the layout
_AROUND = string.punctuation + "«»“”‘’…–—¿¡\u00a0\u202f"

Loader = Callable[[], SentimentModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A word and what its presence adds to the probability of the tone (-1..1)."""

    word: str
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one message rests on: words by how much they moved `tone`, terms of its topics."""

    mention_id: str
    tone: str
    words: tuple[Moved, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was shown with one letter about an incident."""

    at: datetime
    kind: str
    messages: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message to explain, as it was scored."""

    mention_id: str
    title: str | None
    text: str
    lang: str | None
    tone: str
    topics: tuple[str, ...]

    @property
    def whole(self) -> str:
        """What the models read: the title with its text."""
        if not self.title or self.text.startswith(self.title):
            return self.text
        return f"{self.title}. {self.text}"


def explained(asked: Iterable[Asked], *, load: Loader) -> dict[str, Explanation]:
    """The explanation of each message by its id; none at all where a model cannot be used.

    An alert without its reasons is better than none, so that no error of a model passes.
    """
    try:
        model = load()
        return {each.mention_id: _explained(each, model) for each in asked}
    except Exception as error:
        log.warning("alert.without_reasons reason=%s", type(error).__name__)
        return {}


def _explained(asked: Asked, model: SentimentModel) -> Explanation:
    return Explanation(
        mention_id=asked.mention_id,
        tone=asked.tone,
        words=_words(explain.effects(asked.whole, _score(asked, model))),
        terms=_terms(asked),
    )


def _score(asked: Asked, model: SentimentModel) -> Score:
    """The probability of the message's tone; of a negative one where that is undetermined."""
    place = LABELS.index(asked.tone) if asked.tone in LABELS else 0

    def chances(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.score(texts, [asked.lang] * len(texts)).probabilities[:, place]

    return chances


def _words(found: Sequence[Effect]) -> tuple[Moved, ...]:
    """The words that moved the tone most, each once, without the signs around them."""
    moved: dict[str, Moved] = {}
    for each in explain.strongest(found, count=len(found)):
        word = each.word.strip(_AROUND)
        if 0 < len(word) <= LONGEST and word.casefold() not in moved:
            moved[word.casefold()] = Moved(word=word, effect=round(each.effect, 3))
    return tuple(moved.values())[:MOST_WORDS]


def _terms(asked: Asked) -> tuple[str, ...]:
    """The terms of the message's topics, as the models read them, without their marks."""
    known = {topic.id for topic in taxonomy()}
    labels = [lexicons.place(topic) for topic in asked.topics if topic in known]
    lang = asked.lang or "fr"
    found = (
        term
        for piece in reading.read([asked.whole], lang=lang).pieces
        for term in terms.shown(piece, terms.find(piece, lang=lang), labels)[0]
    )
    plain = [term for term in found if "‹" not in term and len(term) <= LONGEST]
    return tuple(dict.fromkeys(plain))[:MOST_TERMS]


def loader(name: str) -> Loader:
    """What loads the tone model of that name, once a process."""
    return partial(_loaded, name)


@lru_cache(maxsize=1)
def _loaded(name: str) -> SentimentModel:
    return sentiment.load(name)
