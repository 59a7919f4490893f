"""`vigie backtest`: what it reads, writes and prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines import (
    backtest,
    backtest_copy,
    backtest_rules,
    backtest_stored,
    backtest_told,
    console,
    house,
    outlook,
    series as counted,
    wording,
)
from pipelines.backtest import Replay, Tally
from pipelines.backtest_mentions import Opening
from pipelines.backtest_stored import Asked
from pipelines.backtest_told import Told, Trial
from pipelines.console import out, table, words
from pipelines.errors import VigieError
from pipelines.settings import Settings
from pipelines.wording import Words


def backtested(
    series: Path,
    into: Path,
    *,
    start: datetime | None,
    labels: Path | None,
    report: Path | None,
    spoken: Words,
) -> None:
    """Replay the series of a file, write its alarms, and print what they were worth; `spoken` is of
    the clock by which people live."""
    marked = counted.moments(labels) if labels else []
    clock = ZoneInfo(str(spoken.zone))
    read = counted.read(series)
    with console.bar(spoken.text("series.replay")) as moved:
        replayed = backtest.replay(read, zone=clock, start=start, moved=moved)
    backtest.write(replayed, into)
    found = backtest.tally(replayed, marked)
    lines = told(replayed, found, spoken, has_labels=labels is not None)
    lines += expected(replayed, clock, spoken)
    for line in lines:
        out.print(words(line))
    if report is not None:
        from pipelines import backtest_page  # charts take half a second to import

        backtest_page.write(report, replayed, lines, name=series.stem, zone=clock, spoken=spoken)
        out.print(words(spoken.say("series.shown", path=report)), soft_wrap=True)
    out.print(words(spoken.say("series.written", path=into)), soft_wrap=True)


def spoken(locale: str, zone: str) -> Words:
    """The words of a backtest of a series; VigieError where a locale or a zone is unknown."""
    return wording.words(_locale(locale), _zone(zone), name="backtest")


def _locale(locale: str) -> str:
    if locale not in wording.LOCALES:
        raise VigieError(f"--locale {locale!r}: choose one of {', '.join(wording.LOCALES)}")
    return locale


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise VigieError(f"--zone {name!r} is no time zone: write it as Europe/Paris") from error


def told(replayed: Replay, found: Tally, spoken: Words, *, has_labels: bool) -> list[str]:
    """What is printed, line by line."""
    rate, low, high = (backtest_told.thousandths(each, spoken) for each in found.rate)
    name = "series.false" if has_labels else "series.opened"
    days = spoken.decimal(replayed.days)
    lines = [
        spoken.say("series.openings", openings=len(replayed.alarms), days=days),
        spoken.say(name, rate=rate, low=low, high=high),
    ]
    if has_labels:
        lines.append(spoken.say("series.told", told=found.told, marked=found.marked))
    if found.delay is not None:
        lines.append(spoken.say("series.delay", n=round(found.delay / timedelta(minutes=1))))
    return lines


def expected(replayed: Replay, zone: ZoneInfo, spoken: Words) -> list[str]:
    """What the day and the week after the last whole day are expected to hold."""
    history = counted.by_day(replayed.series, zone)
    if not history:
        return []
    on = max(history) + timedelta(days=1)
    bands = {days: outlook.expected(history, on=on, days=days) for days in (1, 7)}
    return [
        spoken.say(
            f"series.expected_{days}",
            on=on,
            low=spoken.number(band.low),
            high=spoken.number(band.high),
        )
        for days, band in bands.items()
        if band is not None
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command was asked for; `since` and `until` (aware UTC) may be left out."""

    since: datetime | None = None
    until: datetime | None = None
    folder: Path | None = None
    numbers: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    labels: Path | None = None
    minutes: int = 5

    def asked(self, settings: Settings, now: datetime) -> Asked:
        """The same with its span."""
        since, until = backtest_stored.span(settings, since=self.since, until=self.until, now=now)
        return Asked(
            since=since,
            until=until,
            folder=self.folder,
            numbers=self.numbers,
            only=self.only,
            labels=self.labels,
            step=timedelta(minutes=self.minutes),
        )


