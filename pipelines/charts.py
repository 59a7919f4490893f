"""Charts as PNG bytes, drawn on this machine by altair and vl-convert.

Every chart is a white card, so that it reads the same in a light and in a dark mail, with the
colours of Okabe and Ito (jfly.uni-koeln.de/color, read 2026-11-20), told apart by place and shade
as well. The font is Liberation Sans, which vl-convert carries: no system font is needed but for
scripts that it lacks. No network: data stand in the chart and every address is refused. Text is
drawn, never interpreted. A chart costs about 0.1 s, the first one of a process about 1 s.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import altair as alt
import vl_convert

from pipelines.wording import dated

FONT = "Liberation Sans"
WIDTH, HEIGHT, LOW = (
    380,
    120,
    90,
)  # of the plot; about 440 wide with its axis, which a phone shows whole
SCALE = 2  # pictures for dense screens
INK, GREY, GRID, CARD = "#1f2933", "#52606d", "#e4e7eb", "#ffffff"
BLUE, BAND, MARK = "#0072B2", "#c6dbec", "#D55E00"
TONES = ("#D55E00", "#c3cad1", "#0072B2", "#eef1f4")  # negative, neutral, positive, undetermined

_NUMBERS: dict[str, Any] = {"fr": "fr-FR", "en": "en-GB"}
_WORDS = {
    "fr": {"band": "bande bleue : fourchette attendue"},
    "en": {"band": "blue band: expected range"},
}
_STEPS = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 4320, 7 * 1440, 14 * 1440, 28 * 1440)
_DAY_MINUTES = 1440
_TICKS = 5
_TITLE_LIMIT = 120
_LABEL_LIMIT = 40


def curve(
    times: Sequence[datetime],
    counts: Sequence[float],
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    title: str,
    mark_at: datetime | None = None,
    locale: str,
    zone: tzinfo,
) -> bytes:
    """A line of counts over time, with the expected band and one marked instant, as PNG.

    `times` are aware and rising; every sequence has their length. Axis times are those of `zone`.
    ValueError for no point, a naive time, or lengths that differ.
    """
    note = _WORDS[locale]["band"] if low is not None and high is not None else None
    return _curve(
        times,
        counts,
        low=low,
        high=high,
        title=title,
        note=note,
        mark_at=mark_at,
        locale=locale,
        zone=zone,
    )


def day_curve(
    days: Sequence[date],
    counts: Sequence[float],
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    title: str,
    note: str | None = None,
    locale: str,
) -> bytes:
    """A line of counts by day with the expected band, as PNG; NaN leaves a gap."""
    times = [datetime.combine(day, time.min, tzinfo=UTC) for day in days]
    labels = {times[place]: name for place, name in _day_names(days, locale).items()}
    return _curve(
        times,
        counts,
        low=low,
        high=high,
        title=title,
        note=note,
        mark_at=None,
        locale=locale,
        zone=UTC,
        labels=labels,
    )


def _curve(
    times: Sequence[datetime],
    counts: Sequence[float],
    *,
    low: Sequence[float] | None,
    high: Sequence[float] | None,
    title: str,
    note: str | None,
    mark_at: datetime | None,
    locale: str,
    zone: tzinfo,
    labels: Mapping[datetime, str] | None = None,
) -> bytes:
    _check(times, counts, low, high)
    rows = [{"t": _epoch_ms(at), "n": _number(n)} for at, n in zip(times, counts, strict=True)]
    layers: list[Any] = []
    if low is not None and high is not None:
        layers.append(_band(rows, low, high))
    layers.append(_line(rows))
    if mark_at is not None:
        layers.append(_rule(mark_at, zone=zone))
    labels = labels or time_labels(times[0], times[-1], zone=zone, locale=locale)
    shared = _time_axis(times, labels)
    chart = alt.layer(*layers).encode(x=shared)
    return _png(chart, title=title, note=note, locale=locale)


def tone_bars(
    days: Sequence[date],
    parts: Mapping[str, Sequence[int]],
    *,
    title: str,
    note: str | None = None,
    locale: str,
) -> bytes:
    """Bars by day, stacked in the order of `parts` (name to counts), as PNG with its legend.

    Four parts at most, from negative to undetermined: the colours are told apart without red and
    green, and by their order.
    """
    names = list(parts)
    rows = [
        {"t": place, "part": name, "n": int(count), "order": order}
        for order, (name, counts) in enumerate(parts.items())
        for place, count in enumerate(counts)
    ]
    legend = alt.Legend(title=None, orient="bottom", symbolType="square", direction="horizontal")
    colour = alt.Color(
        "part:N", sort=names, scale=alt.Scale(domain=names, range=list(TONES)), legend=legend
    )
    bars = alt.Chart(_rows(rows)).mark_bar(stroke=CARD, strokeWidth=1)
    chart = bars.encode(
        x=_day_axis(days, locale=locale),
        y=_count_axis("n"),
        color=colour,
        order=alt.Order("order:Q"),
    )
    return _png(chart, title=title, note=note, locale=locale, height=LOW)


def _day_axis(days: Sequence[date], *, locale: str) -> Any:
    """Days as places with labels made here."""
    names = _day_names(days, locale)
    axis = alt.Axis(
        title=None, values=list(names), labelExpr=_lookup(names), grid=False, labelAngle=0
    )
    return alt.X("t:O", axis=axis)


def _day_names(days: Sequence[date], locale: str) -> dict[int, str]:
    """The labels of some days by place: the last always, and as many as do not touch."""
    step = max(1, -(-len(days) // _TICKS))
    places = range((len(days) - 1) % step, len(days), step)
    return {n: dated(days[n], "MMMd", locale=locale) for n in places}


def topic_bars(
    labels: Sequence[str],
    counts: Sequence[int],
    *,
    usual: Sequence[float | None],
    title: str,
    note: str | None = None,
    locale: str,
) -> bytes:
    """A bar a topic, the largest first, with a tick where it usually ends, as PNG."""
    names = [drawable(label)[:_LABEL_LIMIT] for label in labels]
    rows = [
        {"name": name, "n": count, "usual": before, "place": place}
        for place, (name, count, before) in enumerate(zip(names, counts, usual, strict=True))
    ]
    data = alt.Chart(_rows(rows))
    side = alt.Y(
        "name:N",
        sort=names,
        axis=alt.Axis(title=None, labelLimit=200, ticks=False, domain=False, labelPadding=6),
    )
    x = alt.X("n:Q", axis=alt.Axis(title=None, tickCount=4, tickMinStep=1, format=",d"))
    bars = data.mark_bar(color=BLUE, height=12).encode(y=side, x=x)
    tick = data.mark_tick(color=INK, thickness=2, size=18).encode(y=side, x="usual:Q")
    chart = alt.layer(bars, tick)
    return _png(
        chart, title=title, note=note, locale=locale, width=WIDTH - 150, height=24 * len(names)
    )


def watched(
    times: Sequence[datetime],
    counts: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    alarms: Sequence[datetime],
    title: str,
    locale: str,
    zone: tzinfo,
    others: Sequence[datetime] = (),
) -> str:
    """A curve with its expected band and a mark at each alarm, as SVG: wide, for a page.

    `others` are alarms of another rule set, drawn as dotted dark lines. Counts are drawn by their
    root, so that a burst leaves the ordinary days readable.
    """
    _check(times, counts, low, high)
    rows = [{"t": _epoch_ms(at), "n": _number(n)} for at, n in zip(times, counts, strict=True)]
    labels = time_labels(times[0], times[-1], zone=zone, locale=locale)
    root = alt.Scale(type="sqrt", nice=True)
    band = _band(rows, low, high).encode(y=_count_axis("low").scale(root))
    line = alt.Chart(_rows(rows)).mark_line(color=BLUE, strokeWidth=1)
    layers = [band, line.encode(y=_count_axis("n").scale(root))]
    for moments, colour, dash in ((alarms, MARK, [4, 3]), (others, INK, [1, 3])):
        if moments:
            marks = alt.Chart(_rows([{"t": _epoch_ms(at)} for at in moments]))
            layers.append(marks.mark_rule(color=colour, strokeWidth=1.5, strokeDash=dash))
    chart = alt.layer(*layers).encode(x=_time_axis(times, labels))
    card = _card(chart, title=title, note=None, width=2 * WIDTH, height=2 * HEIGHT)
    made = vl_convert.vegalite_to_svg(
        card.to_dict(), allowed_base_urls=[], format_locale=_NUMBERS[locale]
    )
    return str(made)


def _check(
    times: Sequence[datetime],
    counts: Sequence[float],
    low: Sequence[float] | None,
    high: Sequence[float] | None,
) -> None:
    if not times:
        raise ValueError("a curve needs at least one time")
    if any(at.tzinfo is None for at in times):
        raise ValueError("a curve needs aware times: give them a time zone")
    lengths = {len(part) for part in (times, counts, low, high) if part is not None}
    if len(lengths) > 1:
        raise ValueError(f"times, counts, low and high differ in length: {sorted(lengths)}")


def _number(value: float) -> float | None:
    """A count that can be drawn; what is not a number leaves a gap in the line."""
    return float(value) if math.isfinite(value) else None


def _rows(values: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows that stand in the chart itself."""
    return alt.InlineData(values=[dict(row) for row in values])


