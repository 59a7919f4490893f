"""An invented town's warehouse, filled by the test: mentions, scores, the hours of the past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from models.acts import ACTS
from pipelines import counts
from pipelines.mention import MENTION_SCHEMA, mention_id, text_hash
from pipelines.rule_cases import empty as empty
from pipelines.settings import Institution, Mail, Recipient, Settings, Shift, SourceBlock, Subject

# 11:25 in Paris, a Friday.
AS_OF = datetime(2026, 11, 20, 10, 25, tzinfo=UTC)
MODERATOR = "astreinte@valmorin.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One mention: what a test wants to say of it, the rest is invented."""

    at: datetime
    text: str
    author: str = "0" * 64
    subject: str = "eau"
    network: str = "mastodon"
    sentiment: str = "neutral"
    topics: tuple[str, ...] = ()
    is_own: bool = False
    shares: int | None = None
    url: str | None = None
    precision: str = "second"
    acts: tuple[str, ...] = ()
    risk: str | None = None
    services: tuple[str, ...] = ()


def settings(home: Path, **changes: Any) -> Settings:
    """The settings of Valmorin, with one moderator on call."""
    values: dict[str, Any] = {
        "home": home,
        "institution": Institution(
            id="valmorin", name="Valmorin", kind="commune", legal_basis="délibération 2026-1"
        ),
        "subjects": (
            Subject(id="eau", label="Eau", purpose="répondre aux habitants sur l'eau"),
            Subject(id="ville", label="Ville", purpose="répondre aux habitants de la ville"),
        ),
        "sources": (SourceBlock(name="mastodon", kind="mastodon"),),
        "recipients": (
            Recipient(name="Astreinte", email=MODERATOR, role="moderator", gets=("alerts",)),
            Recipient(
                name="Exploitation",
                email="exploitation@valmorin.example",
                role="operator",
                gets=("failures",),
            ),
        ),
        "rota": (),
        "mail": Mail(security="none", sender="Vigie <vigie@valmorin.example>"),
    }
    return Settings(**(values | changes))


def shift(email: str, first: str, last: str) -> Shift:
    """A shift of the rota, from ISO dates."""
    return Shift(email=email, from_on=first, to_on=last)  # type: ignore[arg-type]


def counted(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the counts of every moment that has a mention, as a load does."""
    counts.begin(connection)
    connection.execute("insert into touched_moment select distinct published_at from mention")
    counts.refresh(connection)


def say(connection: duckdb.DuckDBPyConnection, said: Iterable[Said]) -> None:
    """Load mentions with their scores."""
    rows = list(said)
    numbers = [f"{i}-{row.at.isoformat()}-{row.text}" for i, row in enumerate(rows)]
    mentions = pa.Table.from_pylist(
        [mention_row(row, number) for row, number in zip(rows, numbers, strict=True)],
        schema=MENTION_SCHEMA,
    )
    append(connection, "mention", mentions)
    scores = [score_row(row, number) for row, number in zip(rows, numbers, strict=True)]
    if scores:
        append(connection, "score", pa.Table.from_pylist(scores))


def append(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Add rows to a table, by the names of their columns."""
    connection.register("fresh_rows", rows)
    connection.execute(f"insert into {table} by name from fresh_rows")
    connection.unregister("fresh_rows")


def mention_row(said: Said, number: str) -> dict[str, Any]:
    """A mention as the table holds it."""
    values: dict[str, Any] = dict.fromkeys(MENTION_SCHEMA.names)
    values.update(
        mention_id=mention_id(said.network, number),
        source=said.network,
        source_name=said.network,
        network=said.network,
        native_id=number,
        content_type="post",
        collected_via="search",
        subject_ids=[said.subject],
        url=said.url,
        text=said.text,
        text_truncated=False,
        text_hash=text_hash(said.text),
        lang="fr",
        published_at=said.at,
        published_precision=said.precision,
        published_clamped=False,
        first_seen_at=said.at,
        last_seen_at=said.at,
        author_key=said.author,
        is_own=said.is_own,
        share_count=said.shares,
        hashtags=[],
        mentioned_handles=[],
        urls=[],
        media_types=[],
        visibility="public",
        optout=False,
        retention_until=said.at.date() + timedelta(days=30),
        connector_version="1",
        schema_version=1,
        run_id="test",
    )
    return values


def score_row(said: Said, number: str) -> dict[str, Any]:
    """Its score."""
    return {
        "mention_id": mention_id(said.network, number),
        "scorer_id": "test",
        "text_hash": text_hash(said.text),
        "lang": "fr",
        "p_negative": 0.9 if said.sentiment == "negative" else 0.1,
        "sentiment": said.sentiment,
        "topics": list(said.topics),
        "topic_p": [0.9] * len(said.topics),
        "acts": list(said.acts),
        "act_p": [0.9 if act in said.acts else 0.0 for act in ACTS],
        "risk": said.risk,
        "aspects": list(said.services),
        "scored_at": said.at,
        "published_at": said.at,
    }


def quiet_history(
    connection: duckdb.DuckDBPyConnection,
    *,
    until: datetime = AS_OF,
    days: int = 28,
    rate: float = 16.0,
    subject: str = "eau",
    scopes: Sequence[str] = ("all",),
    negative_share: float = 0.25,
    seed: int = 1,
) -> None:
    """Hours of an even Poisson rhythm before `until`, as the load step counts them."""
    dice = np.random.default_rng(seed)
    end = until.replace(minute=0, second=0, microsecond=0)
    rows = []
    for hours in range(1, days * 24 + 1):
        for scope in scopes:
            count = int(dice.poisson(rate if scope == "all" else rate / 20))
            if count:
                rows.append(
                    {
                        "hour_at": end - timedelta(hours=hours),
                        "subject_id": subject,
                        "scope": scope,
                        "mention_count": count,
                        "scored_count": count,
                        "negative_count": int(dice.binomial(count, negative_share)),
                        "positive_count": 0,
                        "author_count": count,
                    }
                )
    append(connection, "hourly", pa.Table.from_pylist(rows))


def crowd(
    count: int,
    *,
    until: datetime = AS_OF,
    minutes: float = 55,
    text: str = "L'eau est coupée rue {number}",
    **changes: Any,
) -> list[Said]:
    """`count` mentions by as many people, evenly over the `minutes` before `until`."""
    gap = timedelta(minutes=minutes) / count
    return [
        Said(
            at=until - gap * (i + 0.5),
            text=text.format(number=i),
            author=f"{i:064x}",
            **changes,
        )
        for i in range(count)
    ]
