"""One message through every model, with the words that moved each score (`vigie explain`).

And the places that it names, each with the marks that speak for and against it (`vigie places`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import acts, explain as explaining, heads, sentiment, stated, topics
from models.language import LANGUAGES, detect
from models.reading import Batch
from models.suite import Scores, Suite
from models.taxonomy import taxonomy
from pipelines.errors import VigieError
from pipelines.places import Named, finder, gazetteer
from pipelines.score import load_suite

WORDS = 5  # shown of each score
_LONGEST = 30  # characters of a word that is shown

Chances = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Line:
    """One score: its name, what it says, the words that moved it with their effect in points."""

    what: str
    says: str
    words: str


def explain(text: str, *, lang: str | None = None, model: str = "embedded") -> list[Line]:
    """What every model says of a text, in the language stated or else found.

    VigieError for an empty text, a language that is none, or a model that is not there.
    """
    _check(text)
    found = _lang(lang) if lang else detect([text])[0]
    own = load_suite(tone=model)
    said = own.score([text], [found])
    return [Line("language", found or "undetermined", ""), *_lines(text, found, own, said)]


def explain_places(
    text: str, *, territory: Sequence[str] = (), is_about: bool = False
) -> list[Line]:
    """Every name in a text that might be a place's, and why it is one or none.

    `territory` and `is_about` as in `places.Finder`. VigieError for an empty text, PlaceUnknown.
    """
    _check(text)
    named = finder(territory).explain(text, is_about=is_about)
    return [Line(n.words, _place(n), f"{n.score:+.1f}: {', '.join(n.why)}") for n in named]


def _place(named: Named) -> str:
    if named.code:
        return f"{gazetteer.place(named.code).name} ({named.code})"
    is_unsure = named.score > 0 and len(named.codes) > 1
    return f"unsure: {len(named.codes)} places bear the name" if is_unsure else "no place"


def _check(text: str) -> None:
    if not text.strip():
        raise VigieError("there is no text: write the message in quotes")


def _lang(said: str) -> str:
    if own := stated.code(said):
        return own
    raise VigieError(
        f"--lang {said[:20]!r} names no language: write two letters ({', '.join(LANGUAGES)}), or "
        "leave it out, and it is found"
    )


def _lines(text: str, lang: str | None, own: Suite, said: Scores) -> Iterator[Line]:
    def moved(score: Callable[[Batch], Chances]) -> str:
        return moved_words(text, lambda texts: score(Batch(texts, [lang] * len(texts))))

    chances = said.tone.probabilities[0]
    if np.isnan(chances).any():
        yield Line("tone", "undetermined: no model reads this language", "")
    else:
        place = int(chances.argmax())
        says = ", ".join(
            f"{name} {100 * chance:.0f} %"
            for name, chance in zip(sentiment.LABELS, chances, strict=True)
        )
        if said.tone.labels[0] == sentiment.UNDETERMINED:
            says += ": undetermined"
        yield Line("tone", says, moved(lambda b: own.tone.score_batch(b).probabilities[:, place]))
    if np.isnan(said.p_political[0]):
        return
    for name, chance in (("irony", said.p_irony[0]), ("political", said.p_political[0])):
        column = heads.columns_of([name])[0]
        yield Line(name, f"{100 * chance:.0f} %", moved(lambda b, c=column: b.chances[:, c]))  # type: ignore[misc]
    yield from _named(said, moved, own)


def _named(
    said: Scores, moved: Callable[[Callable[[Batch], Chances]], str], own: Suite
) -> Iterator[Line]:
    """Topics, acts, risk and services that were found."""
    labels = {topic.id: topic.label_fr for topic in taxonomy()}
    for topic in said.found.topics[0]:
        place = topics.LABELS.index(topic)
        chance = said.found.probabilities[0, place]
        seconds = [s.split("/")[1] for s in said.subtopics[0] if s.startswith(f"{topic}/")]
        says = f"{labels[topic]} {100 * chance:.0f} %" + (
            f" ({', '.join(seconds)})" * bool(seconds)
        )
        words = moved(lambda b, p=place: own.subject.score_batch(b).probabilities[:, p])  # type: ignore[misc]
        yield Line(f"topic {topic}", says, words)
    for act in said.done.acts[0]:
        place = acts.ACTS.index(act)
        chance = said.done.probabilities[0, place]
        words = moved(lambda b, p=place: own.doing.score_batch(b).probabilities[:, p])  # type: ignore[misc]
        yield Line(f"act {act}", f"{100 * chance:.0f} %", words)
    yield Line("risk", said.done.risks[0] or "undetermined", "")
    if said.services[0]:
        yield Line("services", ", ".join(said.services[0]), "")


def moved_words(text: str, score: explaining.Score, *, count: int = WORDS) -> str:
    """The words that moved a score most, for it or against it, each with its effect in points."""
    top = explaining.strongest(explaining.effects(text, score), count=count)
    return ", ".join(f"{_bare(each.word)} {100 * each.effect:+.0f}" for each in top)


def _bare(word: str) -> str:
    """A word as it is listed: cut, and without the comma or full stop that stood behind it."""
    return cut(word.rstrip(",;:.") or word, _LONGEST)


def cut(text: str, limit: int) -> str:
    """A text on one line, its end left out when it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
