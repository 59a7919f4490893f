"""`vigie coverage`, `vigie backfill`, and how far budgets are used (`vigie sources`).

What is printed comes from `pipelines/coverage.py` and `pipelines/budget.py`; nothing is counted
here. `fill` touches the network, the others do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from pipelines import (
    budget,
    canaries,
    coverage as covering,
    coverage_words,
    notes,
    run,
    run_told,
    warehouse,
    wording,
)
from pipelines.budget import Standing
from pipelines.canaries import Planting
from pipelines.console import (
    chosen_locale,
    end_if_failed,
    out,
    print_lines,
    table,
    used,
    words,
)
from pipelines.coverage import Coverage, Overlap, SourceCover
from pipelines.errors import VigieError
from pipelines.gaps import Gap
from pipelines.said import say
from pipelines.settings import Settings
from pipelines.wording import Words

RECALL = timedelta(days=7)  # a shorter span has too few posts in common


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """All that `vigie coverage` prints."""

    coverage: Coverage
    overlaps: Sequence[Overlap]
    plantings: Sequence[Planting]
    hours: Sequence[Sequence[object]]


def show(
    home: Path,
    *,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    now: datetime,
    by_hour: bool,
    locale: str | None = None,
) -> None:
    """Print what was read and heard of a span, and what was not; of the last day by default."""
    house, at = run.house(home, needs_secrets=False), min(_utc(as_of) or now, now)
    last = min(_utc(until) or at, at)
    first = _utc(since) or last - timedelta(days=1)
    _check(first, last)
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        shown = _read(connection, house.settings, first, last, as_of=at, by_hour=by_hour)
    spoken = words_of(house, locale)
    span = {"start": f"{first:%Y-%m-%d %H:%M}", "end": f"{last:%Y-%m-%d %H:%M}"}
    out.print(words(spoken.say("table.span", **span, at=f"{at:%m-%d %H:%M}")))
    out.print(_sources(shown.coverage, spoken))
    if any(source.gaps for source in shown.coverage.sources):
        out.print("", _gaps(shown.coverage.sources, spoken), sep="\n")
    if shown.hours:
        out.print("", table(*used(heads(spoken, "hours"), shown.hours)), sep="\n")
    out.print()
    for line in _lines(shown, spoken):
        out.print(words(line))


def words_of(house: run.House, locale: str | None) -> Words:
    """The words of coverage in the locale asked for, else the institution's."""
    chosen = chosen_locale(house.home, locale)
    return wording.words(chosen, house.settings.institution.zone, name="coverage")


def heads(spoken: Words, name: str) -> list[str]:
    """The heads of a table."""
    return spoken.text(f"table.{name}").split(" | ")


def state(spoken: Words, name: str) -> str:
    """What people call the state of a source or the cause of a gap; as it stands if it has none."""
    return spoken.text(f"state.{name}") if spoken.has(f"state.{name}") else name


def trouble(spoken: Words, name: str, status: str, note: str) -> str:
    """Why the last reading of a source did not go well."""
    return spoken.say("table.trouble", name=name, state=state(spoken, status), note=note)


def refused(spoken: Words, name: str, reason: str, count: int, detail: str) -> str:
    """What a source refused, why, and the last case of it."""
    known = spoken.text(f"refusal.{reason}") if spoken.has(f"refusal.{reason}") else reason
    told = {"name": name, "count": spoken.count("refused", count)}
    return spoken.say("table.refused", **told, reason=known, detail=detail)


def _read(
    connection: warehouse.Connection,
    settings: Settings,
    since: datetime,
    until: datetime,
    *,
    as_of: datetime,
    by_hour: bool,
) -> _Shown:
    span: dict[str, Any] = {"since": since, "until": until, "as_of": as_of}
    zone, week = settings.institution.zone, {"since": min(since, until - RECALL)}
    return _Shown(
        coverage=covering.between(connection, **span, zone=zone),
        overlaps=covering.overlaps(connection, **span | week),
        plantings=canaries.plantings(connection, settings.canaries, **span, zone=zone),
        hours=_hour_rows(connection, since, until) if by_hour else [],
    )


def _lines(shown: _Shown, spoken: Words) -> list[str]:
    """The same in plain words."""
    found = shown.coverage
    lines = [coverage_words.headline(found, spoken), coverage_words.effect(found, spoken)]
    lines += [t for s in found.sources for t in coverage_words.troubles(s, found, spoken)]
    lines += [coverage_words.lateness(found, spoken)]
    lines += coverage_words.recalls(shown.overlaps, spoken)
    lines += coverage_words.planted(shown.plantings, spoken)
    return [line for line in lines if line]


def fill(
    home: Path,
    *,
    since: datetime | None,
    until: datetime | None,
    names: Sequence[str],
    now: datetime,
) -> None:
    """Read a span again, or the open gaps of the week, and print what became of it."""
    house = run.house(home)
    first, last = _utc(since), _utc(until)
    if (first is None) != (last is None):
        raise VigieError(say("a span has two ends: give both --since and --until, or neither"))
    if first and last:
        _check(first, min(last, now))
    known = [block.name for block in house.settings.sources]
    for name in names:
        if name not in known:
            raise VigieError(
                say(
                    "no source is called {name!r}: there is {known}",
                    name=name,
                    known=", ".join(known),
                )
            )
    spoken = wording.words(chosen_locale(home, None), UTC, name="cli")
    with out.status(spoken.text("steps.plan")) as status:
        counts = run.backfill(
            house,
            as_of=now,
            since=first,
            until=last,
            names=names,
            progress=lambda step: status.update(words(run_told.step(step, spoken))),
        )
    if not counts["sources"]:
        out.print(words(spoken.text("backfill.none")))
        return
    failed = run.failed(house, run.backfill_run(now)) if counts["sources_failed"] else []
    print_lines([*run_told.read(counts, spoken), spoken.text("backfill.more")])
    end_if_failed(run_told.failures(counts, failed, spoken))