def _epoch_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _line(rows: list[dict[str, Any]]) -> Any:
    line = alt.Chart(_rows(rows)).mark_line(
        color=BLUE, strokeWidth=2, point={"color": BLUE, "size": 22} if len(rows) < 40 else False
    )
    return line.encode(y=_count_axis("n"))


def _band(rows: list[dict[str, Any]], low: Sequence[float], high: Sequence[float]) -> Any:
    ranges = [
        {**row, "low": _number(a), "high": _number(b)}
        for row, a, b in zip(rows, low, high, strict=True)
    ]
    band = alt.Chart(_rows(ranges)).mark_area(color=BAND, opacity=0.9)
    return band.encode(y=_count_axis("low"), y2=alt.Y2("high"))


def _rule(at: datetime, *, zone: tzinfo) -> Any:
    label = f"{at.astimezone(zone):%H:%M}"
    data = _rows([{"t": _epoch_ms(at), "label": label}])
    rule = alt.Chart(data).mark_rule(color=MARK, strokeWidth=1.5, strokeDash=[4, 3])
    text = alt.Chart(data).mark_text(
        color=MARK, align="right", dx=-4, y=6, fontSize=12, fontWeight="bold"
    )
    return rule + text.encode(text="label:N")


def _count_axis(field: str) -> Any:
    axis = alt.Axis(title=None, tickCount=4, tickMinStep=1, format=",d", gridColor=GRID)
    return alt.Y(f"{field}:Q", axis=axis, scale=alt.Scale(zero=True, nice=True))


