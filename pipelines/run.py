"""The steps of a run in their order: what the DAGs and the command line both call.

A run is one window of time. Its steps hand over paths under `staging/<run id>`, never tables,
so each can be killed at any instant and run again, on any worker that sees the home:

    plan      which sources are due, from which cursor         plan.json
    collect   one source: payloads as received                 landed/<source name>.json
    accept    payloads to mentions, kept or quarantined        mentions, deletions, rejections
              (measures that are no mention are put aside)     attention
    score     mentions to scores, without authors              scores.parquet
    load      one transaction: rows, counts, cursors
    alert     rules at a moment, incidents, mails

This module puts the stages together, so it is the one place that may import them all.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.lineage import Scorer
from pipelines import (
    accept as acceptance,
    attention as measures,
    budget,
    detect,
    digest as digests,
    gaps,
    landing,
    load as loading,
    normalise,
    notify,
    places,
    privacy,
    publish,
    query_history,
    retention,
    score as scoring,
    settings as reading,
    sources,
    subjects,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.attention import ATTENTION_SCHEMA, Attention
from pipelines.errors import ContractBroken, RateLimited, SourceError, VigieError
from pipelines.http import Client
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    Deletion,
    Mention,
    Rejection,
    to_table,
)
from pipelines.settings import Settings, SourceBlock

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000  # bounds the memory of accept; 63 columns of short text are about 60 MB
UNREADABLE_SHARE = 0.2  # of a reading's payloads; above it the parser is wrong, not a payload
BACKFILL = timedelta(days=7)  # gaps older than this are not filled unless they are named
RECHECK_IDS = 50  # posts looked up again a run and source, to see whether they are gone


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One institution's home, its settings and the secrets that they name."""

    settings: Settings
    secrets: Mapping[str, str]
    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        """The folder that holds everything of this institution."""
        return self.settings.home


def house(home: Path, *, environ: Mapping[str, str] | None = None) -> House:
    """The institution that lives in `home`; SettingsError with every fault of its file.

    PlaceUnknown where its territory is no place.
    """
    environ = os.environ if environ is None else environ
    settings = reading.read(home, environ=environ, source_options=sources.options_by_kind())
    places.check(settings.institution.territory)
    secrets = reading.secrets_for(settings, environ)
    return House(settings=settings, secrets=secrets, environ=environ)


