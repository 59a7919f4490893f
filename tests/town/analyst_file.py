"""The analysts' file of the invented town, for notebooks: two weeks, read by the shipped models.

Its posts and scores are loaded as a run loads them; nobody is asked over a network. Takes about
fifteen seconds; a second call finds the file there.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from pipelines import analyst, load, publish, score, warehouse
from pipelines.mention import Mention
from tests.pipelines import staged
from tests.town.life import Told, two_weeks

MADE = datetime(2026, 10, 4, 22, 0, tzinfo=UTC)
HOME = Path(__file__).parents[2] / ".vigie" / "notebooks"
_SCORED = ("p_negative", "p_neutral", "p_positive", "sentiment", "sentiment_score", "topics")
_SCORED += ("acts", "risk", "p_irony", "p_political", "aspects")


def home() -> Path:
    """The home that notebooks read: VIGIE_HOME where it is set, else the invented town's."""
    if chosen := os.environ.get("VIGIE_HOME"):
        return Path(chosen)
    if not (HOME / analyst.FILE).exists():
        make(HOME)
    return HOME


def make(folder: Path, *, kept: Callable[[Told], bool] = lambda _told: True) -> Path:
    """Make the town's warehouse and published file in `folder`, of the posts that are `kept`; the
    path of that file."""
    told = [each for each in two_weeks()[0] if kept(each)]
    answers = {number: told.index(own) for number, own in _answered(told)}
    mentions = [_mention(number, each, answers) for number, each in enumerate(told)]
    scores = [staged.score(of, **row) for of, row in zip(mentions, _scores(told), strict=True)]
    warehouse.prepare(staged.settings(folder))
    with warehouse.opened(folder) as connection, TemporaryDirectory(dir=folder) as aside:
        files = staged.stage(Path(aside), mentions, scores=scores, intakes=[staged.intake()])
        load.load(connection, files, loaded_at=MADE)
    return publish.publish(folder, made_at=MADE)


def _answered(told: list[Told]) -> list[tuple[int, Told]]:
    """Each own post with the last post of the hour before it, which it stands under."""
    pairs = []
    for own in (each for each in told if each.is_own):
        before = [n for n, each in enumerate(told) if _is_just_before(each, own)]
        if before:
            pairs.append((before[-1], own))
    return pairs


def _is_just_before(each: Told, own: Told) -> bool:
    return not each.is_own and timedelta(0) < own.at - each.at < timedelta(hours=1)


def _mention(number: int, told: Told, answers: dict[int, int]) -> Mention:
    above = {own: asked for asked, own in answers.items()}
    made = staged.mention(
        number,
        text=told.text,
        network="forum" if told.network == "export" else told.network,
        source_name="exports" if told.network == "export" else told.network,
        published_at=told.at,
        author_key=f"{told.author:064x}",
        is_own=told.is_own,
        like_count=told.likes,
        share_count=told.shares,
        reply_count=told.replies,
        parent_native_id=f"n{above[number]}" if number in above else None,
    )
    media = ("image",) if told.is_own and number % 3 == 0 else ()
    return replace(made, media_types=media, first_seen_at=told.at, last_seen_at=told.at)


def _scores(told: list[Told]) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        source, to = Path(folder) / "in.csv", Path(folder) / "out.parquet"
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "lang"), *((t.text, "fr") for t in told)])
        score.score_file(source, to, text="text", lang="lang", workers=1)
        rows = pq.read_table(to).to_pylist()
    topics = [f"topic_p_T{n:02}" for n in range(1, 21)]
    return [
        {name: row[name] for name in _SCORED} | {"topic_p": [row[name] for name in topics]}
        for row in rows
    ]
