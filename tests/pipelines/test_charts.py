"""Charts: what is drawn, on which clock, and that nothing is fetched."""

from __future__ import annotations

import re
import struct
import threading
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import altair as alt
import pytest

from pipelines import charts
from pipelines.charts import Chart

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)
HOURS = [NOON + timedelta(hours=n) for n in range(24)]


def _size(chart: Chart) -> tuple[int, int]:
    png = charts.png(chart)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_curve_is_a_picture_for_dense_screens() -> None:
    chart = charts.curve(
        HOURS, range(24), low=[2] * 24, high=[9] * 24, title="Été", locale="fr", zone=PARIS
    )
    width, height = _size(chart)
    assert 1000 <= width <= 1200
    assert height > 300


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_curve_draws_one_point_and_a_mark(locale: str) -> None:
    chart = charts.curve(HOURS[:1], [3], title="x", mark_at=NOON, locale=locale, zone=PARIS)
    assert _size(chart)[0] > 300


def test_a_title_that_one_line_cannot_hold_stands_in_two() -> None:
    title = "La Ville et ses services : Crise et sécurité civile · mentions des dernières 24 heures"
    for width in (charts.WIDTH, charts.WIDE):
        chart = charts.curve(HOURS, range(24), title=title, locale="fr", zone=PARIS, width=width)
        lines = chart.spec["title"]["text"]
        assert len(lines) == 2
        assert all(len(line) * 8 <= width + 50 for line in lines)
    assert " ".join(lines) == title
    short = charts.curve(HOURS, range(24), title="Eau", locale="fr", zone=PARIS)
    assert short.spec["title"]["text"] == "Eau"


def test_curve_draws_a_hostile_title_as_text() -> None:
    title = "<script>alert(1)</script> '+datum+' \u202e \x00 " * 20
    chart = charts.curve(HOURS, range(24), title=title, locale="fr", zone=PARIS)
    assert _size(chart)[0] < 1200


def test_curve_leaves_a_gap_where_a_count_is_not_a_number() -> None:
    counts = [1.0, float("nan"), float("inf"), 4.0]
    chart = charts.curve(HOURS[:4], counts, title="x", locale="fr", zone=PARIS)
    assert _size(chart)[0] > 300


@pytest.mark.parametrize(
    "title", ["", "🔥👩‍🚒", "مدينة", "\ud800", "\uffff\x1b[31m", "a\r\nBcc: b"]
)
def test_curve_survives_any_title(title: str) -> None:
    assert _size(charts.curve(HOURS[:2], [1, 2], title=title, locale="fr", zone=PARIS))[0] > 300


def test_curve_refuses_no_point_a_naive_time_and_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="at least one"):
        charts.curve([], [], title="x", locale="fr", zone=PARIS)
    with pytest.raises(ValueError, match="aware"):
        charts.curve([datetime(2026, 1, 1)], [1], title="x", locale="fr", zone=PARIS)  # noqa: DTZ001
    with pytest.raises(ValueError, match="differ in length"):
        charts.curve(HOURS, range(24), low=[1], high=[2], title="x", locale="fr", zone=PARIS)


def test_hours_are_those_of_the_institution_and_midnight_is_named_by_its_day() -> None:
    labels = charts.time_labels(HOURS[0], HOURS[-1], zone=PARIS, locale="fr")
    assert list(labels.values()) == ["18:00", "20 nov.", "06:00", "12:00"]
    assert min(labels) == datetime(2026, 11, 19, 17, tzinfo=UTC)


def test_days_stay_at_local_midnight_across_the_end_of_summer_time() -> None:
    first = datetime(2026, 10, 19, 22, tzinfo=UTC)
    labels = charts.time_labels(first, first + timedelta(days=12), zone=PARIS, locale="en")
    assert {at.astimezone(PARIS).hour for at in labels} == {0}
    assert len(labels) in {4, 5}


def test_a_short_window_has_labels_by_minutes() -> None:
    labels = charts.time_labels(NOON, NOON + timedelta(minutes=20), zone=PARIS, locale="fr")
    assert list(labels.values()) == ["13:00", "13:05", "13:10", "13:15", "13:20"]


def test_a_chart_never_fetches_an_address() -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/people.csv"
    chart = alt.Chart(alt.UrlData(url)).mark_point().encode(x="a:Q")
    try:
        charts.png(charts._made(chart, title="x", note=None, locale="fr"))
    except ValueError:
        pass  # vl-convert says that the address is refused
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []


def test_days_are_drawn_with_their_band_and_without_history() -> None:
    days = [date(2026, 11, n) for n in range(6, 20)]
    known = charts.day_curve(
        days, range(14), low=[1.0] * 14, high=[9.0] * 14, title="x", locale="fr"
    )
    gaps = [float("nan")] * 14
    unknown = charts.day_curve(days, range(14), low=gaps, high=gaps, title="x", locale="en")
    assert _size(known)[0] > 700
    assert _size(unknown)[0] > 700


