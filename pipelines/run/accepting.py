"""Payloads of a run to mentions, kept or put aside with a reason."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import (
    attention as measures,
    landing,
    normalise,
    places,
    privacy,
    sources,
    subjects,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.attention import ATTENTION_SCHEMA, Attention
from pipelines.errors import ContractBroken, in_short
from pipelines.house import House as House, house as house
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    Deletion,
    Mention,
    Rejection,
    to_table,
)
from pipelines.run.counted import Count
from pipelines.run.names import landed_paths, planned, receipt_of, staging, until_of, write_json
from pipelines.run.telling import report_failure
from pipelines.settings import SourceBlock

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000  # bounds the memory of accept; 63 columns of short text are about 60 MB


def accept(house: House, run: str) -> dict[str, int]:
    """Payloads of every source of the run to accepted mentions; the counts over all sources.

    A batch that is not what the table promises stops its source, not the others, and so does
    whatever else breaks it: the operators are told, the reading counts as failed, and its cursor
    stays.
    """
    folder = staging(house.home, run)
    names = planned(house, run)
    settings = house.settings
    matcher = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    finder = places.finder(settings.institution.territory)
    key = privacy.read_key(house.home, house.environ)
    counts: dict[str, Count] = {}
    results: list[dict[str, Any]] = []
    with Tables(folder) as tables:
        for name in names:
            counts[name] = Count()
            receipt = receipt_of(folder, name)
            if landed_paths(receipt):
                measured: list[Attention] = []
                try:
                    found = normalised(
                        house, run, receipt, matcher, finder, key, counts[name], measured
                    )
                    accept_source(found, tables, counts[name], results)
                except ContractBroken as error:
                    counts[name].broken = str(error)
                except Exception as error:  # whatever one source meets, the others go on
                    log.error("source.broken source=%s error=%s", name, in_short(error))
                    kind = type(error).__name__  # its words may be somebody's text
                    counts[name].broken = f"{kind} while its payloads were read: see the log"
                tables.attention.write_table(_measured(house, run, name, measured))
    for name, repeated in _repeats(folder / "mentions.parquet"):
        counts[name].duplicates += repeated
        counts[name].accepted -= repeated
    write_json(folder / "accepted.json", {n: asdict(c) for n, c in counts.items()})
    write_json(folder / "validation.json", results)
    for name, count in counts.items():
        if count.broken:
            log.error("contract.broken source=%s error=%s", name, count.broken)
            dag, at = run.partition("-")[0] if "-" in run else "watch", until_of(run)
            task = f"accept {name}"
            report_failure(house, dag=dag, task=task, run=run, error=count.broken, now=at)
    fields = [f for f, value in asdict(Count()).items() if isinstance(value, int)]
    total = {f: sum(asdict(c)[f] for c in counts.values()) for f in fields}
    log.info("mentions.accepted run=%s %s", run, " ".join(f"{k}={v}" for k, v in total.items()))
    return total


def normalised(
    house: House,
    run: str,
    receipt: Mapping[str, Any],
    matcher: subjects.Matcher,
    finder: places.Finder,
    key: bytes,
    count: Count,
    measured: list[Attention],
) -> Iterator[Mention | Deletion | Rejection]:
    """What the payloads of one source become; what measures and is no mention is put aside."""
    block = house.block(receipt["name"])
    source = sources.load(block.kind)
    parsed = _parsed(house.home, landed_paths(receipt), source, block, count, measured)
    return normalise.normalise(
        parsed,
        settings=house.settings,
        block=block,
        manifest=source.MANIFEST,
        key=key,
        matcher=matcher,
        finder=finder,
        run_id=run,
        seen_at=_seen_at(receipt, run),
        is_held="is_held" in receipt,
    )


def _seen_at(receipt: Mapping[str, Any], run: str) -> datetime:
    """When what was landed was heard: at the end of the run, or when a reader landed it."""
    told = receipt.get("seen_at")
    return datetime.fromisoformat(told) if told else until_of(run)


def _parsed(
    home: Path,
    paths: Iterable[str],
    source: sources.Source,
    block: SourceBlock,
    count: Count,
    measured: list[Attention],
) -> Iterator[tuple[sources.Parsed, str]]:
    for path in paths:
        if not (home / path).exists():  # an erasure has taken all of it since
            log.warning("landing.missing source=%s", block.name)
            continue
        for number, payload in enumerate(landing.read(home / path)):
            for item in _items(payload, source, block, count):
                count.posts += 1
                if isinstance(item, Attention):
                    measured.append(item)
                else:
                    yield item, f"{path}#{number}"


def _measured(house: House, run: str, name: str, measured: list[Attention]) -> pa.Table:
    """The measures of one source with whose reading they are."""
    block = house.block(name)
    return measures.to_table(
        measured,
        source_name=name,
        subject_id=block.subject,
        seen_at=until_of(run),
        run_id=run,
    )


def _items(
    payload: sources.Payload, source: sources.Source, block: SourceBlock, count: Count
) -> Iterator[sources.Yielded]:
    """What a payload holds, and a rejection where its parser breaks.

    Raised, the error of one payload would stop every source, in this run and in all that follow.
    """
    try:
        yield from source.parse(payload, block.options)
    except (
        Exception
    ) as error:  # any parser may fail in its own way, with people's text in its words
        count.unreadable += 1
        name = type(error).__name__
        log.error("payload.unreadable source=%s error=%s", block.name, name)
        detail = f"{name} while a payload of kind {payload.kind!r} was parsed"
        yield Rejection(source=block.kind, native_id=None, reason="unreadable", detail=detail)


def accept_source(
    found: Iterator[Mention | Deletion | Rejection],
    tables: Tables,
    count: Count,
    results: list[dict[str, Any]],
) -> None:
    from pipelines import accept as acceptance

    while batch := list(islice(found, BATCH_ROWS)):
        deletions = [item for item in batch if isinstance(item, Deletion)]
        refused = [item for item in batch if isinstance(item, Rejection)]
        stored = [item for item in refused if item.reason != normalise.OFF_SUBJECT]
        count.off_subject += len(refused) - len(stored)
        mentions = [item for item in batch if isinstance(item, Mention)]
        if mentions:
            accepted = acceptance.accept(to_table(mentions, MENTION_SCHEMA))
            tables.mentions.write_table(accepted.table)
            stored += accepted.rejections
            results += accepted.results
            # News of a post that may be held and names no subject any more is no new mention.
            held = pc.equal(pc.list_value_length(accepted.table["subject_ids"]), 0)
            news_count = pc.sum(held).as_py() or 0
            count.off_subject += news_count
            count.accepted += accepted.table.num_rows - news_count
            count.duplicates += accepted.duplicate_count
            if replaced := _replaced(mentions):
                checked = acceptance.accept(to_table(replaced, MENTION_SCHEMA))
                tables.replaced.write_table(checked.table)
        tables.deletions.write_table(to_table(deletions, DELETION_SCHEMA))
        tables.rejections.write_table(to_table(stored, REJECTION_SCHEMA))
        count.deleted += len(deletions)
        count.rejected += len(stored)


def _replaced(mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions of a batch that another of the same key follows with other words: edits."""
    last: dict[str, Mention] = {}
    found: list[Mention] = []
    for mention in reversed(mentions):
        later = last.setdefault(mention.mention_id, mention)
        if mention.text_hash != later.text_hash and mention.text:
            found.append(mention)
    return found[::-1]


class Tables:
    """The four Parquet files of `accept`, each written aside and renamed at a good end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def __enter__(self) -> Tables:
        self.mentions = self._writer("mentions", MENTION_SCHEMA)
        self.replaced = self._writer("replaced", MENTION_SCHEMA)
        self.deletions = self._writer("deletions", DELETION_SCHEMA)
        self.rejections = self._writer("rejections", REJECTION_SCHEMA)
        self.attention = self._writer("attention", ATTENTION_SCHEMA)
        return self

    def _writer(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        aside = self._files.enter_context(written_aside(self._folder / f"{name}.parquet"))
        writer = pq.ParquetWriter(aside, schema, compression="zstd")
        return self._files.enter_context(writer)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)


def _repeats(mentions: Path) -> list[tuple[str, int]]:
    """How many rows of each source repeat a key of an earlier batch; DuckDB spills if it must."""
    with warehouse.in_memory() as connection:
        rows = warehouse.run(connection, "writes/count_repeats", {"path": str(mentions)})
        return [(name, repeated) for name, repeated in rows.fetchall() if repeated]
