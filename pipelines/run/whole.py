"""Whole runs without Airflow: what `vigie watch` and `vigie backfill` do, step by step."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pipelines import warehouse
from pipelines.errors import in_short
from pipelines.house import House
from pipelines.run.accepting import accept
from pipelines.run.counted import read_whole
from pipelines.run.merging import load
from pipelines.run.names import (
    live_run,
    planned,
    receipt_of,
    refresh_run,
    run_id,
    staging,
)
from pipelines.run.readers import take
from pipelines.run.reading import (
    collect,
    plan,
    plan_backfill,
    plan_refresh,
    recheck,
)
from pipelines.run.scoring import score
from pipelines.run.telling import (
    alert,
    crisis_reports,
    deliver,
    is_overtaken,
)

log = logging.getLogger(__name__)


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
    these two stop the rules. One at a time: a second would read the same from the same cursors, and
    waits instead.
    """
    with _in_turn(house.home, progress):
        return _watched(house, since=since, until=until, now=now, progress=progress)


@contextmanager
def _in_turn(home: Path, progress: Callable[[str], object]) -> Iterator[None]:
    """The right to a whole run on this home, for as long as the block lasts."""
    with (home / ".watch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("wait")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _watched(
    house: House,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    progress: Callable[[str], object],
) -> dict[str, int]:
    plan(house, since=since, until=until)
    counts = _through_load(house, run_id(until), progress)
    if house.live_blocks:
        progress("live")
        counts |= _beside("live", lambda: live(house, now=now))
    with warehouse.opened(house.home, read_only=True) as connection:
        is_past = is_overtaken(connection, until)
    if not is_past:
        progress("refresh")
        counts |= _beside("refreshed", lambda: refresh(house, as_of=until))
    progress("alert")
    counts |= alert(house, as_of=until)
    crisis_reports(house, as_of=until)
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
    names = planned(house, run)
    for name in names:
        progress(f"collect {name}")
        try:
            collect(house, run, name)
        except Exception as error:  # as the mapped tasks of Airflow: one breaks, the others go on
            log.error("source.failed source=%s error=%s", name, in_short(error))
    counts = {"sources": len(names)}
    for step in (accept, score, load):
        progress(step.__name__)
        found = step(house, run)
        counts |= found if isinstance(found, dict) else {"scored": found}
    return counts | {"sources_failed": len(failed(house, run))}


def failed(house: House, run: str) -> list[str]:
    """The sources whose reading failed in a run that is loaded: no answer, one of no use, or one
    whose receipt could not be written (a full disk)."""
    folder = staging(house.home, run)
    accepted = json.loads((folder / "accepted.json").read_text())
    whole = (read_whole(receipt_of(folder, name), count) for name, count in accepted.items())
    return [receipt["name"] for receipt in whole if receipt["status"] in ("failed", "missing")]
