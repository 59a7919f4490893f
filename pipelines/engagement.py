"""How the institution's own posts fare, and whether it answers those who ask it.

Every figure is a row of `sql/queries/digest_engagement.sql` or `digest_answers.sql`; here they
are only sorted and given names. Own posts are compared with the usual own post and, where
`[engagement]` names any, with posts of other public institutions: never with a person's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal, get_args

Dimension = Literal["format", "hour", "topic"]
LEAST_POSTS = 3  # of a format, an hour or a topic, for its median to be shown
MOST_LINES = 4  # of each dimension
MOST_WAITING = 3  # questions shown without an answer
IN_TIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fare:
    """What one post of a kind brings: medians, None where no count is known; `rate` 0..1."""

    post_count: int
    replies: float | None
    shares: float | None
    reactions: float | None
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FareLine:
    """One format, hour or topic: own posts beside those of the chosen institutions."""

    dimension: Dimension
    value: str
    own: Fare
    compared: Fare | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A question that nobody answered in public, as far as was heard."""

    mention_id: str
    network: str
    url: str | None
    text: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The questions of seven days: how many, how many answered, how fast, which wait.

    `minutes` is the median time to the first own reply; `in_time_count` came within a day.
    """

    question_count: int
    answered_count: int
    in_time_count: int
    minutes: float | None
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """Four weeks of own posts, `usual` over all of them; `compared_to` labels, in their order."""

    usual: Fare | None
    compared: Fare | None
    compared_to: tuple[str, ...]
    lines: tuple[FareLine, ...]
    answers: Answers


def engagement(
    fares: Sequence[Mapping[str, Any]],
    answers: Iterable[Mapping[str, Any]],
    *,
    compared_to: Sequence[str],
) -> Engagement:
    """The rows of the two queries, sorted; lines of three own posts or more, most posts first."""
    found = {(r["who"], r["dimension"], r["part"]): _fare(r) for r in fares}
    return Engagement(
        usual=found.get(("own", "all", "all")),
        compared=found.get(("compared", "all", "all")),
        compared_to=tuple(compared_to),
        lines=tuple(line for name in get_args(Dimension) for line in _lines(name, found)),
        answers=_answers(list(answers)),
    )


def _fare(row: Mapping[str, Any]) -> Fare:
    return Fare(
        post_count=row["post_count"],
        replies=row["reply_median"],
        shares=row["share_median"],
        reactions=row["reaction_median"],
        rate=row["rate"],
    )


def _lines(name: Dimension, found: Mapping[tuple[str, str, str], Fare]) -> list[FareLine]:
    """The values of one dimension that enough own posts have; none where there is only one."""
    own = [
        FareLine(
            dimension=name,
            value=value,
            own=fare,
            compared=_enough(found.get(("compared", name, value))),
        )
        for (who, dimension, value), fare in found.items()
        if who == "own" and dimension == name and fare.post_count >= LEAST_POSTS
    ]
    return own[:MOST_LINES] if len(own) > 1 else []


def _enough(fare: Fare | None) -> Fare | None:
    return fare if fare and fare.post_count >= LEAST_POSTS else None


def _answers(rows: Sequence[Mapping[str, Any]]) -> Answers:
    spans = [r["answered_at"] - r["published_at"] for r in rows if r["answered_at"] is not None]
    return Answers(
        question_count=len(rows),
        answered_count=len(spans),
        in_time_count=sum(span <= IN_TIME for span in spans),
        minutes=median(spans) / timedelta(minutes=1) if spans else None,
        waiting=tuple(_waiting(row) for row in rows if row["answered_at"] is None)[:MOST_WAITING],
    )


def _waiting(row: Mapping[str, Any]) -> Waiting:
    names = ("mention_id", "network", "url", "text", "published_at")
    return Waiting(**{name: row[name] for name in names})
