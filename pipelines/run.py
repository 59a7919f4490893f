"""The steps of a run in their order: what the DAGs and the command line both call.

A run is one window of time. Its steps hand over paths under `staging/<run id>`, never tables,
so each can be killed at any instant and run again, on any worker that sees the home:

    plan      which sources are due, from which cursor         plan.json
    collect   one source: payloads as received                 landed/<source name>.json
    accept    payloads to mentions, kept or quarantined        mentions, replaced, deletions,
              (measures that are no mention are put aside)     rejections, attention
    score     mentions to scores, without authors              scores.parquet
    load      one transaction: rows, counts, cursors
    alert     rules at a moment, incidents, mails

Two kinds of runs begin otherwise and then go the same way. What readers have landed is taken up
by `take` instead of `plan` and `collect` (`staging/live-…`); posts that the warehouse holds are
looked up again by `plan_refresh` and `recheck` (`staging/refresh-…`).

This module puts the stages together, so it is the one place that may import them all. Those that
take seconds to import (pandas, charts, statistics) are imported where they are used: each step is a
process of its own in Airflow, and a live mention should not wait for the libraries of the digest.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.lineage import Scorer
from pipelines import (
    attention as measures,
    budget,
    gaps,
    landing,
    listening,
    load as loading,
    normalise,
    places,
    privacy,
    publish,
    query_history,
    retention,
    sources,
    subjects,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.attention import ATTENTION_SCHEMA, Attention
from pipelines.errors import ContractBroken, RateLimited, SourceError, VigieError, in_short
from pipelines.house import House as House, house as house, terms
from pipelines.http import WAIT_LIMIT_SECONDS, Client
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    Deletion,
    Mention,
    Rejection,
    mention_id,
    to_table,
)
from pipelines.settings import Settings, SourceBlock

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000  # bounds the memory of accept; 63 columns of short text are about 60 MB
UNREADABLE_SHARE = 0.2  # of a reading's payloads; above it the parser is wrong, not a payload
BACKFILL = timedelta(days=7)  # gaps older than this are not filled unless they are named
RECHECK_IDS = 50  # posts that a collection itself looks up again, to see whether they are gone
TAKEN_PAYLOADS = 20_000  # of one reader in one run; what is left comes in the next one
ACCOUNT_MINUTES = 5  # between two accounts of a reader that has nothing to hand over
AHEAD = timedelta(hours=1)  # of a window: readers are past its end long before it is evaluated
ROTA_SECONDS = 20.0  # for a calendar's server; its last good copy serves as well
READER_SECONDS = 60  # without a word, after which a reader is missing
RECHECK_WAIT_SECONDS = 5.0  # for one look-up; more would hold up a run, and the rest stays due


def run_id(until: datetime) -> str:
    """The name of the run whose window ends at `until`; names sort as their windows do."""
    return f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def until_of(run: str) -> datetime:
    """The end of a run's window (aware UTC), from its name, whatever its kind."""
    stamp = run.rpartition("-")[2]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def live_run(moment: datetime) -> str:
    """The name of the run that takes up what readers have landed by `moment`; two in one second
    have two names."""
    return f"live-{moment.astimezone(UTC):%f}-{run_id(moment)}"


def refresh_run(moment: datetime) -> str:
    """The name of the run that looks posts up again at `moment`."""
    return f"refresh-{run_id(moment)}"


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
    known, listened = loading.cursors(connection), loading.listened(connection)
    for block in settings.sources:
        if block.live:  # its reader reads it; a window of the past may be read again
            heard = listened.get(block.name)
            if heard and heard.until_at - until > AHEAD:
                yield _order(block, None, since, until, is_backfill=True)
            continue
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
            ids = _ids_for_collect(connection, block, until)
            yield _order(block, moved.cursor, done, until, recheck_ids=ids)


def _ids_for_collect(
    connection: warehouse.Connection, block: SourceBlock, until: datetime
) -> tuple[str, ...]:
    """The posts that a collection looks up again; none where the DAG `refresh` does it."""
    if isinstance(sources.load(block.kind), sources.Rechecking):
        return ()
    return loading.recheck_ids(connection, block.name, as_of=until, limit=RECHECK_IDS)


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
        known = {*loading.cursors(connection), *loading.listened(connection)}
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


