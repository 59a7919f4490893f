"""`vigie backtest`: what it reads, writes and prints."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines import backtest, outlook, series as counted
from pipelines.backtest import Replay, Tally
from pipelines.console import out, words
from pipelines.errors import VigieError


def backtested(
    series: Path,
    into: Path,
    *,
    start: datetime | None,
    labels: Path | None,
    report: Path | None,
    zone: str,
) -> None:
    """Replay the series of a file, write its alarms, and print what they were worth."""
    clock = _zone(zone)
    marked = counted.moments(labels) if labels else []
    replayed = backtest.replay(counted.read(series), zone=clock, start=start)
    backtest.write(replayed, into)
    lines = told(replayed, backtest.tally(replayed, marked), has_labels=labels is not None)
    lines += expected(replayed, clock)
    for line in lines:
        out.print(words(line))
    if report is not None:
        from pipelines import backtest_page  # charts take half a second to import

        backtest_page.write(report, replayed, lines, name=series.stem, zone=clock)
        out.print(words(f"{report} shows them."), soft_wrap=True)
    out.print(words(f"{into} holds one row an alarm."), soft_wrap=True)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise VigieError(f"--zone {name!r} is no time zone: write it as Europe/Paris") from error


def told(replayed: Replay, found: Tally, *, has_labels: bool) -> list[str]:
    """What is printed, line by line."""
    rate, low, high = found.rate
    name = "false alarms" if has_labels else "openings"
    lines = [
        f"{len(replayed.alarms)} openings in {replayed.days:.1f} days",
        f"{name} a day {rate:.3f} (95 %: {low:.3f} to {high:.3f})",
    ]
    if has_labels:
        lines.append(f"{found.told} of {found.marked} marked moments told within a day")
    if found.delay is not None:
        lines.append(f"median delay {found.delay / timedelta(minutes=1):.0f} minutes")
    return lines


def expected(replayed: Replay, zone: ZoneInfo) -> list[str]:
    """What the day and the week after the last whole day are expected to hold."""
    history = counted.by_day(replayed.series, zone)
    if not history:
        return []
    on = max(history) + timedelta(days=1)
    bands = {days: outlook.expected(history, on=on, days=days) for days in (1, 7)}
    return [
        f"expected from {on} on, {name}: {band.low:.0f} to {band.high:.0f} mentions (80 %)"
        for name, band in zip(("24 hours", "7 days"), bands.values(), strict=True)
        if band is not None
    ]
