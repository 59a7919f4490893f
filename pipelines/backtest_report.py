"""A page of a backtest over stored mentions: figures, curves, openings with what they rest on.

One file without a script, which loads nothing. What people wrote is escaped, stripped of control
and direction marks, and linked only over http and https.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from pipelines import alert_letter, backtest_told, baseline, charts, warehouse, wording
from pipelines.aside import written_aside
from pipelines.backtest_copy import Copy
from pipelines.backtest_mentions import Opening, Quoted
from pipelines.backtest_told import Told, Trial
from pipelines.settings import Settings
from pipelines.templating import template
from pipelines.wording import Words, plain, safe_link

MOST_CURVES = 6  # subjects drawn: those with most openings
MOST_SHOWN = 100  # openings told one by one, of each kind
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Mentions of a subject by the hour, each with its beginning and the 95 % that was expected."""

    subject_id: str
    times: tuple[datetime, ...]
    counts: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def curves(copy: Copy, told: Told) -> tuple[Curve, ...]:
    """The curves of the subjects that most openings are about; changes nothing."""
    openings = [each for trial in told.trials for each in trial.replayed.openings]
    subjects = Counter(each.subject_id for each in openings if each.subject_id is not None)
    since, until = told.present.replayed.since, told.present.replayed.until
    return tuple(
        _curve(copy, name, since=since, until=until)
        for name, _ in subjects.most_common(MOST_CURVES)
    )


def _curve(copy: Copy, subject_id: str, *, since: datetime, until: datetime) -> Curve:
    first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    times = tuple(first + _HOUR * n for n in range(int((until - first) / _HOUR) + 1))
    given = {"since": first, "until": until, "subject_id": subject_id}
    found = dict(warehouse.run(copy.connection, "queries/replay_hours", given).fetchall())
    counts = {at.astimezone(UTC): float(count) for at, count in found.items()}
    low, high = _band(copy, subject_id, times)
    told = tuple(counts.get(at, 0.0) for at in times)
    return Curve(subject_id=subject_id, times=times, counts=told, low=low, high=high)


def _band(
    copy: Copy, subject_id: str, times: Sequence[datetime]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What was expected of each hour, learnt a day at a time."""
    zone = copy.settings.institution.zone
    low: list[float] = []
    high: list[float] = []
    for start in range(0, len(times), 24):
        day = times[start : start + 24]
        windows = [baseline.Window(until=at + _HOUR, minutes=60, zone=zone) for at in day]
        bounds = baseline.band(copy.connection, (subject_id, "all"), windows, as_of=day[0])
        low.extend(bounds[0])
        high.extend(bounds[1])
    return tuple(low), tuple(high)


def write(
    path: Path, told: Told, drawn: Sequence[Curve], *, settings: Settings, spoken: Words
) -> None:
    """Write the page, readable by its owner alone: it quotes people. Raises OSError."""
    page = template("backtest_mentions.html.j2")
    html = page.render(
        w=spoken,
        institution=plain(settings.institution.name),
        lines=[*backtest_told.lines(told, spoken)],
        trials=[_trial(trial, settings, spoken) for trial in told.trials],
        pictures=[_picture(curve, told, settings, spoken) for curve in drawn],
        legend=_legend(told, settings, spoken) if drawn else "",
        groups=[*_groups(told, settings, spoken)],
    )
    with written_aside(path) as fresh:
        fresh.touch(mode=0o600)
        fresh.write_text(html, encoding="utf-8")


def _trial(trial: Trial, settings: Settings, spoken: Words) -> dict[str, Any]:
    rows = backtest_told.mails(trial, settings, spoken)
    return {"name": spoken.text(f"told.{trial.name}"), "mails": rows}


def _legend(told: Told, settings: Settings, spoken: Words) -> str:
    zone = settings.institution.zone.key
    if told.tried is None:
        return spoken.say("page.legend_one", zone=zone)
    names = {"dashed": spoken.text("told.tried"), "dotted": spoken.text("told.present")}
    return spoken.say("page.legend", zone=zone, **names)


def _picture(curve: Curve, told: Told, settings: Settings, spoken: Words) -> Markup:
    sets = [
        [o.fired_at for o in trial.replayed.openings if o.subject_id == curve.subject_id]
        for trial in told.trials
    ]
    name = alert_letter.about(curve.subject_id, "all", settings, spoken)
    drawn = charts.watched(
        curve.times,
        curve.counts,
        curve.low,
        curve.high,
        alarms=sets[-1],
        others=sets[0] if len(sets) > 1 else (),
        title=spoken.say("page.curve", subject=name),
        locale=spoken.locale,
        zone=settings.institution.zone,
    )
    return Markup(drawn)  # noqa: S704 - drawn here: numbers, and a title that the chart escapes


def _groups(told: Told, settings: Settings, spoken: Words) -> Iterator[dict[str, Any]]:
    """The openings under their titles: gained, lost and the same, or all of one rule set."""
    if told.compared is None or told.tried is None:
        found = told.present.replayed.openings
        yield _group("page.openings", found, told.present, settings, spoken)
        return
    yield _group("told.gained", told.compared.gained, told.tried, settings, spoken)
    yield _group("told.lost", told.compared.lost, told.present, settings, spoken)
    yield _group("told.same", [t for _, t in told.compared.same], told.tried, settings, spoken)


def _group(
    title: str, openings: Sequence[Opening], trial: Trial, settings: Settings, spoken: Words
) -> dict[str, Any]:
    shown = openings[:MOST_SHOWN]
    left = len(openings) - len(shown)
    return {
        "title": spoken.text(title),
        "openings": [_opening(each, trial, settings, spoken) for each in shown],
        "cut": spoken.say("page.cut", n=left) if left else "",
    }


def _opening(opening: Opening, trial: Trial, settings: Settings, spoken: Words) -> dict[str, Any]:
    with warehouse.trying(trial.texts):
        headline = alert_letter.headline(opening.alert, alert_words(settings, spoken))
    return {
        "row": backtest_told.row(opening, trial, settings, spoken),
        "headline": headline,
        "messages": [_message(each, spoken) for each in opening.messages],
    }


def alert_words(settings: Settings, spoken: Words) -> Words:
    """The words of alert mails in the locale of the page."""
    return wording.words(spoken.locale, settings.institution.zone, name="alert")


def _message(message: Quoted, spoken: Words) -> dict[str, Any]:
    url = safe_link(message.url)
    return {
        "quote": alert_letter.shortened(plain(message.text), alert_letter.QUOTE_LIMIT),
        "network": plain(message.network),
        "moment": spoken.moment(message.published_at),
        "copies": spoken.say("page.copies", n=message.copy_count) if message.copy_count > 1 else "",
        "url": url,
        "host": urlsplit(url).hostname if url else None,
    }
