"""An invented month of an institution in a warehouse of its own, to rehearse alert mails with.

What invented people write (`templates/rehearsal.toml`) is scored by the models and loaded by the
load step as real mentions are, so that rules, mails and pages say of it what they would say.
Nothing of the institution's own warehouse is read or written. Costs a few seconds once, and one for
each letter.
"""

from __future__ import annotations

import random
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines import load, score, warehouse
from pipelines.mention import MENTION_SCHEMA, Mention, mention_id, text_hash, to_table
from pipelines.settings import Institution, Settings, SourceBlock

DAYS = 28  # of quiet before; what a baseline learns from
SOURCES = (
    SourceBlock(name="mastodon", kind="mastodon", every_minutes=15),
    SourceBlock(name="bluesky", kind="bluesky", every_minutes=15),
    SourceBlock(name="presse", kind="feed", every_minutes=15, silent_after_minutes=1440),
)
READ_EVERY = timedelta(minutes=15)
_NETWORKS = (("mastodon", "mastodon", 45), ("bluesky", "bluesky", 45), ("presse", "press", 10))
_HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 7, 9, 8, 6, 6, 7, 9, 11, 12, 10, 8, 5, 3)
_A_DAY = 150
_DAY = timedelta(days=1)
_OFFICE = re.compile(r"^(?:ville|commune|mairie)\s+(?:de\s+|d['’])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """`count` messages of a theme by as many people, evenly over `minutes` from `start` on."""

    theme: str
    start: datetime
    minutes: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One invented message."""

    text: str
    at: datetime
    author: int
    title: str | None = None
    url: str | None = None


def begin(settings: Settings, *, midnight: datetime) -> None:
    """Fill the warehouse of `settings.home` with a quiet month and two days from `midnight` on.

    The month has been read, a day at a time; `readings` makes the windows of what follows.
    """
    warehouse.prepare(settings)
    dice = random.Random(7)  # noqa: S311 - the same month every time
    town = _town(settings.institution)
    days = [midnight + ago * _DAY for ago in range(-DAYS, 2)]
    quiet = [said for day in days for said in _day(dice, town, day)]
    windows = [(name, day, day + _DAY) for day in days if day < midnight for name in _names()]
    add(settings, quiet, windows=windows, as_of=midnight)


def _names() -> list[str]:
    return [block.name for block in SOURCES]


def _town(who: Institution) -> str:
    """What people call the place: "Vendôme", where the institution is "Ville de Vendôme"."""
    return who.place or _OFFICE.sub("", who.name)


def _day(dice: random.Random, town: str, day: datetime) -> Iterator[Said]:
    for _ in range(dice.randint(_A_DAY - 12, _A_DAY + 12)):
        hour = dice.choices(range(24), _HOURS)[0]
        at = day + timedelta(hours=hour, seconds=dice.randrange(3600))
        yield Said(text=_text(dice, "quiet", town), at=at, author=dice.randrange(900))


def waves(given: Iterable[Wave], settings: Settings) -> list[Said]:
    """The messages of some waves, the same every time."""
    dice = random.Random(11)  # noqa: S311 - the same wave every time
    town = _town(settings.institution)
    return [
        Said(
            text=_text(dice, wave.theme, town),
            at=wave.start + timedelta(minutes=wave.minutes) * ((n + 0.5) / wave.count),
            author=1000 + n,
        )
        for wave in given
        for n in range(wave.count)
    ]


def _text(dice: random.Random, theme: str, town: str) -> str:
    slots, themes = _written()
    chosen = {name: dice.choice(values) for name, values in slots.items()}
    text = dice.choice(themes[theme]).format(town=town, n=dice.choice((2, 4, 7)), **chosen)
    return text[:1].upper() + text[1:]


@lru_cache(maxsize=1)
def _written() -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    path = files("pipelines") / "templates" / "rehearsal.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return found["slots"], found["themes"]


def readings(
    since: datetime, until: datetime, *, but: Mapping[str, datetime]
) -> list[tuple[str, datetime, datetime]]:
    """The windows that were read, a quarter of an hour each; a source named in `but` stops then."""
    found = []
    while since < until:
        after = min(since + READ_EVERY, until)
        found += [(name, since, after) for name in _names() if after <= but.get(name, until)]
        since = after
    return found


def add(
    settings: Settings,
    said: Sequence[Said],
    *,
    windows: Sequence[tuple[str, datetime, datetime]],
    as_of: datetime,
    failed: Sequence[tuple[str, datetime, datetime]] = (),
) -> None:
    """Score what was said and load it with the windows in which it was read, as a run does."""
    intake = [_reading(window, "ok") for window in windows]
    intake += [_reading(window, "failed") for window in failed]
    with tempfile.TemporaryDirectory() as folder:
        mentions, scores = Path(folder) / "mentions.parquet", Path(folder) / "scores.parquet"
        subject = settings.subjects[0].id
        rows = [_mention(each, n, subject, as_of) for n, each in enumerate(said)]
        pq.write_table(to_table(rows, MENTION_SCHEMA), mentions)
        scored = score.score(mentions, scores, models=settings.models, scored_at=as_of)
        staged = load.Staged(
            run_id=f"{as_of:%Y%m%dT%H%M%SZ}",
            mentions=mentions,
            scores=scores,
            intake=tuple(intake),
            scorer=scored.scorer,
        )
        with warehouse.opened(settings.home) as connection:
            load.load(connection, staged, loaded_at=as_of)


def _reading(window: tuple[str, datetime, datetime], status: str) -> load.Intake:
    name, since, until = window
    nothing = dict.fromkeys(
        ("gap_since_at", "gap_until_at", "note", "cursor", "cursor_run_id"),
    )
    counts = dict.fromkeys((f"{part}_count" for part in _COUNTS), 0) | {"accepted_count": 1}
    values: dict[str, Any] = {**nothing, **counts, "is_capped": False, "status": status}
    return load.Intake(
        run_id=f"{until:%Y%m%dT%H%M%SZ}",
        source_name=name,
        source=name,
        since_at=since,
        until_at=until,
        finished_at=until,
        **values,
    )


_COUNTS = ("payload", "post", "accepted", "rejected", "off_subject", "duplicate", "deleted")


def _mention(said: Said, number: int, subject: str, as_of: datetime) -> Mention:
    dice = random.Random(f"{said.at} {number}")  # noqa: S311 - the same every time
    name, network, _ = dice.choices(_NETWORKS, [weight for *_, weight in _NETWORKS])[0]
    native = f"{as_of:%Y%m%d%H%M}-{number}"
    values: dict[str, Any] = dict.fromkeys(field.name for field in MENTION_SCHEMA)
    values |= dict.fromkeys(("hashtags", "mentioned_handles", "urls", "media_types"), ())
    values |= dict.fromkeys(("text_truncated", "published_clamped", "is_own", "optout"), False)
    values |= {
        "mention_id": mention_id(network, native),
        "source": network,
        "source_name": name,
        "source_instance": f"{network}.example",
        "network": network,
        "native_id": native,
        "content_type": "post",
        "collected_via": "search",
        "subject_ids": (subject,),
        "url": said.url or f"https://{network}.example/p/{number}",
        "title": said.title,
        "text": said.text,
        "text_hash": text_hash(said.text),
        "lang": "fr",
        "published_at": said.at,
        "published_precision": "second",
        "first_seen_at": said.at + timedelta(minutes=3),
        "last_seen_at": said.at + timedelta(minutes=3),
        "author_key": f"{said.author:064x}",
        "visibility": "public",
        "retention_until": (said.at + timedelta(days=30)).date(),
        "connector_version": "1",
        "schema_version": 1,
        "run_id": f"{as_of:%Y%m%dT%H%M%SZ}",
    }
    return Mention(**values)
