"""The trigger that starts `live`: it tells of what has landed, once, and again if nobody comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dags.landed import Landed
from pipelines import listening

BEGUN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def _land(home: Path, seconds: int, name: str = "bluesky") -> str:
    stamp = listening.next_stamp("", BEGUN + timedelta(seconds=seconds))
    receipt = listening.Receipt(
        stamp=stamp, path=None, payload_count=1, since=BEGUN, until=BEGUN, cursor={}
    )
    listening.write_receipt(home, name, receipt)
    return stamp


async def _told(trigger: Landed, *, within: float) -> str | None:
    """What the trigger tells next, None where it keeps still."""
    events = trigger.run()
    try:
        event = await asyncio.wait_for(anext(events), within)
    except TimeoutError:
        return None
    finally:
        await events.aclose()  # type: ignore[attr-defined]
    return str(event.payload["landed"])


def _trigger(home: Path, **given: float) -> Landed:
    return Landed(home=str(home), every_seconds=0.01, **given)


def test_nothing_is_told_of_a_home_where_nothing_landed(tmp_path: Path) -> None:
    assert asyncio.run(_told(_trigger(tmp_path), within=0.1)) is None


def test_the_newest_landing_of_any_source_is_told(tmp_path: Path) -> None:
    _land(tmp_path, 1)
    newest = _land(tmp_path, 3, "mastodon")
    _land(tmp_path, 2)
    assert asyncio.run(_told(_trigger(tmp_path), within=5)) == newest


def test_what_a_run_has_taken_up_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    listening.write_taken(tmp_path, {"bluesky": _land(tmp_path, 1)})
    assert asyncio.run(_told(_trigger(tmp_path), within=0.1)) is None
    newest = _land(tmp_path, 2)
    assert asyncio.run(_told(_trigger(tmp_path), within=5)) == newest


async def _sequence(home: Path, trigger: Landed) -> list[str]:
    told: list[str] = []
    events = trigger.run()
    told.append((await anext(events)).payload["landed"])
    later = _land(home, 2)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.1)
    told.append("told" if waiting.done() else "still")
    listening.write_taken(home, {"bluesky": told[0]})
    told.append((await asyncio.wait_for(waiting, 5)).payload["landed"])
    assert told[-1] == later
    await events.aclose()  # type: ignore[attr-defined]
    return told


def test_while_a_run_takes_up_what_it_was_told_of_it_keeps_still(tmp_path: Path) -> None:
    first = _land(tmp_path, 1)
    told = asyncio.run(_sequence(tmp_path, _trigger(tmp_path)))
    assert told[:2] == [first, "still"]


async def _twice(trigger: Landed) -> list[str]:
    events = trigger.run()
    found = [(await anext(events)).payload["landed"] for _ in range(2)]
    await events.aclose()  # type: ignore[attr-defined]
    return found


def test_what_no_run_has_taken_up_is_told_again(tmp_path: Path) -> None:
    stamp = _land(tmp_path, 1)
    impatient = _trigger(tmp_path, patience_seconds=0.05)
    assert asyncio.run(_twice(impatient)) == [stamp, stamp]


def test_a_big_landing_that_is_there_after_a_later_one_was_taken_up_is_told(
    tmp_path: Path,
) -> None:
    later = _land(tmp_path, 2, "mastodon")
    listening.write_taken(tmp_path, {"mastodon": later})
    big = _land(tmp_path, 1)  # its stamp is of when its writing began
    assert asyncio.run(_told(_trigger(tmp_path), within=5)) == big


async def _rest_told(home: Path, trigger: Landed) -> str:
    events = trigger.run()
    await anext(events)
    listening.write_taken(home, {"bluesky": "20261120T120001000000Z"})  # so many in one run
    told = (await asyncio.wait_for(anext(events), 5)).payload["landed"]
    await events.aclose()  # type: ignore[attr-defined]
    return str(told)


def test_what_a_run_has_left_to_the_next_is_told_at_once(tmp_path: Path) -> None:
    _land(tmp_path, 1)
    rest = _land(tmp_path, 2)
    assert asyncio.run(_rest_told(tmp_path, _trigger(tmp_path))) == rest


def test_a_triggerer_makes_it_again_from_what_it_says_of_itself(tmp_path: Path) -> None:
    classpath, given = _trigger(tmp_path, patience_seconds=7).serialize()
    assert classpath == f"{Landed.__module__}.{Landed.__qualname__}"
    assert Landed(**given).serialize() == (classpath, given)