def _time_axis(times: Sequence[datetime], labels: Mapping[datetime, str]) -> Any:
    """Time as plain numbers with labels made here: Vega's own clock knows one zone, the host's."""
    names = {_epoch_ms(at): text for at, text in labels.items()}
    axis = alt.Axis(
        title=None, values=list(names), labelExpr=_lookup(names), grid=False, labelOverlap=False
    )
    first, last = _epoch_ms(times[0]), _epoch_ms(times[-1])
    domain = [first, last] if last > first else [first - 1, first + 1]
    return alt.X("t:Q", axis=axis, scale=alt.Scale(domain=domain, nice=False))


def _lookup(names: Mapping[int, str]) -> str:
    """A Vega expression that names each tick; the words are ours or CLDR's, and escaped."""
    pairs = ",".join(f"'{key}':{_quoted(text)}" for key, text in names.items())
    return f"{{{pairs}}}[datum.value]"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def time_labels(
    first: datetime, last: datetime, *, zone: tzinfo, locale: str
) -> dict[datetime, str]:
    """Up to six instants from `first` to `last`, on round local times, and how each is written.

    Hours below two days, days above. Steps over every quarter hour, so summer time and zones of
    half an hour keep their round times.
    """
    span = max((last - first) / timedelta(minutes=1), 1)
    step = next((s for s in _STEPS if span / s <= _TICKS), _STEPS[-1])
    pace = timedelta(minutes=5 if step < 60 else 15)
    at = first - (first - first.min.replace(tzinfo=first.tzinfo)) % pace
    found: dict[datetime, str] = {}
    while at <= last:
        if at >= first and _is_round(at.astimezone(zone), step):
            found[at] = _label(at.astimezone(zone), step, locale)
        at += pace
    return found or {first: _label(first.astimezone(zone), step, locale)}


def _is_round(local: datetime, step: int) -> bool:
    minutes = local.hour * 60 + local.minute
    if step <= _DAY_MINUTES:
        return minutes % step == 0
    return minutes == 0 and local.toordinal() % (step // _DAY_MINUTES) == 0


def _label(local: datetime, step: int, locale: str) -> str:
    is_midnight = local.hour == 0 and local.minute == 0
    if step >= _DAY_MINUTES or is_midnight:
        return dated(local, "MMMd", locale=locale)
    return f"{local:%H:%M}"


def drawable(text: str) -> str:
    """`text` without the characters that a picture cannot hold, at most 120 long.

    vl-convert 1.9 ends the whole process on a control character: XML has no place for it.
    """
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:_TITLE_LIMIT]


def _png(
    chart: Any,
    *,
    title: str,
    note: str | None,
    locale: str,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> bytes:
    """The chart as a white card, without any address ever fetched."""
    card = _card(chart, title=title, note=note, width=width, height=height)
    made = vl_convert.vegalite_to_png(
        card.to_dict(), scale=SCALE, allowed_base_urls=[], format_locale=_NUMBERS[locale]
    )
    return deflated(bytes(made))


def deflated(png: bytes) -> bytes:
    """The same picture in a quarter of the bytes: vl-convert 1.9 packs fast, not small.

    Chunks as in RFC 2083, 3.2: length, kind, data, CRC; the pixels' chunks become one.
    """
    found, pixels, at = [png[:8]], b"", 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        data = png[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            pixels += data
        if kind == b"IEND":
            found.append(_chunk(b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
        if kind != b"IDAT":
            found.append(_chunk(kind, data))
        at += 12 + size
    return b"".join(found)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _card(chart: Any, *, title: str, note: str | None, width: int, height: int) -> Any:
    heading = alt.TitleParams(
        text=drawable(title),
        subtitle=note or "",
        anchor="start",
        frame="group",
        fontSize=14,
        subtitleFontSize=12,
        color=INK,
        subtitleColor=GREY,
        limit=WIDTH + 40,
    )
    return (
        chart.properties(width=width, height=height, title=heading, background=CARD)
        .configure(font=FONT, padding=10)
        .configure_view(stroke=None)
        .configure_legend(labelColor=INK, labelFontSize=12, symbolStrokeWidth=0, symbolSize=140)
        .configure_axis(labelColor=INK, labelFontSize=12, domainColor=GREY, tickColor=GREY)
    )