def test_the_last_day_always_has_its_label() -> None:
    for count in range(1, 32):
        days = [date(2026, 11, 1) + timedelta(n) for n in range(count)]
        names = charts._day_names(days, "fr")
        assert count - 1 in names
        assert len(names) <= 4


def test_tone_is_drawn() -> None:
    days = [date(2026, 11, n) for n in range(6, 20)]
    parts = {"négatif": [1] * 14, "neutre": [2] * 14, "positif": [0] * 14, "indéterminé": [1] * 14}
    assert _size(charts.tone_bars(days, parts, title="Ton", locale="fr"))[0] > 700


def test_the_band_of_a_picture_stays_blue() -> None:
    """vl-convert 1.9 cuts each part of a colour to its opacity: more of it would turn teal."""
    band = charts._GROUNDLESS[charts.BAND]
    red, green, blue = (int(band[n : n + 2], 16) for n in (1, 3, 5))
    assert red < green < 0.6 * blue + 1
    assert blue <= 255 * charts._GROUNDLESS_OPACITY


def test_a_picture_has_no_ground_of_its_own() -> None:
    kind = charts.png(charts.curve(HOURS, range(24), title="x", locale="fr", zone=PARIS))[25]
    assert kind == 6  # colour with transparency (RFC 2083, 4.1.1)


@pytest.mark.parametrize(("ground", "least"), [("#ffffff", 4.5), ("#000000", 3), ("#1b232c", 3)])
def test_the_words_of_a_picture_can_be_read_on_any_ground(ground: str, least: float) -> None:
    """The ratio of WCAG 2.2, 1.4.3."""
    for ink in (charts.INK, charts.GREY):
        lights = sorted(_light(colour) for colour in (charts._GROUNDLESS[ink], ground))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= least


def _light(colour: str) -> float:
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return sum(c * w for c, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def test_a_picture_is_packed_small_and_shows_the_same() -> None:
    import struct
    import zlib

    from pipelines.charts import deflated

    def pixels(png: bytes) -> bytes:
        at, found = 8, b""
        while at < len(png):
            size, kind = struct.unpack(">I4s", png[at : at + 8])
            data = png[at + 8 : at + 8 + size]
            assert png[at + 8 + size : at + 12 + size] == struct.pack(">I", zlib.crc32(kind + data))
            found += data if kind == b"IDAT" else b""
            at += 12 + size
        return zlib.decompress(found)

    row = bytes(100)
    header = struct.pack(">IIBBBBB", 99, 50, 8, 0, 0, 0, 0)
    loose = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(row * 50, 0)), (b"IEND", b"")):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        loose += struct.pack(">I", len(data)) + kind + data + crc
    small = deflated(loose)
    assert len(small) < len(loose) / 10
    assert pixels(small) == pixels(loose)
    assert deflated(small) == small


DAYS = [date(2026, 11, n) for n in range(6, 20)]
TOLD = [(f"jour {n} <b>", f"{n} messages & co") for n in range(14)]


def _drawn() -> list[Chart]:
    """One chart of each kind that tells its figures."""
    parts = {"négatif": [1] * 14, "neutre": [2] * 14, "positif": [0] * 14, "indéterminé": [1] * 14}
    times = HOURS[:14]
    return [
        charts.day_curve(DAYS, range(14), title="x", note="y", locale="fr", told=TOLD),
        charts.curve(times, range(14), title="x", locale="en", zone=PARIS, told=TOLD),
        charts.tone_bars(DAYS, parts, title="x", note="y", locale="fr", told=TOLD),
    ]


@pytest.mark.parametrize("chart", _drawn())
def test_a_drawing_tells_its_figures_where_it_is_pointed_at(chart: Chart) -> None:
    drawing = charts.svg(chart, alt='14 jours "d’essai" <x>')
    tree = ElementTree.fromstring(drawing)  # noqa: S314 - drawn here
    hits = [node for node in tree.iter() if node.get("class") == "hit"]
    assert len(hits) == 14
    for (name, figures), hit in zip(TOLD, hits, strict=True):
        assert [line.text for line in hit.iter() if line.text] == [name, figures]
        (mark,) = [node for node in hit if node.tag.endswith("path")]
        assert mark.get("opacity") == "0"
    assert tree.get("aria-label") == '14 jours "d’essai" <x>'
    assert not re.search(r"<script|<style|href|url\(|<image| on[a-z]+=", drawing)


@pytest.mark.parametrize("chart", _drawn())
def test_what_is_told_takes_no_room_and_shows_in_no_picture(chart: Chart) -> None:
    silent = Chart(spec=dict(chart.spec), locale=chart.locale)
    layers = [each for each in silent.spec["layer"] if each.get("name") not in {"hits", "told"}]
    silent.spec["layer"] = layers  # type: ignore[index]
    assert _size(silent) == _size(chart)
    assert charts.png(silent) == charts.png(chart)
