"""`vigie models evaluate --gold` without a file: the models in use on the institution's gold set.

Nothing touches the network and nothing is written. Texts that are kept are scored anew; of one that
has expired the stored score counts, where the same models made it. The warehouse is open while rows
are read, not while models run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models import lineage, sentiment
from models.sentiment import LABELS as TONES
from models.suite import Scores, Suite
from pipelines import gold_set, house, labels, score, warehouse
from pipelines.console import out, table, words
from pipelines.errors import VigieError
from pipelines.gold_set import DIMENSIONS, LEAST, Dimension, Figure, Gold
from pipelines.settings import Settings

_NEXT = (
    "Next: draw messages with `vigie labels draw`, label them on the board (/board/labels), and "
    "run this again"
)
_HEADS = ("of", "figure", "messages", "weigh\nas", "value", "95 %\ninterval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The gold set with what the models in use say of each message that they could judge."""

    model_id: str
    judged: tuple[Gold, ...]
    expired_count: int
    open_count: int


def evaluate(home: Path, *, model: str = "") -> None:
    """Print how good the models in use are here; `model` puts another in the place of the tone's.

    VigieError where there is no gold answer yet, with what to do.
    """
    settings = house.read(home, environ=os.environ)
    own = _stored(settings)
    with out.status("score the gold set"):
        found = examined(own, _suite(settings, model))
    _print(found, settings)
    if "+gold-" in found.model_id:
        out.print(
            "\nThe gold head may have learnt from these messages (`vigie labels export`, then "
            "`vigie models gold`): its figures of tone flatter it."
        )


def _stored(settings: Settings) -> list[Gold]:
    warehouse.prepare(settings)
    with warehouse.opened(settings.home, read_only=True) as connection:
        own = gold_set.gold(labels.answers(connection))
    if not any(each.answers for each in own):
        raise VigieError(f"{settings.home} has no gold answer yet. {_NEXT}")
    return own


def _suite(settings: Settings, model: str) -> Suite:
    """The models that the institution uses, or another for the tone."""
    tone = model or settings.models.sentiment
    if tone == "gold":
        tone = str(settings.home / "models" / sentiment.GOLD_FILE)
    return score.load_suite(tone=tone, subject=settings.models.topics)


def examined(own: Sequence[Gold], suite: Suite) -> Examined:
    """The gold set judged by these models, those whose text and score are gone left out."""
    read = [each for each in own if each.text is not None]
    said = suite.score([each.text or "" for each in read], [each.lang for each in read])
    by_task = {each.task_id: _said(said, place) for place, each in enumerate(read)}
    here = lineage.scorer(suite.tone, suite.subject, suite.doing).scorer_id
    kept = {g.task_id: g.said for g in own if g.text is None and g.scorer_id == here}
    known = by_task | kept
    return Examined(
        model_id=suite.model_id,
        judged=tuple(replace(g, said=known[g.task_id]) for g in own if g.task_id in known),
        expired_count=sum(each.task_id not in known for each in own),
        open_count=sum(bool(each.disputed) for each in own),
    )


def _said(said: Scores, place: int) -> dict[Dimension, Hashable]:
    """What models say of one text, without what no model reads."""
    found: dict[Dimension, Hashable] = {}
    chances = said.tone.probabilities[place]
    if not np.isnan(chances[0]):
        found["tone"] = TONES[int(chances.argmax())]
    if not np.isnan(said.found.probabilities[place][0]):
        found["topics"] = frozenset(said.found.topics[place])
    if not np.isnan(said.done.probabilities[place][0]):
        found["acts"] = frozenset(said.done.acts[place])
    return found


def parts(own: Sequence[Gold], dimension: Dimension) -> tuple[list[Gold], list[Gold]]:
    """The messages of the random part, and the chosen ones, that have an answer of both sides."""
    judged = [g for g in own if dimension in g.answers and dimension in g.said]
    return [g for g in judged if g.part == "random"], [g for g in judged if g.part != "random"]


def random_figures(own: Sequence[Gold], dimension: Dimension) -> list[Figure]:
    """Estimates for all that there was to draw from; none of fewer than LEAST messages."""
    if len(own) < LEAST:
        return []
    return _figures(own, dimension, gold_set.weights(own))


def chosen_figures(own: Sequence[Gold], dimension: Dimension) -> list[Figure]:
    """Figures of the messages that were chosen, each counting once."""
    return _figures(own, dimension, np.ones(len(own))) if own else []


def _figures(own: Sequence[Gold], dimension: Dimension, weigh: gold_set.Floats) -> list[Figure]:
    truth = [each.answers[dimension] for each in own]
    return gold_set.figures(truth, [each.said[dimension] for each in own], weigh, dimension)


# --- printed


def _print(found: Examined, settings: Settings) -> None:
    out.print(words(f"Gold set of {settings.institution.name}, {found.model_id}", style="bold"))
    counts = Counter("random" if each.part == "random" else "chosen" for each in found.judged)
    out.print(
        f"{len(found.judged)} messages judged, {counts['random']} drawn by chance and "
        f"{counts['chosen']} chosen; {found.open_count} with a disagreement to settle, "
        f"{found.expired_count} left out (the text has expired, and other models scored it)"
    )
    halves = {dimension: parts(found.judged, dimension) for dimension in DIMENSIONS}
    _print_random({d: own for d, (own, _) in halves.items()})
    chosen = [(d, f) for d, (_, own) in halves.items() for f in chosen_figures(own, d)]
    if chosen:
        out.print("\nChosen because models doubt them, or a moderator did: where models fail, and")
        out.print("nothing of the whole.")
        out.print(table(_HEADS, _lines(chosen)))


def _print_random(halves: dict[Dimension, list[Gold]]) -> None:
    told = [(d, figure) for d, own in halves.items() for figure in random_figures(own, d)]
    if told:
        out.print("\nDrawn by chance: estimates for all messages of others that there were to draw")
        out.print("from, copies once.")
        out.print(table(_HEADS, _lines(told)))
    if few := {d: len(own) for d, own in halves.items() if len(own) < LEAST}:
        listed = ", ".join(f"{count} of {dimension}" for dimension, count in few.items())
        out.print(
            words(
                f"\nToo few gold answers drawn by chance for a figure: {listed}; {LEAST} are "
                f"needed. {_NEXT}."
            )
        )


def _lines(told: Sequence[tuple[Dimension, Figure]]) -> list[tuple[str, ...]]:
    """Figures in points of 100."""
    return [
        (
            dimension,
            own.name,
            str(own.count),
            f"{own.effective:.0f}",
            "–" if np.isnan(own.value) else f"{100 * own.value:.1f}",
            "–" if np.isnan(own.value) else f"{100 * own.low:.1f}–{100 * own.high:.1f}",
        )
        for dimension, own in told
    ]
