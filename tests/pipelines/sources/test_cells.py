"""What the cells of an export mean, in every form that people's tools write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from pipelines.sources import _cells
from pipelines.sources._cells import Clock

PARIS = ZoneInfo("Europe/Paris")
FRENCH = Clock(PARIS)
AMERICAN = Clock(PARIS, is_day_first=False)
SUNDAY = datetime(2015, 2, 22, 9, 15, tzinfo=UTC)  # 10:15 in Paris


@pytest.mark.parametrize(
    "text",
    [
        "2015-02-22 10:15:00",
        "2015-02-22T10:15:00",
        "2015-02-22 10:15",
        "2015-02-22T09:15:00Z",
        "2015-02-22T09:15:00.000Z",
        "2015-02-22 09:15:00 UTC",
        "2015-02-22 09:15:00+00:00",
        "2015-02-22 09:15:00 +0000",
        "2015-02-22 01:15:00 -0800",
        "2015-02-22T10:15:00+0100",
        "2015/02/22 10:15:00",
        "22/02/2015 10:15",
        "22/02/2015 à 10h15",
        "22/02/2015, 10:15:00",
        "22.02.2015 10:15",
        "22-02-2015 10:15",
        "22/02/15 10:15",
        "22/2/2015 10:15 AM",
        "22-Feb-2015 10:15AM",
        "22 févr. 2015 10:15",
        "22 février 2015 à 10:15",
        "dimanche 22 février 2015 10:15",
        "Feb 22, 2015 10:15 AM",
        "February 22, 2015 at 10:15 AM",
        "Sun, 22 Feb 2015 09:15:00 +0000",
        "Sun, 22 Feb 2015 09:15:00 GMT",
        "Sun Feb 22 09:15:00 +0000 2015",
        "1424596500",
        "1424596500000",
        "42057.427083333336",
        1424596500,
        1424596500000,
        42057.427083333336,
        "20150222T101500",
    ],
)
def test_a_time_is_read_in_every_usual_form(text: str | float) -> None:
    found = _cells.time_of(text, FRENCH)
    assert found is not None
    assert found.at == SUNDAY


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2/3/2015 10:15 PM", datetime(2015, 2, 3, 21, 15, tzinfo=UTC)),
        ("02/03/2015 12:00 AM", datetime(2015, 2, 2, 23, 0, tzinfo=UTC)),
        ("02/03/2015 12:00 pm", datetime(2015, 2, 3, 11, 0, tzinfo=UTC)),
    ],
)
def test_months_come_first_when_the_file_says_so(text: str, at: datetime) -> None:
    found = _cells.time_of(text, AMERICAN)
    assert found is not None
    assert found.at == at


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("22/02/2015", "day"),
        ("2015-02-22", "day"),
        ("20150222", "day"),
        (42057, "day"),
        ("22/02/2015 10:15", "minute"),
        ("22/02/2015 10:15:09", "second"),
        ("2015-02-22 10:15:09", "second"),
    ],
)
def test_how_finely_a_cell_tells_the_time_is_kept(text: str | int, precision: str) -> None:
    found = _cells.time_of(text, FRENCH)
    assert found is not None
    assert found.precision == precision


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hier",
        "31/02/2015",
        "2015-13-01",
        "22/02/2015 25:00",
        "22/02/2015 10:15 XYZ",
        "1515-02-22",
        "12",
        "99999999999999999999",
        "22/22/2015",
        None,
        True,
        float("nan"),
        float("inf"),
        -1,
        10**40,
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert _cells.time_of(text, FRENCH) is None


def test_a_format_that_is_given_is_the_only_one() -> None:
    clock = Clock(PARIS, date_format="%d.%m.%y")
    found = _cells.time_of("22.02.15", clock)
    assert found is not None
    assert (found.at, found.precision) == (datetime(2015, 2, 21, 23, tzinfo=UTC), "day")
    assert _cells.time_of("2015-02-22", clock) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_no_cell_makes_a_reader_fail(cell: object) -> None:
    for clock in (FRENCH, AMERICAN, Clock(PARIS, date_format="%d/%m/%Y")):
        found = _cells.time_of(cell, clock)
        assert found is None or found.at.tzinfo is not None
    count = _cells.count_of(cell)
    assert count is None or 0 <= count < 2**63
    _cells.number_of(cell)
    _cells.id_of(cell)
    _cells.words_of(cell)
    assert len(_cells.safe(cell)) <= len("a text of the form ") + 2 * 40 + 2  # each may be escaped


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)))  # noqa: DTZ001 - naive cells
def test_french_and_american_forms_of_one_time_agree(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    french = _cells.time_of(f"{moment:%d/%m/%Y %H:%M:%S}", FRENCH)
    american = _cells.time_of(f"{moment:%m/%d/%Y %I:%M:%S %p}", AMERICAN)
    iso = _cells.time_of(moment.isoformat(), FRENCH)
    assert french == american == iso


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("12", 12),
        (12, 12),
        (12.0, 12),
        ("12.0", 12),
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("1\u202f234", 1234),
        ("1 234 567", 1_234_567),
        ("1,234", 1234),
        ("1.234", 1234),
        ("1,234,567", 1_234_567),
        ("1'234", 1234),
        ("1,2K", 1200),
        ("1.2k", 1200),
        ("3M", 3_000_000),
        ("3,5 Md", 3_500_000_000),
        ("0", 0),
        ("", None),
        ("-", None),
        ("N/A", None),
        ("-3", None),
        (-3, None),
        ("12 %", None),
        ("beaucoup", None),
        (float("nan"), None),
        (True, None),
        (None, None),
    ],
)
def test_a_count_is_read_or_is_unknown(cell: object, count: int | None) -> None:
    assert _cells.count_of(cell) == count


@pytest.mark.parametrize(
    ("word", "network"),
    [
        ("Twitter", "x"),
        ("X (formerly Twitter)", "x"),
        ("SOCIALMEDIA_TWITTER", "x"),
        ("SOCIALMEDIA_FACEBOOK", "facebook"),
        ("FACEBOOK_PAGE", "facebook"),
        ("Instagram Business", "instagram"),
        ("ONLINENEWS", "press"),
        ("Actualités", "press"),
        ("BLOG", "web"),
        ("MESSAGEBOARD_GENERAL", "forum"),
        ("message board", "forum"),
        ("Avis", "reviews"),
        ("www.tiktok.com", "tiktok"),
        ("SOCIALMEDIA_TIKTOK", "tiktok"),
        ("Snapchat Spotlight", "snapchat"),
        ("youtu.be", "youtube"),
        ("WordPress", "web"),
        ("Minitel", None),
        ("xylophone", None),
    ],
)
def test_a_network_has_one_name_here_whatever_the_tool_says(word: str, network: str | None) -> None:
    assert _cells.network_of(word) == network


@pytest.mark.parametrize(
    ("cell", "native_id"),
    [
        (569600000000000001, "569600000000000001"),
        ("569600000000000001.0", "569600000000000001"),
        ("'569600000000000001", "569600000000000001"),
        ("5.696E+17", None),
        ("5,696e17", None),
        (5.696e17, None),
        (12.0, "12"),
        ("x" * 401, None),
        ("", None),
        (None, None),
    ],
)
def test_an_id_is_kept_whole_or_not_at_all(cell: object, native_id: str | None) -> None:
    assert _cells.id_of(cell) == native_id


@pytest.mark.parametrize(
    ("word", "is_private"),
    [
        ("Facebook private message", True),
        ("Facebook Message", True),
        ("Twitter Direct Message", True),
        ("X DM", True),
        ("Message privé", True),
        ("Messenger", True),
        ("Instagram story mention", True),
        ("Facebook comment", False),
        ("Message board", False),
        ("Tweet", False),
        ("Admin post", False),
    ],
)
def test_private_messages_are_known_by_their_type(word: str, is_private: bool) -> None:
    assert _cells.is_private(word) is is_private


def test_only_links_of_the_web_are_links() -> None:
    assert _cells.url_of(" https://x.com/a ") == "https://x.com/a"
    assert _cells.url_of("javascript:alert(1)") is None
    assert _cells.url_of("voir le site") is None


def test_a_value_is_shown_only_when_it_cannot_be_a_text() -> None:
    assert _cells.safe("31/02/2015") == "'31/02/2015'"
    assert _cells.safe("06 12 34 56 78") == "a text of the form '99 99 99 99 99'"
    assert _cells.safe("1er mai 2026") == "a text of the form '9aa aaa 9999'"
    assert _cells.safe("Madame Michu habite au 3") == "a text of 24 characters"
    assert _cells.safe("x\n1") == "a text of 3 characters"
