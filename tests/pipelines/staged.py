"""What a run hands to load: staged Parquet files of invented mentions, and a warehouse for them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import attention as measures, load, warehouse, words
from pipelines.attention import Attention
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    Deletion,
    Mention,
    Rejection,
    mention_id,
    text_hash,
    to_table,
)
from pipelines.settings import Institution, Settings, SourceBlock, Subject

SEEN = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
RUN = "20261120T101500Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """The lineage of invented scores."""

    scorer_id: str = "models-1"
    sentiment_model_id: str = "s"
    sentiment_weights_sha256: str = "0"
    topics_model_id: str = "t"
    topics_weights_sha256: str = "1"
    code_version: str = "0.1.0"
    thresholds: str = "{}"


def settings(home: Path, **changes: Any) -> Settings:
    """An institution with two subjects and two sources."""
    values: dict[str, Any] = {
        "home": home,
        "institution": Institution(
            id="valbrume", name="Ville de Valbrume", kind="commune", legal_basis="délibération 12"
        ),
        "subjects": tuple(
            Subject(id=name, label=name.title(), purpose="répondre aux habitants")
            for name in ("ville", "tram")
        ),
        "sources": (
            SourceBlock(name="masto", kind="mastodon"),
            SourceBlock(name="presse", kind="feed"),
        ),
    }
    return Settings(**(values | changes))


def mention(number: int = 1, **changes: Any) -> Mention:
    """An invented mention; `number` makes its key."""
    text = changes.get("text", f"Le tram est en panne ({number})")
    subject_ids = changes.get("subject_ids", ("ville",))
    source = changes.get("source", "mastodon")
    native_id = changes.get("native_id", f"n{number}")
    seen_at = changes.get("last_seen_at", SEEN)
    values: dict[str, Any] = dict.fromkeys(f.name for f in fields(Mention))
    values |= {
        "mention_id": mention_id(source, native_id),
        "source": source,
        "source_name": "masto",
        "network": "mastodon",
        "native_id": native_id,
        "content_type": "post",
        "collected_via": "search",
        "subject_ids": ("ville",),
        "url": f"https://social.example/@quidam/{number}",
        "text": text,
        "text_truncated": False,
        "text_hash": text_hash(text),
        "lang": "fr",
        "published_at": SEEN - timedelta(minutes=number),
        "published_precision": "second",
        "published_clamped": False,
        "first_seen_at": seen_at,
        "last_seen_at": seen_at,
        "metrics_at": seen_at,
        "author_key": f"{number:064x}",
        "author_kind": "person",
        "is_own": False,
        "hashtags": (),
        "mentioned_handles": (),
        "urls": (),
        "media_types": (),
        "visibility": "public",
        "optout": False,
        "retention_until": date(2026, 12, 20),
        "raw_ref": f"landing/masto/2026-11-20/{RUN}.jsonl.zst#{number}",
        "connector_version": "1",
        "schema_version": 1,
        "run_id": RUN,
        "words": words.read(text, title=changes.get("title")).stored,
        "query_versions": tuple(f"{subject_id}@given" for subject_id in subject_ids),
    }
    return Mention(**(values | changes))


def intake(**changes: Any) -> load.Intake:
    """The coverage of one source block in one run."""
    values: dict[str, Any] = dict.fromkeys((f.name for f in fields(load.Intake)), 0)
    values |= {
        "run_id": RUN,
        "source_name": "masto",
        "source": "mastodon",
        "since_at": SEEN - timedelta(minutes=5),
        "until_at": SEEN,
        "status": "ok",
        "is_capped": False,
        "gap_since_at": None,
        "gap_until_at": None,
        "note": None,
        "finished_at": SEEN,
        "cursor": {"after": 1},
        "cursor_run_id": None,
        "gaps": (),
    }
    return load.Intake(**(values | changes))


def score(of: Mention, **changes: Any) -> dict[str, Any]:
    """What the models said of a mention."""
    values: dict[str, Any] = {
        "mention_id": of.mention_id,
        "scorer_id": "models-1",
        "text_hash": of.text_hash,
        "lang": "fr",
        "p_negative": 0.8,
        "p_neutral": 0.1,
        "p_positive": 0.1,
        "sentiment": "negative",
        "sentiment_score": -0.7,
        "topics": ["T09"],
        "topic_p": [0.9],
        "subtopics": [],
        "acts": ["complaint"],
        "act_p": [0.9],
        "risk": "contested",
        "p_irony": 0.1,
        "p_political": 0.6,
        "aspects": ["transport"],
        "scored_at": SEEN,
    }
    return values | changes


def measure(day: int, views: int, **changes: Any) -> Attention:
    """How often an invented page was read `day` days before SEEN."""
    at = SEEN.replace(hour=0, minute=0) - timedelta(days=day)
    values: dict[str, Any] = {
        "source": "wikipedia",
        "native_id": f"fr.wikipedia:views:Valbrume:{at:%Y%m%d}",
        "kind": "page_views",
        "about": "Valbrume",
        "url": "https://fr.wikipedia.org/wiki/Valbrume",
        "measured_at": at,
        "span_seconds": 86_400,
        "value": float(views),
    }
    return Attention(**(values | changes))


_TEXTS = pa.list_(pa.string())
_SCORES = pa.schema(
    [(name, pa.string()) for name in ("mention_id", "scorer_id", "text_hash", "lang")]
    + [(name, pa.float32()) for name in ("p_negative", "p_neutral", "p_positive")]
    + [("sentiment", pa.string()), ("sentiment_score", pa.float32()), ("topics", _TEXTS)]
    + [("topic_p", pa.list_(pa.float32())), ("subtopics", _TEXTS), ("acts", _TEXTS)]
    + [("act_p", pa.list_(pa.float32())), ("risk", pa.string()), ("p_irony", pa.float32())]
    + [("p_political", pa.float32()), ("aspects", _TEXTS)]
    + [("scored_at", pa.timestamp("us", tz="UTC"))]
)


def stage(
    folder: Path,
    mentions: Iterable[Mention] = (),
    *,
    scores: Iterable[dict[str, Any]] = (),
    deletions: Iterable[Deletion] = (),
    rejections: Iterable[Rejection] = (),
    attention: Iterable[Attention] = (),
    replaced: Iterable[Mention] = (),
    asked: Iterable[Mention] = (),
    run_id: str = RUN,
    intakes: Iterable[load.Intake] = (),
    heard: Iterable[load.Heard] = (),
    row_group: int | None = None,
) -> load.Staged:
    """The files of one run, as accept and score write them."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "mentions": to_table(mentions, MENTION_SCHEMA),
        "scores": pa.Table.from_pylist(list(scores), schema=_SCORES),
        "deletions": to_table(deletions, DELETION_SCHEMA),
        "rejections": to_table(rejections, REJECTION_SCHEMA),
        "attention": measures.to_table(
            attention, source_name="wiki", subject_id="ville", seen_at=SEEN, run_id=run_id
        ),
        "replaced": to_table(replaced, MENTION_SCHEMA),
        "asked": to_table(asked, MENTION_SCHEMA).select(["mention_id", "source_name"]),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=row_group)
    return load.Staged(
        run_id=run_id,
        intake=tuple(intakes),
        heard=tuple(heard),
        scorer=Scorer(),
        **{name: folder / f"{name}.parquet" for name in tables},
    )