def _is_asked_to_wait(home: Path, name: str, until: datetime, *, runs: str = "[0-9]*") -> bool:
    """Whether the source's last answer, in runs of that kind, was to come back after `until`."""
    receipts = sorted((home / "staging").glob(f"{runs}/landed/{name}.json"))
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

    def items(request: sources.Request) -> Iterator[sources.Collected]:
        return sources.load(house.block(name).kind).collect(request)

    return _land(house, run, name, items)


def _land(
    house: House, run: str, name: str, items: _Items, *, wait_seconds: float = WAIT_LIMIT_SECONDS
) -> int:
    """Land what `items` hands over for an order of the run, and write how it went."""
    folder = staging(house.home, run)
    order = _order_of(folder, name)
    # A reading has failed until it has ended well: whatever breaks it must not pass for calm.
    receipt = {**order, "status": "failed", "path": None, "payload_count": 0, "next_cursor": None}
    receipt |= {"gaps": [], "is_capped": False, "note": "broke off: see the log of the task"}
    try:
        receipt |= _landed(house, run, order, items, wait_seconds)
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


_Items = Callable[[sources.Request], Iterator[sources.Collected]]


def _landed(
    house: House, run: str, order: Mapping[str, Any], items: _Items, wait_seconds: float
) -> dict[str, Any]:
    block, at = house.block(order["name"]), until_of(run)
    net = house.settings.net
    with (
        closing(budget.Ledger(house.home / budget.FILE)) as ledger,
        Client(
            contact=net.contact,
            allow_private=net.allow_private,
            budget=_budget(house.settings, block, ledger),
            wait_seconds=wait_seconds,
        ) as client,
    ):
        request = sources.Request(
            name=block.name,
            options=block.options,
            terms=terms(house.settings, block),
            cursor=order.get("cursor"),
            since=datetime.fromisoformat(order["since"]),
            until=datetime.fromisoformat(order["until"]),
            client=client,
            home=house.home,
            secrets=house.secrets,
            recheck_ids=tuple(order["recheck_ids"]),
            is_backfill=order["is_backfill"],
        )
        path = landing.path_for(house.home, block.name, run, at)
        landed = landing.land(items(request), path=path, fetched_at=at)
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


def _order_of(folder: Path, name: str) -> dict[str, Any]:
    """What the plan of a run says of one source block."""
    orders: list[dict[str, Any]] = json.loads((folder / "plan.json").read_text())
    return next(order for order in orders if order["name"] == name)


def take(house: House, run: str, *, now: datetime) -> bool:
    """Take up what readers have landed; whether there is something to accept, score and load.

    What a reader says of itself is coverage, told at least every five minutes, and loaded here
    where it is all there is. A second call takes up the same again. Opens the warehouse.
    """
    path = staging(house.home, run) / "plan.json"
    if not path.exists():
        warehouse.prepare(house.settings)
        with warehouse.opened(house.home, read_only=True) as connection:
            known = loading.listened(connection)
        taken = [_taken(house, block, known.get(block.name), now) for block in house.live_blocks]
        orders = [order for order in taken if order["landed"] or _is_account_due(order, known, now)]
        for order in orders:
            _write_json(path.parent / "landed" / f"{order['name']}.json", order)
        _write_json(path, orders)
        _tidy_up(house, orders, known)
    orders = json.loads(path.read_text())
    if any(order["paths"] for order in orders):
        return True
    if orders:
        heard = tuple(_heard_of(house, order, asdict(_Count())) for order in orders)
        staged = loading.Staged(run_id=run, heard=heard)
        with warehouse.opened(house.home) as connection:
            loading.load(connection, staged, loaded_at=now)
    return False


