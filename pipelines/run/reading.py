"""What a run asks of sources: which are due, what they hold, and which posts are looked up."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import (
    budget,
    gaps,
    landing,
    load as loading,
    sources,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.errors import RateLimited, SourceError
from pipelines.house import House as House, house as house, terms
from pipelines.http import WAIT_LIMIT_SECONDS, Client
from pipelines.mention import (
    mention_id,
)
from pipelines.notes import told, why
from pipelines.run.names import (
    backfill_run,
    order,
    order_of,
    planned,
    refresh_run,
    run_id,
    staging,
    until_of,
    write_json,
)
from pipelines.said import say
from pipelines.settings import Settings, SourceBlock

log = logging.getLogger(__name__)

BACKFILL = timedelta(days=7)  # gaps older than this are not filled unless they are named


RECHECK_IDS = 50  # posts that a collection itself looks up again, to see whether they are gone


AHEAD = timedelta(hours=1)  # of a window: readers are past its end long before it is evaluated


RECHECK_WAIT_SECONDS = 5.0  # for one look-up; more would hold up a run, and the rest stays due


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
        write_json(path, orders)
    return planned(house, run_id(until))


def _orders(
    connection: warehouse.Connection, settings: Settings, since: datetime, until: datetime
) -> Iterator[dict[str, Any] | None]:
    known, listened = loading.cursors(connection), loading.listened(connection)
    for block in settings.sources:
        if block.live:  # its reader reads it; a window of the past may be read again
            heard = listened.get(block.name)
            if heard and heard.until_at - until > AHEAD:
                yield order(block, None, since, until, is_backfill=True)
            continue
        moved = known.get(block.name)
        is_backfill = moved is not None and until_of(moved.run_id) >= until
        if not is_backfill and is_asked_to_wait(settings.home, block.name, until):
            continue
        if moved is None:
            start = until - timedelta(days=block.first_days)
            yield order(block, None, min(since, start), until)
            continue
        done = until_of(moved.run_id)
        if is_backfill:
            yield order(block, None, since, until, is_backfill=True)
        elif until - done >= timedelta(minutes=block.every_minutes, seconds=-30):
            ids = _ids_for_collect(connection, block, until)
            yield order(block, moved.cursor, done, until, recheck_ids=ids)


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
            orders.append(order(block, None, *window, is_backfill=True))
    if not orders:
        return None
    run = backfill_run(as_of)
    write_json(staging(house.home, run) / "plan.json", orders)
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


def is_asked_to_wait(home: Path, name: str, until: datetime, *, runs: str = "[0-9]*") -> bool:
    """Whether the source's last answer, in runs of that kind, was to come back after `until`."""
    receipts = sorted((home / "staging").glob(f"{runs}/landed/{name}.json"))
    retry_at = json.loads(receipts[-1].read_text()).get("retry_at") if receipts else None
    return retry_at is not None and datetime.fromisoformat(retry_at) > until


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
    order = order_of(folder, name)
    # A reading has failed until it has ended well: whatever breaks it must not pass for calm.
    receipt = {**order, "status": "failed", "path": None, "payload_count": 0, "next_cursor": None}
    locale, broken = house.settings.institution.locale, say("broke off: see the log of the task")
    receipt |= {"gaps": [], "is_capped": False, "note": broken}
    try:
        receipt |= _landed(house, run, order, items, wait_seconds)
    except RateLimited as error:
        retry_at = landing.asked_back(error)
        receipt |= {"status": "waiting", "note": why(error), "retry_at": retry_at}
    except SourceError as error:
        receipt |= {"note": why(error)}
        raise
    finally:
        kept = receipt | {"note": told(receipt["note"], locale)}
        write_json(folder / "landed" / f"{name}.json", kept)
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
        orders = [order(house.block(name), None, as_of, as_of) for name in names]
        write_json(folder / "plan.json", [order | {"is_held": True} for order in orders])
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
    if not is_able or is_asked_to_wait(house.home, block.name, as_of, runs="refresh-*"):
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