def run_id(until: datetime) -> str:
    """The name of the run whose window ends at `until`; names sort as their windows do."""
    return f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def until_of(run: str) -> datetime:
    """The end of a run's window (aware UTC), or the moment of a back-fill, from its name."""
    return datetime.strptime(run.rpartition("-")[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def staging(home: Path, run: str) -> Path:
    """The folder through which the steps of a run hand over."""
    return home / "staging" / run


def plan(house: House, *, since: datetime, until: datetime) -> list[str]:
    """The names of the source blocks that this run collects, in the order of `vigie.toml`.

    The plan is written once a run: a second call finds it and changes nothing, so that a run
    that is done again reads the same windows from the same cursors. A run whose window lies
    before what is already loaded is a back-fill: it reads its own window and moves no cursor.
    A source that has asked to be left alone until after the window is left out, as one that is
    not due yet.
    """
    path = staging(house.home, run_id(until)) / "plan.json"
    if not path.exists():
        warehouse.prepare(house.settings)
        with warehouse.opened(house.home, read_only=True) as connection:
            orders = [o for o in _orders(connection, house.settings, since, until) if o]
        _write_json(path, orders)
    return planned(house, run_id(until))


def _orders(
    connection: warehouse.Connection, settings: Settings, since: datetime, until: datetime
) -> Iterator[dict[str, Any] | None]:
    known = loading.cursors(connection)
    for block in settings.sources:
        moved = known.get(block.name)
        is_backfill = moved is not None and until_of(moved.run_id) >= until
        if not is_backfill and _is_asked_to_wait(settings.home, block.name, until):
            continue
        if moved is None:
            start = until - timedelta(days=block.first_days)
            yield _order(block, None, min(since, start), until)
            continue
        done = until_of(moved.run_id)
        if is_backfill:
            yield _order(block, None, since, until, is_backfill=True)
        elif until - done >= timedelta(minutes=block.every_minutes, seconds=-30):
            ids = loading.recheck_ids(connection, block.name, as_of=until, limit=RECHECK_IDS)
            yield _order(block, moved.cursor, done, until, recheck_ids=ids)


def plan_backfill(
    house: House,
    *,
    as_of: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    names: Iterable[str] = (),
) -> str | None:
    """The name of a run that reads the past again, made at `as_of`; None where nothing is missing.

    Each source reads the span from `since` to `until`, or, where they are left out, the one that
    holds its open gaps of the last week. `names` are the source blocks, all when empty. It moves
    no cursor; what it hears is heard at `as_of`, however old, so lateness stays true.
    """
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        known = loading.cursors(connection)
        open_gaps = _open_gaps(connection, as_of)
    orders = []
    for block in house.settings.sources:
        window = (since, min(until, as_of)) if since and until else open_gaps.get(block.name)
        if window and block.name in known and block.name in (names or known):
            orders.append(_order(block, None, *window, is_backfill=True))
    if not orders:
        return None
    run = f"backfill-{run_id(as_of)}"
    _write_json(staging(house.home, run) / "plan.json", orders)
    return run


def _open_gaps(
    connection: warehouse.Connection, as_of: datetime
) -> dict[str, tuple[datetime, datetime]]:
    """The span of each source block that holds its open gaps of the last week."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for gap in gaps.gaps_of(connection, (as_of - BACKFILL, as_of)):
        if gap.filled_by is None:
            since, until = found.get(gap.source_name, gap.span)
            found[gap.source_name] = (min(since, gap.since_at), max(until, gap.until_at))
    return found


def planned(house: House, run: str) -> list[str]:
    """The names of the source blocks that a run collects."""
    path = staging(house.home, run) / "plan.json"
    return [order["name"] for order in json.loads(path.read_text())]


def _is_asked_to_wait(home: Path, name: str, until: datetime) -> bool:
    """Whether the source's last answer was to come back later than `until`."""
    receipts = sorted((home / "staging").glob(f"*/landed/{name}.json"))
    retry_at = json.loads(receipts[-1].read_text()).get("retry_at") if receipts else None
    return retry_at is not None and datetime.fromisoformat(retry_at) > until


def _order(
    block: SourceBlock,
    cursor: sources.Cursor | None,
    since: datetime,
    until: datetime,
    *,
    recheck_ids: tuple[str, ...] = (),
    is_backfill: bool = False,
) -> dict[str, Any]:
    return {
        "name": block.name,
        "cursor": cursor,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "recheck_ids": recheck_ids,
        "is_backfill": is_backfill,
    }


def collect(house: House, run: str, name: str) -> int:
    """Land what one source holds for this run; how many payloads.

    Touches the network. The outcome is written for the steps that follow, a failure too: it is
    coverage. A failure is raised again so that Airflow shows it; a source that asks to wait
    longer than a run may is no failure, and is asked again in the first run after that.
    """
    folder = staging(house.home, run)
    order = next(o for o in json.loads((folder / "plan.json").read_text()) if o["name"] == name)
    # A reading has failed until it has ended well: whatever breaks it must not pass for calm.
    receipt = {**order, "status": "failed", "path": None, "payload_count": 0, "next_cursor": None}
    receipt |= {"gaps": [], "is_capped": False, "note": "broke off: see the log of the task"}
    try:
        receipt |= _land(house, run, order)
    except RateLimited as error:
        retry_at = landing.asked_back(error)
        receipt |= {"status": "waiting", "note": str(error), "retry_at": retry_at}
    except SourceError as error:
        receipt |= {"note": str(error)}
        raise
    finally:
        _write_json(folder / "landed" / f"{name}.json", receipt)
    if receipt["status"] == "waiting":
        log.warning("source.waiting source=%s note=%s", name, receipt["note"])
    log.info("mentions.landed source=%s count=%d", name, receipt["payload_count"])
    return int(receipt["payload_count"])


def _land(house: House, run: str, order: Mapping[str, Any]) -> dict[str, Any]:
    block = _block(house.settings, order["name"])
    until = datetime.fromisoformat(order["until"])
    source = sources.load(block.kind)
    net = house.settings.net
    with (
        closing(budget.Ledger(house.home / budget.FILE)) as ledger,
        Client(
            contact=net.contact,
            allow_private=net.allow_private,
            budget=_budget(house.settings, block, ledger),
        ) as client,
    ):
        request = sources.Request(
            name=block.name,
            options=block.options,
            terms=terms(house.settings, block),
            cursor=order["cursor"],
            since=datetime.fromisoformat(order["since"]),
            until=until,
            client=client,
            home=house.home,
            secrets=house.secrets,
            recheck_ids=tuple(order["recheck_ids"]),
            is_backfill=order["is_backfill"],
        )
        at = until_of(run)
        path = landing.path_for(house.home, block.name, run, at)
        landed = landing.land(source.collect(request), path=path, fetched_at=at)
    return {
        "status": "waiting" if landed.is_halted else "ok",
        "path": str(landed.path.relative_to(house.home)) if landed.path else None,
        "payload_count": landed.payload_count,
        "next_cursor": landed.cursor,
        "gaps": [[moment.isoformat() for moment in gap] for gap in landed.gaps],
        "is_capped": landed.is_capped,
        "note": landed.note,
        "retry_at": landed.retry_at,
    }


def _budget(settings: Settings, block: SourceBlock, ledger: budget.Ledger) -> budget.Budget:
    return budget.of_block(settings, block, sources.load(block.kind).MANIFEST, ledger)


def is_priced(block: SourceBlock) -> bool:
    """Whether a source costs money by the call or item."""
    return bool(sources.load(block.kind).MANIFEST.prices)


def budgets(house: House, ledger: budget.Ledger) -> list[budget.Budget]:
    """What each source block may ask and spend, in the order of `vigie.toml`."""
    return [_budget(house.settings, block, ledger) for block in house.settings.sources]


def terms(settings: Settings, block: SourceBlock) -> sources.Terms:
    """What a source may search for: the terms of its subject, or of every subject."""
    allowed = subjects.allow_list(settings.institution, settings.relays)
    chosen = [s for s in settings.subjects if block.subject in (None, s.id)]
    wanted = [subjects.wanted(subject, allowed) for subject in chosen]
    return sources.Terms(
        names=_once(name for each in wanted for name in each.names),
        hashtags=_once(tag for each in wanted for tag in each.hashtags),
        handles=_once(handle for each in wanted for handle in each.handles),
        wild=_once(word for each in wanted for word in each.wild),
    )


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _block(settings: Settings, name: str) -> SourceBlock:
    return next(block for block in settings.sources if block.name == name)


@dataclass(slots=True)
class _Count:
    """What became of the payloads of one source; the one thing here that changes in place."""

    posts: int = 0
    accepted: int = 0
    rejected: int = 0
    off_subject: int = 0
    duplicates: int = 0
    deleted: int = 0
    unreadable: int = 0
    broken: str = ""


def accept(house: House, run: str) -> dict[str, int]:
    """Payloads of every source of the run to accepted mentions; the counts over all sources.

    A batch that is not what the table promises stops its source, not the others, and so does
    whatever else breaks it: the operators are told, the reading counts as failed, and its cursor
    stays.
    """
    folder = staging(house.home, run)
    names = [order["name"] for order in json.loads((folder / "plan.json").read_text())]
    settings = house.settings
    matcher = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    finder = places.finder(settings.institution.territory)
    key = privacy.read_key(house.home, house.environ)
    counts: dict[str, _Count] = {}
    results: list[dict[str, Any]] = []
    with _Tables(folder) as tables:
        for name in names:
            counts[name] = _Count()
            receipt = _receipt(folder, name)
            if receipt["path"]:
                measured: list[Attention] = []
                try:
                    found = _normalised(
                        house, run, receipt, matcher, finder, key, counts[name], measured
                    )
                    _accept_source(found, tables, counts[name], results)
                except ContractBroken as error:
                    counts[name].broken = str(error)
                except Exception as error:  # whatever one source meets, the others go on
                    log.exception("source.broken source=%s", name)
                    kind = type(error).__name__  # its words may be somebody's text
                    counts[name].broken = f"{kind} while its payloads were read: see the log"
                tables.attention.write_table(_measured(house, run, name, measured))
    for name, repeated in _repeats(folder / "mentions.parquet"):
        counts[name].duplicates += repeated
        counts[name].accepted -= repeated
    _write_json(folder / "accepted.json", {n: asdict(c) for n, c in counts.items()})
    _write_json(folder / "validation.json", results)
    for name, count in counts.items():
        if count.broken:
            log.error("contract.broken source=%s error=%s", name, count.broken)
            at = until_of(run)
            report_failure(
                house, dag="watch", task=f"accept {name}", run=run, error=count.broken, now=at
            )
    fields = [f for f, value in asdict(_Count()).items() if isinstance(value, int)]
    total = {f: sum(asdict(c)[f] for c in counts.values()) for f in fields}
    log.info("mentions.accepted run=%s %s", run, " ".join(f"{k}={v}" for k, v in total.items()))
    return total


def _receipt(folder: Path, name: str) -> dict[str, Any]:
    """What `collect` wrote; a source whose collector died without a word is `missing`."""
    path = folder / "landed" / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    order = next(o for o in json.loads((folder / "plan.json").read_text()) if o["name"] == name)
    lost: dict[str, Any] = {"path": None, "payload_count": 0, "next_cursor": None, "gaps": []}
    return {**order, **lost, "status": "missing", "is_capped": False, "note": "never finished"}


def _normalised(
    house: House,
    run: str,
    receipt: Mapping[str, Any],
    matcher: subjects.Matcher,
    finder: places.Finder,
    key: bytes,
    count: _Count,
    measured: list[Attention],
) -> Iterator[Mention | Deletion | Rejection]:
    """What the payloads of one source become; what measures and is no mention is put aside."""
    block = _block(house.settings, receipt["name"])
    source = sources.load(block.kind)
    parsed = _parsed(house.home, receipt["path"], source, block, count, measured)
    return normalise.normalise(
        parsed,
        settings=house.settings,
        block=block,
        manifest=source.MANIFEST,
        key=key,
        matcher=matcher,
        finder=finder,
        run_id=run,
        seen_at=until_of(run),
    )


def _parsed(
    home: Path,
    path: str,
    source: sources.Source,
    block: SourceBlock,
    count: _Count,
    measured: list[Attention],
) -> Iterator[tuple[sources.Parsed, str]]:
    for number, payload in enumerate(landing.read(home / path)):
        for item in _items(payload, source, block, count):
            count.posts += 1
            if isinstance(item, Attention):
                measured.append(item)
            else:
                yield item, f"{path}#{number}"


def _measured(house: House, run: str, name: str, measured: list[Attention]) -> pa.Table:
    """The measures of one source with whose reading they are."""
    block = _block(house.settings, name)
    return measures.to_table(
        measured,
        source_name=name,
        subject_id=block.subject,
        seen_at=until_of(run),
        run_id=run,
    )


def _items(
    payload: sources.Payload, source: sources.Source, block: SourceBlock, count: _Count
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


def _accept_source(
    found: Iterator[Mention | Deletion | Rejection],
    tables: _Tables,
    count: _Count,
    results: list[dict[str, Any]],
) -> None:
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
            count.accepted += accepted.table.num_rows
            count.duplicates += accepted.duplicate_count
        tables.deletions.write_table(to_table(deletions, DELETION_SCHEMA))
        tables.rejections.write_table(to_table(stored, REJECTION_SCHEMA))
        count.deleted += len(deletions)
        count.rejected += len(stored)


class _Tables:
    """The four Parquet files of `accept`, each written aside and renamed at a good end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def __enter__(self) -> _Tables:
        self.mentions = self._writer("mentions", MENTION_SCHEMA)
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


def score(house: House, run: str) -> int:
    """Score the accepted mentions of a run; how many. CPU only, no network."""
    return _score(house, run, at=until_of(run))


def _score(house: House, run: str, *, at: datetime) -> int:
    folder = staging(house.home, run)
    mentions, scores = folder / "mentions.parquet", folder / "scores.parquet"
    models = house.settings.models.at(house.home)
    scored = scoring.score(mentions, scores, models=models, scored_at=at)
    _write_json(folder / "scorer.json", asdict(scored.scorer))
    log.info("mentions.scored run=%s count=%d", run, scored.row_count)
    return scored.row_count


def _scorer(folder: Path) -> Scorer:
    return Scorer(**json.loads((folder / "scorer.json").read_text()))


def load(house: House, run: str) -> dict[str, int]:
    """Merge a run into the warehouse, with its cursors, in one transaction; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        mentions=folder / "mentions.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        rejections=folder / "rejections.parquet",
        attention=folder / "attention.parquet",
        intake=tuple(_intake(house.settings, folder, run)),
        scorer=_scorer(folder),
    )
    with warehouse.opened(house.home) as connection:
        loaded = loading.load(connection, staged, loaded_at=until_of(run))
        query_history.note_versions(connection, watched(house), used_at=until_of(run))
    counts = asdict(loaded)
    log.info("mentions.loaded run=%s %s", run, " ".join(f"{k}={v}" for k, v in counts.items()))
    return counts


def watched(house: House) -> tuple[subjects.Watch, ...]:
    """Every subject as it is watched now: its tree and its version."""
    settings = house.settings
    made = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    return made.watches


def _intake(settings: Settings, folder: Path, run: str) -> Iterator[loading.Intake]:
    counts = json.loads((folder / "accepted.json").read_text())
    for name, count in counts.items():
        receipt = _read_whole(_receipt(folder, name), count)
        moment = datetime.fromisoformat
        gaps = [(moment(since), moment(until)) for since, until in receipt["gaps"]]
        yield loading.Intake(
            run_id=run,
            source_name=name,
            source=_block(settings, name).kind,
            since_at=datetime.fromisoformat(receipt["since"]),
            until_at=datetime.fromisoformat(receipt["until"]),
            status=receipt["status"],
            payload_count=receipt["payload_count"],
            post_count=count["posts"],
            accepted_count=count["accepted"],
            rejected_count=count["rejected"],
            off_subject_count=count["off_subject"],
            duplicate_count=count["duplicates"],
            deleted_count=count["deleted"],
            is_capped=receipt["is_capped"],
            gap_since_at=min((since for since, _ in gaps), default=None),
            gap_until_at=max((until for _, until in gaps), default=None),
            note=receipt["note"],
            finished_at=until_of(run),
            cursor=_moved(receipt),
            cursor_run_id=_stands_at(receipt, run),
            gaps=tuple(gaps),
        )


def _moved(receipt: Mapping[str, Any]) -> sources.Cursor | None:
    """Where the next run goes on; a source that had nothing to tell has been read all the same."""
    if receipt["is_backfill"] or receipt["status"] not in ("ok", "waiting"):
        return None
    before = receipt["cursor"] if receipt["status"] == "ok" else None
    found: sources.Cursor | None = receipt["next_cursor"] or before
    return found


def _stands_at(receipt: Mapping[str, Any], run: str) -> str:
    """The run whose window a cursor has reached: of one that was read in part, the run before, so
    that the next run reads from there and the window does not pass for read."""
    is_whole = receipt["status"] == "ok"
    return run if is_whole else run_id(datetime.fromisoformat(receipt["since"]))


def _read_whole(receipt: dict[str, Any], count: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt; that of a failed reading, to be read again, where what came was no use."""
    if count["broken"]:
        return receipt | {"status": "failed", "note": count["broken"]}
    if count["unreadable"] <= UNREADABLE_SHARE * receipt["payload_count"]:
        return receipt
    note = f"{count['unreadable']} of {receipt['payload_count']} payloads broke the parser"
    return receipt | {"status": "failed", "note": note}


def alert(house: House, *, as_of: datetime) -> dict[str, int]:
    """Run every rule at `as_of`, open and close incidents, put letters in the outbox.

    A back-fill of the past wakes nobody: where a later window is loaded, no rule is run.
    """
    with warehouse.opened(house.home) as connection:
        moved = [position.run_id for position in loading.cursors(connection).values()]
        if max(moved, default="") > run_id(as_of):
            log.info("rules.skipped as_of=%s a later window is loaded", as_of.isoformat())
            return {"alerts": 0}
        alerts = detect.detect(connection, settings=house.settings, as_of=as_of)
        notify.record(connection, alerts, settings=house.settings, as_of=as_of)
    log.info("rules.evaluated as_of=%s alerts=%d", as_of.isoformat(), len(alerts))
    return {"alerts": len(alerts)}


def deliver(house: House, *, now: datetime, is_asked: bool = False) -> dict[str, int]:
    """Hand over what is due in the outbox, or all of it when a person asks; how many were sent,
    failed, and wait."""
    settings, secrets = house.settings, house.secrets
    return asdict(
        notify.deliver(house.home, settings=settings, secrets=secrets, now=now, is_asked=is_asked)
    )


def watch(
    house: House,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    progress: Callable[[str], object] = log.debug,
) -> dict[str, int]:
    """One whole run without Airflow: plan, collect, accept, score, load, alert; its counts.

    A source that fails never stops another; its error is logged and stands in the coverage.
    """
    plan(house, since=since, until=until)
    counts = _through_load(house, run_id(until), progress)
    progress("alert")
    counts |= alert(house, as_of=until)
    return counts | {f"mails_{k}": n for k, n in deliver(house, now=now).items()}


def backfill(
    house: House,
    *,
    as_of: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    names: Iterable[str] = (),
    progress: Callable[[str], object] = log.debug,
) -> dict[str, int]:
    """Read the past again without Airflow (`plan_backfill`); its counts. Wakes nobody."""
    run = plan_backfill(house, as_of=as_of, since=since, until=until, names=names)
    if run is None:
        return {"sources": 0, "sources_failed": 0}
    return _through_load(house, run, progress)


def _through_load(house: House, run: str, progress: Callable[[str], object]) -> dict[str, int]:
    """Collect, accept, score and load a run that is planned; a failing source stops no other."""
    counts = {"sources": 0, "sources_failed": 0}
    for name in planned(house, run):
        progress(f"collect {name}")
        counts["sources"] += 1
        try:
            collect(house, run, name)
        except VigieError as error:
            counts["sources_failed"] += 1
            log.error("source.failed source=%s error=%s", name, " ".join(str(error).split()))
        except Exception as error:  # as the mapped tasks of Airflow: one breaks, the others go on
            counts["sources_failed"] += 1
            log.error("source.broken source=%s error=%s", name, type(error).__name__)
    for step in (accept, score, load):
        progress(step.__name__)
        found = step(house, run)
        counts |= found if isinstance(found, dict) else {"scored": found}
    return counts


def digest(house: House, *, day: date, as_of: datetime) -> Path | None:
    """Make the digest of a local day, keep its page, put it in the outbox; the page.

    None where nothing has ever been read: Airflow starts a new home with the digest of
    yesterday, and nobody should hear of Vigie first by an empty page.
    """
    settings = house.settings
    warehouse.prepare(settings)
    with warehouse.opened(house.home) as connection:
        if not loading.cursors(connection):
            log.warning("digest.skipped day=%s: nothing has been read yet", day)
            return None
        made = digests.build(connection, settings=settings, day=day, as_of=as_of)
        locale = settings.institution.locale
        letter = digests.render(made, locale=locale)
        page = digests.save(house.home, made, letter, locale=locale)
        readers = tuple(r for r in settings.recipients if "digest" in r.gets)
        with warehouse.transaction(connection):
            digests.remember(connection, made, made_at=as_of)
            notify.enqueue(
                connection,
                letter,
                kind="digest",
                key=f"digest {day.isoformat()}",
                settings=settings,
                recipients=readers,
                as_of=as_of,
                reason="daily_digest",
            )
    return page


def expire(house: House, *, as_of: datetime) -> dict[str, Any]:
    """Delete what has had its time; the receipt."""
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home) as connection:
        return retention.expire(connection, settings=house.settings, as_of=as_of)


def published(house: House, *, as_of: datetime) -> Path:
    """Write the analysts' file anew; its path. A reader of the old one is not disturbed."""
    warehouse.prepare(house.settings)
    return publish.publish(house.home, made_at=as_of)


def docs(house: House, *, as_of: datetime) -> Path | None:
    """Build the pages on the contract of accepted data; none when no run is on disk."""
    results = list(_validations(house.home))
    return acceptance.build_docs(house.home, results, made_at=as_of) if results else None


def _validations(home: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((home / "staging").glob("*/validation.json")):
        yield from json.loads(path.read_text())


def export(house: House, *, since: datetime, until: datetime, as_of: datetime) -> str:
    """Write the stored mentions of a date range aside for scoring; the name of the run.

    Naive bounds are days of the institution.
    """
    zone = house.settings.institution.zone
    bounds = [t if t.tzinfo else t.replace(tzinfo=zone) for t in (since, until)]
    run = run_id(as_of)
    path = staging(house.home, f"rescore-{run}") / "mentions.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with warehouse.opened(house.home, read_only=True) as connection:
        loading.export(connection, path, since=bounds[0], until=bounds[1])
    return f"rescore-{run}"


def score_again(house: House, run: str) -> int:
    """Score what `export` wrote with the models of today, and read its places again; how many."""
    who, folder = house.settings.institution, staging(house.home, run)
    matcher = subjects.matcher(house.settings.subjects, who, house.settings.relays)
    normalise.places_again(
        folder / "mentions.parquet",
        folder / "places.parquet",
        finder=places.finder(who.territory),
        institution_subject=matcher.institution_subject,
    )
    return _score(house, run, at=until_of(run))


def load_again(house: House, run: str) -> dict[str, int]:
    """Replace the scores and the places of an exported range; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        scores=folder / "scores.parquet",
        scorer=_scorer(folder),
        places=folder / "places.parquet",
    )
    with warehouse.opened(house.home) as connection:
        return asdict(loading.load(connection, staged, loaded_at=until_of(run)))


def rerun_queries(
    house: House,
    *,
    subject_ids: Sequence[str] = (),
    since: datetime,
    until: datetime,
    as_of: datetime,
) -> Iterator[query_history.Rejudged]:
    """Run the queries of today over stored mentions (aware, half open), a day at a time; what each
    day changed. The warehouse is held for a day at a time.

    Raises VigieError for a subject that is not watched. All subjects where none is named.
    """
    watches = _chosen(watched(house), subject_ids)
    given = [(block.name, block.subject) for block in house.settings.sources if block.subject]
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home) as connection:
        query_history.note_versions(connection, watches, used_at=as_of)
        days = query_history.days(connection, since=since, until=until)
    for day in days:
        with warehouse.opened(house.home) as connection:
            yield query_history.rerun(connection, watches, day, given=given)


def rerun_size(house: House, *, since: datetime, until: datetime) -> int:
    """How many stored mentions a run of the queries would read."""
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        days = query_history.days(connection, since=since, until=until)
    return sum(day.mention_count for day in days)


def _chosen(
    watches: tuple[subjects.Watch, ...], subject_ids: Sequence[str]
) -> tuple[subjects.Watch, ...]:
    known = [watch.subject.id for watch in watches]
    if unknown := [subject_id for subject_id in subject_ids if subject_id not in known]:
        raise VigieError(f"no subject is called {unknown[0]!r}: there is {', '.join(known)}")
    return tuple(w for w in watches if not subject_ids or w.subject.id in subject_ids)


def landed(house: House, *, since: datetime, until: datetime) -> list[Path]:
    """The landed files of a span (aware, half open) that have not expired, the oldest first."""
    names = {block.name for block in house.settings.sources}
    found = (p for p in (house.home / "landing").glob("*/*/*.jsonl.zst") if p.parts[-3] in names)
    return sorted((p for p in found if since <= _landed_at(p) < until), key=_landed_at)


def _landed_at(path: Path) -> datetime:
    return until_of(path.name.removesuffix(".jsonl.zst"))


def reread(house: House, paths: Sequence[Path], *, as_of: datetime) -> dict[str, int]:
    """Payloads that have landed once more through accept, score and load; what it changed.

    Finds what the queries of then let go. Moves no cursor, counts no coverage, refuses nothing
    anew: a post that is known gains subjects and nothing else.
    """
    name = f"requery-{run_id(as_of)}"
    folder = staging(house.home, name)
    settings = house.settings
    matcher = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    finder = places.finder(settings.institution.territory)
    key = privacy.read_key(house.home, house.environ)
    with _Tables(folder) as tables:
        for path in paths:
            receipt = {"name": path.parts[-3], "path": str(path.relative_to(house.home))}
            run = path.name.removesuffix(".jsonl.zst")
            found = _normalised(house, run, receipt, matcher, finder, key, _Count(), [])
            _accept_source(found, tables, _Count(), [])
    _score(house, name, at=as_of)
    staged = loading.Staged(
        run_id=name,
        mentions=folder / "mentions.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        scorer=_scorer(folder),
    )
    with warehouse.opened(house.home) as connection:
        return asdict(loading.load(connection, staged, loaded_at=as_of))


def report_failure(
    house: House, *, dag: str, task: str, run: str, error: str, now: datetime
) -> None:
    """Tell the operators by mail that a task has failed; once a task and quarter of a day.

    A source that is down for a night would else be told of every five minutes.
    """
    quarter = f"{now.astimezone(UTC):%Y-%m-%d} {now.astimezone(UTC).hour // 6}"
    letter = notify.failure_letter(
        dag=dag, task=task, run=run, error=error, settings=house.settings
    )
    readers = tuple(r for r in house.settings.recipients if "failures" in r.gets)
    warehouse.prepare(house.settings)  # what failed may have been the first step of a new home
    with warehouse.opened(house.home) as connection, warehouse.transaction(connection):
        notify.enqueue(
            connection,
            letter,
            kind="failure",
            key=f"failure {dag} {task} {quarter}",
            settings=house.settings,
            recipients=readers,
            as_of=now,
            reason="task_failed",
        )
    deliver(house, now=now)


def _write_json(path: Path, content: object) -> None:
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content, ensure_ascii=False, default=str))
