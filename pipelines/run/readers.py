"""What readers of streams have landed, taken up by a run, and what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines import (
    listening,
    load as loading,
    warehouse,
)
from pipelines.house import House as House, house as house
from pipelines.notes import noted, told
from pipelines.run.counted import Count, covered, read_whole
from pipelines.run.names import run_id, staging, write_json
from pipelines.said import say
from pipelines.settings import SourceBlock

TAKEN_PAYLOADS = 20_000  # of one reader in one run; what is left comes in the next one


ACCOUNT_MINUTES = 5  # between two accounts of a reader that has nothing to hand over


READER_SECONDS = 60  # without a word, after which a reader is missing


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
            write_json(path.parent / "landed" / f"{order['name']}.json", order)
        write_json(path, orders)
        _tidy_up(house, orders, known)
    orders = json.loads(path.read_text())
    if any(order["paths"] for order in orders):
        return True
    if orders:
        heard = tuple(heard_of(house, order, asdict(Count())) for order in orders)
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
        "note": told(noted(notes), house.settings.institution.locale),
        "landed": receipts[-1].stamp if receipts else None,
    }


def _skipped(
    reader: listening.Reader | None, since: datetime, before: loading.Listened | None
) -> list[tuple[datetime, datetime]]:
    """What lies between the last load and a reader that has begun anew after it."""
    begun = reader.since if reader and before else None
    return [(since, begun)] if begun and begun > since else []


_LOST = say("what a reader had landed was gone before a run could load it")


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
    if reader is None:
        return "missing", say("no reader has ever listened: start `vigie listen`, or `vigie up`")
    if reader.status == "stopped" or now - reader.at > timedelta(seconds=READER_SECONDS):
        return "missing", say(
            "no reader since {at:%Y-%m-%d %H:%M:%SZ}: start `vigie listen`, or `vigie up`",
            at=reader.at,
        )
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


def heard_of(house: House, receipt: Mapping[str, Any], count: Mapping[str, Any]) -> loading.Heard:
    """The account of one reader: what it has read, and the time in which it did not.

    Its readings join end to end, so those of five minutes are one window that went well. A batch
    that was no use is a gap in it, since a stream goes on.
    """
    at = datetime.fromisoformat(receipt["at"])
    slot = run_id(_slot_end(at))
    whole = read_whole(dict(receipt), count)
    is_lost = whole["note"] != receipt["note"]
    gaps = [*receipt["gaps"], *([[receipt["since"], receipt["until"]]] if is_lost else ())]
    read = whole | {"status": "ok", "gaps": gaps, "is_capped": receipt["is_capped"] or is_lost}
    return loading.Heard(
        intake=covered(house, read, count, slot, at),
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
    return covered(house, told, asdict(Count()), f"away-{slot}", moment)


def _slot_end(moment: datetime) -> datetime:
    """The end of the five minutes in which a moment lies; windows of polled sources end there."""
    step = timedelta(minutes=ACCOUNT_MINUTES)
    begun = datetime(2000, 1, 1, tzinfo=UTC)
    return begun + ((moment - begun) // step + 1) * step
