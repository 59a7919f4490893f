"""A page of a backtest: the curve, what was expected, the alarms; one file without a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines import charts
from pipelines.aside import written_aside
from pipelines.backtest import Replay
from pipelines.wording import Words

POINTS = 1200  # of a picture: more than can be told apart
MOST_DRAWN = 12  # alarms with a picture of their own
AROUND = 24  # hours on either side of it


def write(
    path: Path,
    replayed: Replay,
    lines: Sequence[str],
    *,
    name: str,
    zone: ZoneInfo,
    spoken: Words,
) -> None:
    """Write the page; `lines` are the figures that stand at its head."""
    steps = len(replayed.series.values)
    day = AROUND * 60 // replayed.series.minutes
    drawn = replayed.alarms[:MOST_DRAWN]
    spans = [(max(step - day, 0), min(step + day, steps)) for step in drawn]
    page = _template().render(
        w=spoken,
        name=name,
        lines=lines,
        zone=zone.key,
        overview=_picture(replayed, (0, steps), spoken.text("series.curve"), zone, spoken),
        alarms=[_row(replayed, step, zone, spoken) for step in replayed.alarms],
        pictures=[
            _picture(replayed, span, _row(replayed, step, zone, spoken)["at"], zone, spoken)
            for step, span in zip(drawn, spans, strict=True)
        ],
        left=len(replayed.alarms) - len(drawn),
    )
    with written_aside(path) as part:
        part.write_text(page, encoding="utf-8")


def _template() -> Any:
    loader = PackageLoader("pipelines", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("backtest.html.j2")


def _row(replayed: Replay, step: int, zone: ZoneInfo, spoken: Words) -> dict[str, str]:
    found = replayed.levels
    return {
        "at": f"{replayed.series.begins_at(step + 1).astimezone(zone):%Y-%m-%d %H:%M}",
        "window": _window(replayed, step, spoken),
        "observed": spoken.number(float(found.observed[step])),
        "expected": spoken.decimal(float(found.expected[step])),
        "high": spoken.number(float(found.high[step])),
    }


def _window(replayed: Replay, step: int, spoken: Words) -> str:
    found = replayed.levels
    if not found.is_small[step]:
        return spoken.say("forms.minutes", n=max(replayed.series.minutes, 15))
    return spoken.text("series.sudden" if found.is_sudden[step] else "series.day")


def _picture(
    replayed: Replay, span: tuple[int, int], title: str, zone: ZoneInfo, spoken: Words
) -> Markup:
    """The steps of a span in at most `POINTS` points: the highest count of each is drawn."""
    found, series = replayed.levels, replayed.series
    apart = max(-(-(span[1] - span[0]) // POINTS), 1)
    firsts = np.arange(span[0], span[1], apart)
    counts = np.maximum.reduceat(np.nan_to_num(found.observed), firsts)
    is_known = ~np.isnan(found.observed[firsts])
    drawn = charts.watched(
        [series.begins_at(int(step)) for step in firsts],
        np.where(is_known, counts, np.nan).tolist(),
        found.low[firsts].tolist(),
        found.high[firsts].tolist(),
        alarms=[series.begins_at(s) for s in replayed.alarms if span[0] <= s < span[1]],
        title=title,
        locale=spoken.locale,
        zone=zone,
    )
    return Markup(drawn)  # noqa: S704 - drawn here: numbers, and a title that the chart escapes