def _taken(
    house: House, block: SourceBlock, before: loading.Listened | None, now: datetime
) -> dict[str, Any]:
    """What one reader has landed since the last load, in the shape in which `collect` tells it."""
    home, name = house.home, block.name
    after = before.landed if before else ""
    receipts = list(_batch(listening.receipts(home, name, after=after)))
    reader = listening.reader(home, name)
    status, note = _state(reader, now)
    begun = receipts[0].since if receipts else reader.until if reader else now
    since = before.until_at if before else begun
    until = receipts[-1].until if receipts else since
    if reader and reader.stamp <= (receipts[-1].stamp if receipts else after):
        until = max(until, reader.until)  # all that it has landed is taken up
    lost = [r for r in receipts if r.path and not (home / r.path).exists()]
    skipped = _skipped(reader, since, before)
    notes = [note, *(r.note for r in receipts), _LOST if lost else None]
    gaps_told = [*skipped, *(r.gap for r in receipts if r.gap), *((r.since, r.until) for r in lost)]
    return {
        "name": name,
        "since": min(since, until),
        "until": until,
        "seen_at": listening.moment(receipts[-1].stamp) if receipts else now,
        "at": now,
        "status": status,
        "paths": [r.path for r in receipts if r.path and r not in lost],
        "path": None,
        "payload_count": sum(r.payload_count for r in receipts if r not in lost),
        "gaps": list(dict.fromkeys(gaps_told)),
        "is_capped": bool(gaps_told) or any(r.is_capped for r in receipts),
        "note": "; ".join(dict.fromkeys(said for said in notes if said)) or None,
        "landed": receipts[-1].stamp if receipts else None,
    }


def _skipped(
    reader: listening.Reader | None, since: datetime, before: loading.Listened | None
) -> list[tuple[datetime, datetime]]:
    """What lies between the last load and a reader that has begun anew after it."""
    begun = reader.since if reader and before else None
    return [(since, begun)] if begun and begun > since else []


_LOST = "what a reader had landed was gone before a run could load it"


def _batch(receipts: Iterator[listening.Receipt]) -> Iterator[listening.Receipt]:
    """As many receipts as one run takes up: so many payloads."""
    payload_count = 0
    for receipt in receipts:
        payload_count += receipt.payload_count
        yield receipt
        if payload_count >= TAKEN_PAYLOADS:
            return


def _state(reader: listening.Reader | None, now: datetime) -> tuple[str, str | None]:
    """How a reader is, in the words of coverage, and what to do about it."""
    start = "start `vigie listen`, or `vigie up`"
    if reader is None:
        return "missing", f"no reader has ever listened: {start}"
    if reader.status == "stopped" or now - reader.at > timedelta(seconds=READER_SECONDS):
        return "missing", f"no reader since {reader.at:%Y-%m-%d %H:%M:%SZ}: {start}"
    return reader.status, reader.note


def _is_account_due(
    order: Mapping[str, Any], known: Mapping[str, loading.Listened], now: datetime
) -> bool:
    before = known.get(order["name"])
    # Half a minute less: a run starts a little sooner after the full minute than the one before.
    wait = timedelta(minutes=ACCOUNT_MINUTES, seconds=-30)
    return before is None or now - before.moved_at >= wait


def _tidy_up(
    house: House,
    orders: Iterable[Mapping[str, Any]],
    known: Mapping[str, loading.Listened],
) -> None:
    """Tell what starts the runs how far this one has come, and forget what is loaded."""
    live = {block.name for block in house.live_blocks}
    newest = listening.newest(house.home)
    left = {name: stamp for name, stamp in newest.items() if name not in live}  # nobody's any more
    loaded = {name: before.landed for name, before in known.items()}
    taken = {order["name"]: order["landed"] for order in orders if order["landed"]}
    listening.write_taken(house.home, left | loaded | taken)
    for name, before in known.items():
        listening.forget(house.home, name, upto=before.landed)


def plan_refresh(house: House, *, as_of: datetime) -> list[str]:
    """The names of the source blocks whose posts are due to be looked up again at `as_of`.

    Written once a run, as `plan`, with the posts beside it in `held.parquet`. A source that has
    asked to be left alone is left out.
    """
    folder = staging(house.home, refresh_run(as_of))
    if not (folder / "plan.json").exists():
        warehouse.prepare(house.settings)
        with warehouse.opened(house.home, read_only=True) as connection:
            held = [
                row
                for block in house.settings.sources
                for row in _due(connection, house, block, as_of)
            ]
        with written_aside(folder / "held.parquet") as aside:
            pq.write_table(pa.Table.from_pylist(held, schema=_HELD), aside)
        names = list(dict.fromkeys(row["source_name"] for row in held))
        orders = [_order(house.block(name), None, as_of, as_of) for name in names]
        _write_json(folder / "plan.json", [order | {"is_held": True} for order in orders])
    return [order["name"] for order in json.loads((folder / "plan.json").read_text())]


