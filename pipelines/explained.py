"""One message through every model, with the words that moved each score (`vigie explain`).

And the places that it names, each with the marks that speak for and against it (`vigie places`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import acts, explain as explaining, heads, lexicons, sentiment, stated, topics
from models.language import LANGUAGES, detect
from models.reading import Batch
from models.suite import Scores, Suite
from pipelines.errors import VigieError
from pipelines.places import Named, finder, gazetteer
from pipelines.said import say
from pipelines.scopes import label
from pipelines.score import load_suite
from pipelines.wording import Words

SHOWN = 5  # words of each score
_LONGEST = 30  # characters of a word that is shown

Chances = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Line:
    """One score: its name, what it says, the words that moved it with their effect in points."""

    what: str
    says: str
    words: str


def explain(
    text: str, *, spoken: Words, lang: str | None = None, model: str = "embedded"
) -> list[Line]:
    """What every model says of a text, in the language stated or else found, in words of `spoken`.

    VigieError for an empty text, a language that is none, or a model that is not there.
    """
    _check(text)
    found = _lang(lang) if lang else detect([text])[0]
    own = load_suite(tone=model)
    said = own.score([text], [found])
    name = spoken.language(found) if found else spoken.text("explain.no_language")
    first = Line(spoken.text("explain.language"), name, "")
    return [first, *_lines(text, found, own, said, spoken)]


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
        raise VigieError(say("there is no text: write the message in quotes"))


def _lang(said: str) -> str:
    if own := stated.code(said):
        return own
    raise VigieError(
        say(
            "--lang {value!r} names no language: write two letters ({known}), or leave it out, and "
            "it is found",
            value=said[:20],
            known=", ".join(LANGUAGES),
        )
    )


def _lines(text: str, lang: str | None, own: Suite, said: Scores, spoken: Words) -> Iterator[Line]:
    def moved(score: Callable[[Batch], Chances]) -> str:
        return moved_words(text, lambda texts: score(Batch(texts, [lang] * len(texts))))

    chances = said.tone.probabilities[0]
    tone = spoken.text("explain.tone")
    if np.isnan(chances).any():
        yield Line(tone, spoken.text("explain.unread"), "")
    else:
        place = int(chances.argmax())
        says = _tones(said, spoken)
        yield Line(tone, says, moved(lambda b: own.tone.score_batch(b).probabilities[:, place]))
    if np.isnan(said.p_political[0]):
        return
    for name, chance in (("irony", said.p_irony[0]), ("political", said.p_political[0])):
        column = heads.columns_of([name])[0]
        says = spoken.percent(chance)
        yield Line(spoken.text(f"explain.{name}"), says, moved(lambda b, c=column: b.chances[:, c]))  # type: ignore[misc]
    yield from _named(said, moved, own, spoken)


def _tones(said: Scores, spoken: Words) -> str:
    """The chance of each tone, and whether none is sure enough to be told."""
    says = ", ".join(
        f"{spoken.text(f'tones.{name}')} {spoken.percent(chance)}"
        for name, chance in zip(sentiment.LABELS, said.tone.probabilities[0], strict=True)
    )
    is_unsure = said.tone.labels[0] == sentiment.UNDETERMINED
    return spoken.say("explain.also", says=says) if is_unsure else says


def _named(
    said: Scores,
    moved: Callable[[Callable[[Batch], Chances]], str],
    own: Suite,
    spoken: Words,
) -> Iterator[Line]:
    """Topics, acts, risk and services that were found."""
    for topic in said.found.topics[0]:
        place = topics.LABELS.index(topic)
        says = f"{label(topic, spoken.locale)} {_percent(said.found.probabilities, place, spoken)}"
        if seconds := [s.split("/")[1] for s in said.subtopics[0] if s.startswith(f"{topic}/")]:
            says = spoken.say("explain.second", says=says, listed=", ".join(seconds))
        words = moved(lambda b, p=place: own.subject.score_batch(b).probabilities[:, p])  # type: ignore[misc]
        yield Line(spoken.say("explain.topic", id=topic), says, words)
    for act in said.done.acts[0]:
        place = acts.ACTS.index(act)
        name = lexicons.described(f"acts/{act}")["label"][spoken.locale]
        says = f"{name} {_percent(said.done.probabilities, place, spoken)}"
        words = moved(lambda b, p=place: own.doing.score_batch(b).probabilities[:, p])  # type: ignore[misc]
        yield Line(spoken.text("explain.act"), says, words)
    risk = said.done.risks[0]
    shown = f"risks.{risk.replace(' ', '_')}" if risk else "explain.undetermined"
    yield Line(spoken.text("explain.risk"), spoken.text(shown), "")
    if said.services[0]:
        named = ", ".join(_service(each, spoken) for each in said.services[0])
        yield Line(spoken.text("explain.services"), named, "")


def _percent(chances: Chances, place: int, spoken: Words) -> str:
    return spoken.percent(chances[0, place])


def _service(named: str, spoken: Words) -> str:
    """A service by its label, with the tone towards it where two differ."""
    name, _, tone = named.partition(":")
    service = label(f"service:{name}", spoken.locale)
    if not tone:
        return service
    return spoken.say("explain.toned", service=service, tone=spoken.text(f"tones.{tone}"))


def moved_words(text: str, score: explaining.Score, *, count: int = SHOWN) -> str:
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