def backtested_mentions(
    home: Path, wanted: Wanted, *, report: Path | None, locale: str | None, now: datetime
) -> None:
    """Replay the stored mentions of a home and print, and draw, what it was worth."""
    settings = house.house(home, needs_secrets=False).settings
    asked = wanted.asked(settings, now)
    backtest_stored.check(asked)
    who = settings.institution
    spoken = wording.words(_locale(locale or who.locale), who.zone, name="backtest")
    marks, source = backtest_stored.marked(settings, asked)
    with backtest_copy.copied(settings, since=asked.since, until=asked.until) as copy:
        told = backtest_stored.run(copy, asked, marks, source=source, bar=_bar(spoken))
        if report is not None:
            draw(report, copy, told, settings, spoken)
    show(told, settings, spoken)
    if report is not None:
        out.print(words(spoken.say("told.page", path=report)), soft_wrap=True)


def _set(name: str, spoken: Words) -> str:
    return spoken.text(f"told.{name}")


def draw(
    path: Path, copy: backtest_copy.Copy, told: Told, settings: Settings, spoken: Words
) -> None:
    from pipelines import backtest_report  # charts take half a second to import

    try:
        drawn = backtest_report.curves(copy, told)
        backtest_report.write(path, told, drawn, settings=settings, spoken=spoken)
    except OSError as error:
        raise VigieError(f"{path} cannot be written ({error.strerror}): name another") from error


def show(told: Told, settings: Settings, spoken: Words) -> None:
    """Print the figures, who would have got what, and the openings with their links."""
    for line in backtest_told.lines(told, spoken):
        out.print(words(line))
    out.print(words(spoken.text("told.nobody"), style="dim"))
    for trial in told.trials:
        out.print("", words(spoken.text(f"told.{trial.name}"), style="bold"), sep="\n")
        heads = spoken.text("told.mail_heads").split(" | ")
        out.print(table(heads, backtest_told.mails(trial, settings, spoken)))
    for title, openings, trial in _groups(told):
        out.print("", words(spoken.text(title), style="bold"), sep="\n")
        heads = spoken.text("told.heads").split(" | ")
        rows = [backtest_told.row(each, trial, settings, spoken) for each in openings]
        out.print(table(heads, rows) if rows else words(spoken.text("told.none")))
        for link in backtest_told.links(openings):
            out.print(words(f"  {link}"), soft_wrap=True)


def _groups(told: Told) -> list[tuple[str, tuple[Opening, ...], Trial]]:
    if told.tried is None or told.compared is None:
        return [("page.openings", told.present.replayed.openings, told.present)]
    return [
        ("told.gained", told.compared.gained, told.tried),
        ("told.lost", told.compared.lost, told.present),
        ("told.same", tuple(each for _, each in told.compared.same), told.tried),
    ]


LARGE = 300_000  # mentions of 28 days: more are replayed only when somebody asks


def proposed(settings: Settings, rule: str, factor: float, *, now: datetime) -> None:
    """Print what a rule with its thresholds times `factor` would have changed in 28 days.

    Of a large warehouse, the command that tells it.
    """
    who = settings.institution
    spoken = wording.words(who.locale, who.zone, name="backtest")
    number = f"{rule}.{backtest_rules.LEVEL}={factor:g}"
    since, until = backtest_stored.span(settings, since=None, until=now, now=now)
    count = backtest_stored.mention_count(settings, since=since, until=until)
    if count > LARGE:
        command = f"vigie backtest --home {settings.home} --rule {rule} --set {number}"
        said = spoken.say("quality.command", n=spoken.number(count), command=command)
        out.print(words(said), soft_wrap=True)
        return
    asked = Asked(since=since, until=until, numbers=(number,), only=(rule,))
    marks, source = backtest_stored.marked(settings, asked)
    with backtest_copy.copied(settings, since=since, until=until) as copy:
        told = backtest_stored.run(copy, asked, marks, source=source, bar=_bar(spoken))
    out.print(words(spoken.say("quality.proposed", days=backtest_stored.SPAN.days, set=number)))
    for line in backtest_told.lines(told, spoken):
        out.print(words(f"  {line}"))
    for title, openings, trial in _groups(told):
        for each in openings if title != "told.same" else ():
            row = backtest_told.row(each, trial, settings, spoken)
            out.print(words(f"  {spoken.text(title)}: {' · '.join(row[:4])}"))


def _bar(spoken: Words) -> backtest_stored.Bar:
    def left(minutes: float) -> str:
        return spoken.say("told.left", span=spoken.span(max(minutes, 1)))

    return lambda name: console.bar(_set(name, spoken), left=left)