# The posts that a run looks up again: by their key an erasure finds them here too.
_HELD = pa.schema(
    [(name, pa.string()) for name in ("mention_id", "source_name", "native_id", "lookup_id")]
)


def _due(
    connection: warehouse.Connection, house: House, block: SourceBlock, as_of: datetime
) -> Iterator[dict[str, Any]]:
    """The posts of one source block that are due, if any are and it can tell of them."""
    is_able = isinstance(sources.load(block.kind), sources.Rechecking) and block.recheck_posts
    if not is_able or _is_asked_to_wait(house.home, block.name, as_of, runs="refresh-*"):
        return
    found = loading.recheck_due(connection, block.name, as_of=as_of, most=block.recheck_posts)
    for native_id, lookup_id in found:
        key = mention_id(block.kind, native_id)
        row = {"mention_id": key, "source_name": block.name}
        yield row | {"native_id": native_id, "lookup_id": lookup_id}


def _held(folder: Path, name: str) -> tuple[sources.Held, ...]:
    """The posts of one source block that a run looks up again."""
    rows = pq.read_table(folder / "held.parquet").to_pylist()
    return tuple(
        sources.Held(native_id=row["native_id"], lookup_id=row["lookup_id"])
        for row in rows
        if row["source_name"] == name
    )


def recheck(house: House, run: str, name: str) -> int:
    """Land posts of one source as they are now, or gone; how many. Touches the network.

    A failure is raised, as in `collect`; the same posts are then asked for in the next run. It does
    not wait for the source, or for our own budget: what came before is kept, the rest stays due.
    """
    source = sources.load(house.block(name).kind)
    held = _held(staging(house.home, run), name)

    def items(request: sources.Request) -> Iterator[sources.Collected]:
        if isinstance(source, sources.Rechecking):
            for payload in source.recheck(request, held):
                yield payload
                yield sources.Checkpoint(cursor={})

    return _land(house, run, name, items, wait_seconds=RECHECK_WAIT_SECONDS)


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
    names = planned(house, run)
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
            if _paths(receipt):
                measured: list[Attention] = []
                try:
                    found = _normalised(
                        house, run, receipt, matcher, finder, key, counts[name], measured
                    )
                    _accept_source(found, tables, counts[name], results)
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
    _write_json(folder / "accepted.json", {n: asdict(c) for n, c in counts.items()})
    _write_json(folder / "validation.json", results)
    for name, count in counts.items():
        if count.broken:
            log.error("contract.broken source=%s error=%s", name, count.broken)
            dag, at = run.partition("-")[0] if "-" in run else "watch", until_of(run)
            task = f"accept {name}"
            report_failure(house, dag=dag, task=task, run=run, error=count.broken, now=at)
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
    lost: dict[str, Any] = {"path": None, "payload_count": 0, "next_cursor": None, "gaps": []}
    lost |= {"status": "missing", "is_capped": False, "note": "never finished"}
    return _order_of(folder, name) | lost


def _paths(receipt: Mapping[str, Any]) -> list[str]:
    """The landed files of one source in a run: one, or those that a reader has landed."""
    found: list[str] = receipt.get("paths") or ([receipt["path"]] if receipt["path"] else [])
    return found


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
    block = house.block(receipt["name"])
    source = sources.load(block.kind)
    parsed = _parsed(house.home, _paths(receipt), source, block, count, measured)
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
    count: _Count,
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


