"""What the people of Valbrume write in two weeks, from a seed: the same seed, the same weeks.

An ordinary rhythm (nights, lunch, evenings, calmer week-ends), about 450 posts a day, and one
crisis that builds up over the afternoon of `CRISIS_ON`.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Paris")
FIRST_ON = date(2026, 9, 21)
LAST_ON = date(2026, 10, 4)
CRISIS_ON = date(2026, 10, 1)
SEED = 20260921

# Mentions an hour of an ordinary weekday, by local hour: a night trough, lunch, evening.
RHYTHM = (4, 2, 1, 1, 1, 3, 9, 19, 24, 21, 19, 21, 30, 27, 20, 19, 22, 28, 36, 38, 37, 32, 22, 11)
WEEKEND = 0.7
# Extra mentions an hour on the day of the crisis, and what they speak of.
SURGE = {14: 25, 15: 70, 16: 130, 17: 190, 18: 210, 19: 180, 20: 140, 21: 90, 22: 45, 23: 20}
NETWORKS = {"mastodon": 0.22, "bluesky": 0.38, "export": 0.4}

PHRASES: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One post of the town: when (UTC), where, by whom (a number), what, in answer to nothing."""

    at: datetime
    network: str
    author: int
    text: str
    likes: int
    shares: int
    replies: int
    is_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of the Courrier de la Sorne, the town's invented paper."""

    at: datetime
    title: str
    body: str
    slug: str


def two_weeks(seed: int = SEED) -> tuple[list[Told], list[Article]]:
    """Every post and article of the two weeks, by time."""
    dice = random.Random(seed)
    told: list[Told] = []
    articles: list[Article] = []
    for number in range((LAST_ON - FIRST_ON).days + 1):
        day = FIRST_ON + timedelta(days=number)
        told += _ordinary(dice, day)
        articles += _press(dice, day)
        if day == CRISIS_ON:
            told += _crisis(dice, day)
    return sorted(told, key=lambda t: t.at), sorted(articles, key=lambda a: a.at)


def _ordinary(dice: random.Random, day: date) -> Iterator[Told]:
    themes = PHRASES["themes"]
    weights = [theme["weight"] for theme in themes]
    for hour, usual in enumerate(RHYTHM):
        mean = usual * (WEEKEND if day.weekday() >= 5 else 1.0)
        for _ in range(_poisson(dice, mean)):
            theme = dice.choices(themes, weights)[0]
            tone = dice.choices(("negative", "neutral", "positive"), (0.3, 0.45, 0.25))[0]
            yield _told(dice, day, hour, _said(dice, dice.choice(theme[tone]), tone))
    for _ in range(6):
        noise = dice.choice(PHRASES["noise"]["posts"])
        yield _told(dice, day, dice.randint(8, 22), noise)
    for hour in (9, 17):
        yield _own(dice, day, hour, dice.choice(PHRASES["own"]["posts"]))


def _crisis(dice: random.Random, day: date) -> Iterator[Told]:
    crisis = PHRASES["crisis"]
    for hour, extra in SURGE.items():
        shares = {"feu": max(0.2, 1.0 - (hour - 14) * 0.12), "eau": min(0.6, (hour - 14) * 0.1)}
        shares["rumeur"] = 0.0 if hour < 16 else 0.18
        for _ in range(_poisson(dice, extra)):
            kind = dice.choices(list(shares), list(shares.values()))[0]
            if kind == "rumeur":
                text = crisis[kind]["negative"][0] + dice.choice(crisis[kind]["suffixes"])
            else:
                tone = "negative" if dice.random() < 0.72 else dice.choice(("neutral", "positive"))
                phrases = crisis[kind][tone] or crisis[kind]["negative"]
                text = _said(dice, dice.choice(phrases), tone)
            yield _told(dice, day, hour, text, first_minute=20 if hour == 14 else 0, heat=4)
    for hour, text in zip((16, 19), PHRASES["own"]["crisis"], strict=True):
        yield _own(dice, day, hour, text)


def _press(dice: random.Random, day: date) -> Iterator[Article]:
    press = PHRASES["press"]
    hours = [7, 11, 12, 17, 18]
    titles = [dice.choice(press["titles"]) for _ in hours]
    if day == CRISIS_ON:
        hours += [15, 17, 20, 22]
        titles += press["crisis_titles"]
    for number, (hour, title) in enumerate(zip(hours, titles, strict=True)):
        at = _moment(day, hour, dice.randint(0, 59), dice.randint(0, 59))
        yield Article(
            at=at,
            title=_filled(dice, title),
            body=_filled(dice, dice.choice(press["bodies"])),
            slug=f"{day:%Y%m%d}-{number}",
        )


def _said(dice: random.Random, phrase: str, tone: str) -> str:
    slots = PHRASES["slots"]
    body = _filled(dice, phrase)
    opener = dice.choice(slots["opener"])
    body = opener + body if opener else body[0].upper() + body[1:]
    return f"{body}.{dice.choice(slots['closer'][tone])}".replace("?.", "?").replace("!.", "!")


def _filled(dice: random.Random, phrase: str) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] == "ville":
            return dice.choices(("Valbrume", "#Valbrume", "@valbrume"), (0.75, 0.17, 0.08))[0]
        return str(dice.choice(PHRASES["slots"][match[1]]))

    return re.sub(r"\{(\w+)\}", fill, phrase)


def _told(
    dice: random.Random, day: date, hour: int, text: str, *, first_minute: int = 0, heat: int = 1
) -> Told:
    network = dice.choices(list(NETWORKS), list(NETWORKS.values()))[0]
    return Told(
        at=_moment(day, hour, dice.randint(first_minute, 59), dice.randint(0, 59)),
        network=network,
        author=dice.randint(1, 40) if dice.random() < 0.2 else dice.randint(41, 2500),
        text=text,
        likes=int(dice.expovariate(0.3)) * heat,
        shares=int(dice.expovariate(0.8)) * heat,
        replies=int(dice.expovariate(0.9)) * heat,
    )


def _own(dice: random.Random, day: date, hour: int, text: str) -> Told:
    at = _moment(day, hour, 5, dice.randint(0, 59))
    said = _filled(dice, text)
    likes, shares, replies = dice.randint(4, 40), dice.randint(0, 15), dice.randint(0, 12)
    return Told(
        at=at,
        network="mastodon",
        author=0,
        text=said,
        likes=likes,
        shares=shares,
        replies=replies,
        is_own=True,
    )


def _moment(day: date, hour: int, minute: int, second: int) -> datetime:
    return datetime.combine(day, time(hour, minute, second), tzinfo=ZONE).astimezone(UTC)


def _poisson(dice: random.Random, mean: float) -> int:
    """A Poisson number by counting exponential gaps (mean below a few hundred)."""
    count, spent = -1, 0.0
    while spent < mean:
        spent += dice.expovariate(1.0)
        count += 1
    return max(count, 0)
