"""What the notebooks share: the home they ask, its language and clock, charts fit for a meeting."""

from datetime import UTC, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import altair as alt
import numpy as np
import pandas as pd
from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent

from pipelines import analyst, backtest
from pipelines.series import Series
from tests.town import analyst_file

HOME = analyst_file.home()  # VIGIE_HOME where it is set, else an invented town
MOST_SUBJECTS = 20
A_DAY = 288  # steps of five minutes
INK, BLUE, ORANGE, BAND = "#1f2933", "#0072B2", "#D55E00", "#c6dbec"


def ask(sql: str, **given: Any) -> pd.DataFrame:
    """The answer of a query as a table."""
    with analyst.opened(HOME) as connection:
        return connection.execute(sql, given or None).to_arrow_table().to_pandas()


_ABOUT = ask("from about").iloc[0]
LOCALE = str(_ABOUT["locale"])
ZONE = ZoneInfo(str(_ABOUT["time_zone"]))
LABEL = f"label_{'fr' if LOCALE == 'fr' else 'en'}"  # the column of a topic's name


def say(fr: str, en: str) -> str:
    """What is said in the institution's language."""
    return fr if LOCALE == "fr" else en


def number(value: float, digits: int = 0) -> str:
    """A number as its readers write it."""
    sign = "#,##0" + (f".{'0' * digits}" if digits else "")
    return format_decimal(value, format=sign, locale=LOCALE)


def percent(value: float) -> str:
    """A share (0..1) as its readers write it."""
    return format_percent(value, locale=LOCALE)


def moment(at: pd.Timestamp) -> str:
    """A moment by the institution's clock, as its readers write it."""
    first = "d'er'" if at.day == 1 else "d"
    form = say(f"{first} MMMM 'à' HH:mm", "d MMMM, HH:mm")
    return format_datetime(at.to_pydatetime(), form, locale=LOCALE)


def many(count: int, fr: tuple[str, str], en: tuple[str, str]) -> str:
    """A count with its noun, one and many."""
    is_one = count < 2 if LOCALE == "fr" else count == 1
    return f"{number(count)} {say(*(each[0 if is_one else 1] for each in (fr, en)))}"


def titled(title: str, what: str) -> alt.TitleParams:
    """What a chart says, over what it shows."""
    return alt.TitleParams(text=title, subtitle=what)


TONES = {
    "negative": (say("négatif", "negative"), ORANGE),
    "neutral": (say("neutre", "neutral"), "#aab4bf"),
    "positive": (say("positif", "positive"), BLUE),
    "undetermined": (say("indéterminé", "undetermined"), "#ffffff"),
}


def tone_colours() -> alt.Scale:
    """The tones, from negative to undetermined (white, so that it is seen to be no answer)."""
    names, colours = zip(*TONES.values(), strict=True)
    return alt.Scale(domain=list(names), range=list(colours))


class Watched(NamedTuple):
    """A subject as the alert rule watches it: steps of five minutes by the clock of people.

    `alarms` are steps. That a collection begins is none, as for the rule: before the last day at
    least 30 messages, and no fewer than in it, or two weeks of any.
    """

    subject: str
    replayed: backtest.Replay
    steps: pd.DataFrame
    alarms: list[int]


def loudest() -> Watched | None:
    """The subject that came nearest to an alarm, or went furthest beyond; None where none is heard.

    Each of the most talked of is replayed through the detector of `docs/bursts.md`.
    """
    subjects = ask(f"""
        select subject, count(*) as n from (select unnest(subject_ids) as subject from not_own())
        group by subject order by n desc, subject limit {MOST_SUBJECTS}
    """)["subject"]
    found = [_watched(subject) for subject in subjects]
    return max(found, key=_reach, default=None)


def _reach(watched: Watched) -> tuple[bool, float]:
    highest = watched.steps["level"]
    at_alarms = [highest.iloc[step : step + A_DAY].max() for step in watched.alarms]
    return bool(at_alarms), float(max(at_alarms, default=highest.max()))


def _known(counts: np.ndarray) -> np.ndarray:
    """At which steps a collection is past its beginning."""
    so_far = np.concatenate([np.zeros(A_DAY), np.cumsum(counts)])
    before, last = so_far[:-A_DAY], so_far[A_DAY:] - so_far[:-A_DAY]
    heard = np.arange(len(counts)) - np.argmax(counts > 0)
    return (before >= np.maximum(30, last)) | (heard >= 14 * A_DAY)


def _watched(subject: str) -> Watched:
    said = ask(
        """
        with said as (
            select time_bucket(interval '5 minutes', published_at) as moment, count(*) as n
            from not_own() where list_contains(subject_ids, $subject) group by moment
        ), grid as (
            select unnest(generate_series(
                (select time_bucket(interval '1 day', min(published_at)) from not_own()),
                (select time_bucket(interval '5 minutes', max(published_at)) from not_own()),
                interval '5 minutes')) as moment
        )
        select grid.moment, coalesce(said.n, 0) as n
        from grid left join said using (moment) order by moment
        """,
        subject=subject,
    )
    start = said["moment"].dt.tz_convert("UTC").iloc[0].to_pydatetime().astimezone(UTC)
    series = Series(start=start, minutes=5, values=said["n"].to_numpy(float))
    replayed = backtest.replay(series, zone=ZONE)
    said["local"] = (said["moment"] + timedelta(minutes=5)).dt.tz_convert(ZONE.key).dt.tz_localize(None)
    said["quarter"] = np.convolve(said["n"], np.ones(3))[: len(said)]
    for name in ("level", "low", "high", "expected"):
        said[name] = getattr(replayed.levels, name)
    is_known = _known(series.values)
    said["level"] = np.where(is_known, said["level"], 0.0)
    alarms = [step for step in replayed.alarms if is_known[step]]
    return Watched(subject, replayed, said, alarms)


@alt.theme.register("meeting", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    text = {"labelFontSize": 13, "titleFontSize": 13, "labelColor": INK, "titleColor": INK}
    title = {"anchor": "start", "fontSize": 17, "subtitleFontSize": 13, "subtitleColor": "#52606d"}
    return {
        "config": {
            "font": "Liberation Sans",
            "title": {**title, "color": INK, "offset": 14, "subtitlePadding": 6},
            "axis": {**text, "titleFontWeight": "normal", "gridColor": "#e4e7eb", "labelLimit": 300},
            "legend": {**text, "titleFontWeight": "normal"},
            "view": {"stroke": None},
        }
    }


_language = say("fr-FR", "en-US")
alt.renderers.enable("png", scale_factor=2)
alt.renderers.set_embed_options(format_locale=_language, time_format_locale=_language)