class _Tables:
    """The four Parquet files of `accept`, each written aside and renamed at a good end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def __enter__(self) -> _Tables:
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


def score(house: House, run: str) -> int:
    """Score the accepted mentions of a run; how many. CPU only, no network."""
    return _score(house, run, at=until_of(run))


def _score(house: House, run: str, *, at: datetime) -> int:
    from pipelines import score as scoring

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
        replaced=folder / "replaced.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        rejections=folder / "rejections.parquet",
        attention=folder / "attention.parquet",
        intake=tuple(_intake(house, folder, run)),
        heard=tuple(_heard(house, folder)),
        asked=_asked(folder),
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


def _intake(house: House, folder: Path, run: str) -> Iterator[loading.Intake]:
    """The coverage of the sources that the run has read; a look at held posts reads none."""
    for name, count in _accepted(folder):
        receipt = _read_whole(_receipt(folder, name), count)
        if "landed" in receipt or "is_held" in receipt:
            continue
        intake = _covered(house, receipt, count, run, until_of(run))
        yield replace(intake, cursor=_moved(receipt), cursor_run_id=_stands_at(receipt, run))


def _accepted(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(json.loads((folder / "accepted.json").read_text()).items())


def _covered(
    house: House,
    receipt: Mapping[str, Any],
    count: Mapping[str, Any],
    run: str,
    at: datetime,
) -> loading.Intake:
    moment = datetime.fromisoformat
    gaps = [(moment(since), moment(until)) for since, until in receipt["gaps"]]
    return loading.Intake(
        run_id=run,
        source_name=receipt["name"],
        source=house.block(receipt["name"]).kind,
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
        finished_at=at,
        cursor=None,
        gaps=tuple(gaps),
    )


def _asked(folder: Path) -> Path | None:
    """The keys of what the run has looked up again, as a file of it; none where nothing was."""
    if not (folder / "held.parquet").exists():
        return None
    receipts = {name: _receipt(folder, name) for name, _ in _accepted(folder)}
    told = [name for name, receipt in receipts.items() if receipt["status"] == "ok"]
    held = pq.read_table(folder / "held.parquet", columns=["mention_id", "source_name"])
    asked = held.filter(pc.is_in(held["source_name"], value_set=pa.array(told, pa.string())))
    path = folder / "asked.parquet"
    with written_aside(path) as aside:
        pq.write_table(asked, aside)
    return path


def _heard(house: House, folder: Path) -> Iterator[loading.Heard]:
    """What of the readers' landings the run loads, each with the coverage of its five minutes."""
    for name, count in _accepted(folder):
        receipt = _receipt(folder, name)
        if "landed" in receipt:
            yield _heard_of(house, receipt, count)


def _heard_of(house: House, receipt: Mapping[str, Any], count: Mapping[str, Any]) -> loading.Heard:
    """The account of one reader: what it has read, and the time in which it did not.

    Its readings join end to end, so those of five minutes are one window that went well. A batch
    that was no use is a gap in it, since a stream goes on.
    """
    at = datetime.fromisoformat(receipt["at"])
    slot = run_id(_slot_end(at))
    whole = _read_whole(dict(receipt), count)
    is_lost = whole["note"] != receipt["note"]
    gaps = [*receipt["gaps"], *([[receipt["since"], receipt["until"]]] if is_lost else ())]
    read = whole | {"status": "ok", "gaps": gaps, "is_capped": receipt["is_capped"] or is_lost}
    return loading.Heard(
        intake=_covered(house, read, count, slot, at),
        away=_away(house, whole, slot, at) if whole["status"] != "ok" else None,
        landed=receipt["landed"],
    )


def _away(house: House, receipt: Mapping[str, Any], slot: str, at: datetime) -> loading.Intake:
    """What a reader that is missing, fails or was no use has not read, as a reading that failed.

    It is a gap until a reader has gone on from there. A moment between two connections is none.
    """
    since = datetime.fromisoformat(receipt["until"])
    since = at if at - since < timedelta(seconds=READER_SECONDS) else since
    nothing = {"since": since.isoformat(), "until": at.isoformat(), "payload_count": 0}
    told = {**receipt, **nothing, "gaps": [], "is_capped": False}
    # A microsecond later, so that how the reader is now is the last word.
    moment = at + timedelta(microseconds=1)
    return _covered(house, told, asdict(_Count()), f"away-{slot}", moment)