@cache
def _empty() -> Path:
    """A warehouse of settings like these, migrated: once a process, to be copied."""
    home = Path(tempfile.mkdtemp(prefix="vigie-empty-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    warehouse.prepare(settings(home))
    return home / warehouse.WAREHOUSE


def prepared(made: Settings) -> None:
    """What `warehouse.prepare` leaves in a home that has no warehouse yet, in a third of the time:
    what the settings tell is written as ever, the migrations are those of a copy.
    """
    made.home.mkdir(parents=True, exist_ok=True)
    if not (made.home / warehouse.WAREHOUSE).exists():
        shutil.copyfile(_empty(), made.home / warehouse.WAREHOUSE)
    warehouse.prepare(made)


@contextmanager
def stored(
    home: Path, mentions: Iterable[Mention] = (), **staged: Any
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open warehouse of `home`, prepared, with these mentions loaded."""
    prepared(settings(home))
    with warehouse.opened(home) as connection:
        load.load(connection, stage(home / "staging" / RUN, mentions, **staged), loaded_at=SEEN)
        yield connection


TABLES = (
    *("mention", "score", "hourly", "daily", "quarantine", "intake", "source_cursor", "scorer"),
    *("heard", "gap", "source_hour", "source_start"),
    "attention",
    *("mention_metric", "mention_version", "recheck", "listened"),
)


def checksums(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """A fingerprint of every table that load writes, whatever the order of its rows."""
    return {
        name: connection.execute(f"select count(*), sum(hash(t)) from {name} as t").fetchone()  # noqa: S608
        for name in TABLES
    }


def one(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> Any:
    """The first value of the first row."""
    row = connection.execute(query, list(values)).fetchone()
    return row[0] if row else None