def standing(rows: Sequence[Sequence[object]], spoken: Words) -> Table:
    """Where each source stands: its name and kind, the status of its last run, then figures."""
    signs = (spoken.text("table.no"), spoken.text("table.yes"))
    lines = [
        [
            *(name, kind, state(spoken, str(status))),
            *(signs[value] if isinstance(value, bool) else value for value in figures),
        ]
        for name, kind, status, *figures in rows
    ]
    return table(heads(spoken, "standing"), lines)


def budgets(house: run.House, *, spoken: Words, now: datetime) -> None:
    """Print how far each limit and each cap of money is used, where there is one."""
    if not (house.home / budget.FILE).exists() and not _is_priced(house):
        return
    with closing(budget.Ledger(house.home / budget.FILE)) as ledger:
        found = [s for each in run.budgets(house, ledger) for s in each.standings(now=now)]
    standings = list(dict.fromkeys(found))  # blocks of one kind share what a host counts
    if standings:
        rows = [_standing(standing, spoken) for standing in standings]
        out.print("", table(heads(spoken, "budgets"), rows), sep="\n")


def _is_priced(house: run.House) -> bool:
    return any(run.is_priced(block) for block in house.settings.sources)


def _standing(standing: Standing, spoken: Words) -> list[object]:
    is_money = standing.unit in ("EUR", "USD")
    amount = budget.money if is_money else str
    most = f" / {amount(standing.most)}" if standing.most is not None else ""
    told = spoken.text("table.told") if standing.is_told else ""
    unit, name = (notes.told(text, spoken.locale) for text in (standing.unit, standing.name))
    resets_at = standing.resets_at
    return [
        standing.block or spoken.text("table.every_source"),
        name,
        standing.host,
        f"{amount(standing.used)}{most} {unit}{told}",
        "" if standing.left is None else amount(standing.left),
        f"{resets_at:%Y-%m-%d %H:%M}" if resets_at else "",
    ]


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=moment.tzinfo or UTC)


def _check(since: datetime, until: datetime) -> None:
    if since >= until:
        raise VigieError(
            say(
                "the span would end ({until:%Y-%m-%dT%H:%M}) before it starts "
                "({since:%Y-%m-%dT%H:%M}): turn the two round, or choose moments that have passed",
                since=since,
                until=until,
            )
        )


def _sources(found: Coverage, spoken: Words) -> Table:
    """One row a source; lateness and what is unread in minutes."""
    rows = ([*_counts(source, spoken)] for source in found.sources)
    return table(*used(heads(spoken, "sources"), rows))


def _counts(source: SourceCover, spoken: Words) -> Iterable[object]:
    unread = sum((end - start).total_seconds() for start, end in source.unread) / 60
    share = source.read_share
    yield from (source.name, state(spoken, source.state), "–" if share is None else f"{share:.0%}")
    yield _minutes(unread or None)
    yield from (source.failed_count, source.waiting_count, source.capped_count)
    yield source.mention_count
    yield from (_minutes(source.late_p50), _minutes(source.late_p95))


def _minutes(value: float | None) -> str:
    """Minutes as people say them: `73 min`, from two hours on `8 h 30`."""
    if value is None:
        return ""
    hours, minutes = divmod(round(value), 60)
    return f"{hours} h {minutes:02}" if hours > 1 else f"{value:.0f} min"


def _gaps(found: Sequence[SourceCover], spoken: Words) -> Table:
    rows = (_gap(gap, spoken) for source in found for gap in source.gaps)
    return table(heads(spoken, "gaps"), rows)


def _gap(gap: Gap, spoken: Words) -> list[object]:
    return [
        gap.source_name,
        f"{gap.since_at:%m-%d %H:%M}",
        f"{gap.until_at:%m-%d %H:%M}",
        state(spoken, gap.reason),
        gap.filled_by or spoken.text("table.open"),
        f"{gap.filled_at:%m-%d %H:%M}" if gap.filled_at else "",
    ]


def _hour_rows(
    connection: warehouse.Connection, since: datetime, until: datetime
) -> list[list[object]]:
    rows = connection.execute(
        "select source_name, hour_at, read_share, failed_count, waiting_count, capped_count,"
        " gap_minutes, filled_minutes, late_p50_minutes, late_p95_minutes from coverage"
        " where hour_at >= ? and hour_at < ? order by source_name, hour_at",
        [since - timedelta(hours=1), until],
    ).fetchall()
    return [
        [
            name,
            f"{at:%m-%d %H:%M}",
            "–" if share is None else f"{share:.0%}",
            *counts,
            *(_minutes(value or None) for value in minutes),
        ]
        for name, at, share, *counts, gap, filled, p50, p95 in rows
        for minutes in [(gap, filled, p50, p95)]
    ]