def _slot_end(moment: datetime) -> datetime:
    """The end of the five minutes in which a moment lies; windows of polled sources end there."""
    step = timedelta(minutes=ACCOUNT_MINUTES)
    begun = datetime(2000, 1, 1, tzinfo=UTC)
    return begun + ((moment - begun) // step + 1) * step


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
    from pipelines import detect, handover, late, notify, warning_round

    _refresh_rota(house, now=as_of)
    with warehouse.opened(house.home) as connection:
        if _is_past(connection, as_of):
            log.info("rules.skipped as_of=%s a later window is loaded", as_of.isoformat())
            return {"alerts": 0}
        alerts = detect.detect(connection, settings=house.settings, as_of=as_of)
        heard = late.alerts(connection, settings=house.settings, as_of=as_of)
        past = [(each.alert, each.at) for each in heard]
        notify.record(connection, alerts, settings=house.settings, as_of=as_of, late=past)
        handover.record(connection, settings=house.settings, as_of=as_of)
        warning_round.record(connection, settings=house.settings, as_of=as_of)
    log.info("rules.evaluated as_of=%s alerts=%d", as_of.isoformat(), len(alerts))
    return {"alerts": len(alerts)}


def _refresh_rota(house: House, *, now: datetime) -> None:
    """Read the calendar of who is on call again, if it is time, before the warehouse is held."""
    from pipelines import rota_copy

    if not house.settings.on_call.has_calendar:
        return
    net = house.settings.net
    with Client(
        contact=net.contact,
        allow_private=net.allow_private,
        sleep=lambda _: None,
        total_seconds=ROTA_SECONDS,
    ) as client:
        rota_copy.refresh(house.settings, secrets=house.secrets, client=client, now=now)


def _is_past(connection: warehouse.Connection, as_of: datetime) -> bool:
    """Whether a window that ends after `as_of` has been loaded; where every source is live, whether
    readers are well past it."""
    if moved := [position.run_id for position in loading.cursors(connection).values()]:
        return max(moved) > run_id(as_of)
    return any(h.until_at - as_of > AHEAD for h in loading.listened(connection).values())


def live(house: House, *, now: datetime) -> dict[str, int]:
    """Take up, accept, score and load what readers have landed; what changed. Without Airflow."""
    run = live_run(now)
    if not take(house, run, now=now):
        return {}
    accept(house, run)
    score(house, run)
    return load(house, run)


def refresh(house: House, *, as_of: datetime) -> dict[str, int]:
    """Look posts up again and load what has become of them; what changed. Without Airflow.

    A source that fails is told in the log, and its posts are asked for again.
    """
    run = refresh_run(as_of)
    names = plan_refresh(house, as_of=as_of)
    for name in names:
        try:
            recheck(house, run, name)
        except Exception as error:  # as the mapped tasks of Airflow: one breaks, the others go on
            log.error("recheck.failed source=%s error=%s", name, in_short(error))
    if not names:
        return {}
    accept(house, run)
    score(house, run)
    return load(house, run)


def deliver(house: House, *, now: datetime, is_asked: bool = False) -> dict[str, int]:
    """Hand over what is due in the outbox, or all of it when a person asks; how many were sent,
    failed, and wait."""
    from pipelines import notify

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

    What readers have landed is loaded with it, and posts that are due are looked up again.

    A source that fails never stops another; its error is logged and stands in the coverage. Nor do
    these two stop the rules.
    """
    plan(house, since=since, until=until)
    counts = _through_load(house, run_id(until), progress)
    if house.live_blocks:
        progress("live")
        counts |= _beside("live", lambda: live(house, now=now))
    with warehouse.opened(house.home, read_only=True) as connection:
        is_past = _is_past(connection, until)
    if not is_past:
        progress("refresh")
        counts |= _beside("refreshed", lambda: refresh(house, as_of=until))
    progress("alert")
    counts |= alert(house, as_of=until)
    return counts | {f"mails_{k}": n for k, n in deliver(house, now=now).items()}


def _beside(name: str, step: Callable[[], dict[str, int]]) -> dict[str, int]:
    """The counts of a step that fails by itself: the rules are evaluated all the same."""
    try:
        return {f"{name}_{key}": count for key, count in step().items()}
    except Exception as error:  # as another DAG of Airflow would
        log.error("step.failed step=%s error=%s", name, in_short(error))
        return {f"{name}_failed": 1}


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
        except Exception as error:  # as the mapped tasks of Airflow: one breaks, the others go on
            counts["sources_failed"] += 1
            log.error("source.failed source=%s error=%s", name, in_short(error))
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
    from pipelines import digest as digests, notify

    settings = house.settings
    warehouse.prepare(settings)
    with warehouse.opened(house.home) as connection:
        if not (loading.cursors(connection) or loading.listened(connection)):
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
    from pipelines import accept as acceptance

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
    """When a file landed: at the end of its run, or when a reader wrote it."""
    kind, _, stamp = path.name.removesuffix(".jsonl.zst").rpartition("-")
    return listening.moment(stamp) if kind == "live" else until_of(stamp)


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
            receipt["seen_at"] = _landed_at(path).isoformat()
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
    from pipelines import notify

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
