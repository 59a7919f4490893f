"""How well stories are grouped on real days whose topics are known, and how long a large day takes.

    python -m tests.bench.bench_stories /data/replay

The folder holds `airline_feb2015.parquet` (tweets at airlines with the reason of complaint) and
`crisislex_t26.parquet` (CrisisLexT26: tweets by crisis); no text of theirs is in this repository.
Four days: two real ones of each set, as they stood; then all thirteen crises as one span without a
past, and as if on one day, which is harder. Words only is what unusual words and copies find; by
meaning joins groups after that.

Purity: the share of texts in stories that have the commonest label of theirs. Completeness: the
share of all labelled texts that stand in the largest story of their label. B-cubed (Bagga and
Baldwin, 1998): precision and recall of each text's story, a text in no story alone.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from pipelines import stories
from pipelines.brief import Message
from tests.pipelines import valmont

Labels = Mapping[str, str | None]
AIRLINE = """
    select text, created_at, nullif(negative_reason, 'Can''t Tell') from $file
    where text is not null and created_at >= $since and created_at < $until
    order by created_at, tweet_id
"""
CRISES = """
    select text, created_at, if(informativeness = 'Not related', null, event) from $file
    where text is not null and created_at >= $since and created_at < $until
    order by hash(tweet_id)
"""
AS_ONE_DAY = CRISES.replace("text, created_at,", "text, $since + (created_at - created_at::date),")
DAYS = {
    "airlines, 22 February 2015": (AIRLINE, "airline_feb2015", "2015-02-22", 1),
    "airlines, 23 February 2015": (AIRLINE, "airline_feb2015", "2015-02-23", 1),
    "two crises, 1 December 2013": (CRISES, "crisislex_t26", "2013-12-01", 1),
    "two crises, 5 September 2012": (CRISES, "crisislex_t26", "2012-09-05", 1),
    "thirteen crises, 2012 and 2013": (CRISES, "crisislex_t26", "2012-01-01", 1000),
    "the same as one day": (AS_ONE_DAY, "crisislex_t26", "2012-01-01", 1000),
}
LARGE = 100_000
Made = TypeVar("Made")


def main() -> None:
    """Print both tables."""
    folder = Path(sys.argv[1])
    print("day | texts | way | stories | purity | completeness | precision | recall | F1")
    for name, day in DAYS.items():
        messages, labels, background = _read(folder, *day)
        found = stories.bundles(messages)
        for way, by_meaning in (("words only", False), ("by meaning", True)):
            parts = stories.grouped(found, background, by_meaning=by_meaning)
            told = [[m.mention_id for b in bundles for m in b.messages] for bundles, _ in parts]
            figures = " | ".join(f"{figure:.3f}" for figure in measures(told, labels))
            print(f"{name} | {len(messages)} | {way} | {len(told)} | {figures}")
    _timed()


def _read(
    folder: Path, query: str, name: str, first: str, days: int
) -> tuple[list[Message], Labels, list[str]]:
    since = datetime.fromisoformat(first).replace(tzinfo=UTC)
    connection = duckdb.connect()
    source = query.replace("$file", f"'{folder / name}.parquet'")
    rows = _rows(connection, source, since, since + timedelta(days=days))
    before = _rows(connection, source, since - timedelta(days=14), since) if days == 1 else []
    once: dict[str, list[Any]] = {}
    for text, at, label in rows:
        once.setdefault(text, [at, label, 0])[2] += 1
    messages = [
        _message(n, text, at, count) for n, (text, (at, _, count)) in enumerate(once.items())
    ]
    labels = {m.mention_id: once[m.text][1] for m in messages}
    return messages, labels, [text for text, *_ in before]


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, since: datetime, until: datetime
) -> list[Any]:
    connection.execute("set timezone = 'UTC'")
    return connection.execute(query, {"since": since, "until": until}).fetchall()


def _message(number: int, text: str, at: datetime, count: int) -> Message:
    made = valmont.row(text, at, number=number).mention
    return Message(
        mention_id=made.mention_id,
        text_hash=made.text_hash,
        text=text,
        title=None,
        url=None,
        network="x",
        origin="x",
        relay_id=None,
        first_at=at,
        count=count,
        sentiment=None,
        topics=(),
        hours={at.replace(minute=0, second=0, microsecond=0): count},
        origins={"x": count},
        mention_ids=(made.mention_id,),
    )


def measures(told: Sequence[Sequence[str]], labels: Labels) -> tuple[float, ...]:
    """Purity, completeness, B-cubed precision, recall and their mean (F1), over labelled texts."""
    story = {mention: number for number, part in enumerate(told) for mention in part}
    labelled = {i: (label, story.get(i, f"alone {i}")) for i, label in labels.items() if label}
    both = Counter(labelled.values())
    by_label = Counter(label for label, _ in labelled.values())
    by_story = Counter(where for _, where in labelled.values())
    inside = {key: n for key, n in both.items() if isinstance(key[1], int)}
    purest = sum(
        max((n for k, n in inside.items() if k[1] == s), default=0) for s in range(len(told))
    )
    largest = sum(
        max((n for k, n in inside.items() if k[0] == label), default=0) for label in by_label
    )
    precision = sum(n * n / by_story[where] for (_, where), n in both.items()) / len(labelled)
    recall = sum(n * n / by_label[label] for (label, _), n in both.items()) / len(labelled)
    return (
        purest / max(sum(inside.values()), 1),
        largest / len(labelled),
        precision,
        recall,
        2 * precision * recall / (precision + recall),
    )


def _timed() -> None:
    """A day of distinct texts: words thrown together, one text in five on one of six matters."""
    dice = random.Random(20261126)
    usual = [word for n in range(8_000) for word in (f"{_syllables(n)}", f"{_syllables(n)}ment")]
    matters = [[f"{_syllables(n)}{name}" for n in range(12)] for name in "bcdfgl"]
    texts = [_thrown(dice, usual, matters if n % 5 == 0 else ()) for n in range(LARGE)]
    before = [_thrown(dice, usual, ()) for _ in range(20_000)]
    start = datetime(2026, 11, 19, tzinfo=UTC)
    day = [
        _message(n, text, start + timedelta(seconds=n % 86_400), 1) for n, text in enumerate(texts)
    ]
    found, joining = _spent(lambda: stories.bundles(day))
    _, by_words = _spent(lambda: stories.grouped(found, before, by_meaning=False))
    told, by_both = _spent(lambda: stories.grouped(found, before))
    print(f"{len(found):,} texts, none a copy, {len(told)} stories, seconds of one core: ", end="")
    print(f"near-copies {joining:.1f}, words only {by_words:.1f}, by meaning {by_both:.1f}")


def _thrown(dice: random.Random, usual: Sequence[str], matters: Sequence[Sequence[str]]) -> str:
    words = dice.choices(usual, k=14)
    return " ".join(words + (dice.sample(dice.choice(matters), k=5) if matters else []))


def _syllables(number: int) -> str:
    """A word that nobody has heard, one for each number."""
    parts = ("ba", "ri", "to", "lu", "me", "cha", "vou", "nin", "gre", "po")
    return "".join(parts[int(digit)] for digit in f"{number:04}")


def _spent(step: Callable[[], Made]) -> tuple[Made, float]:
    started = time.process_time()
    return step(), time.process_time() - started


if __name__ == "__main__":
    main()
