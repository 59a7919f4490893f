"""A rota as a calendar: recurrences, exceptions, time zones, who is named, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipelines import rota
from pipelines.rota import RotaError, Stint
from tests.pipelines.calendars import calendar, event

PARIS = ZoneInfo("Europe/Paris")
ANNE, BASILE = "anne@v.example", "basile@v.example"
WEEK = (";TZID=Europe/Paris:20261005T080000", ";TZID=Europe/Paris:20261012T080000")


def stints(content: bytes, since: str, until: str, zone: ZoneInfo = PARIS) -> list[Stint]:
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until))
    return list(rota.stints(rota.read(content), since=first, until=last, zone=zone))


def spans(content: bytes, since: str, until: str) -> list[tuple[str, str]]:
    found = stints(content, since, until)
    return [(f"{s.since_at:%m-%d %H:%M}", f"{s.until_at:%m-%d %H:%M}") for s in found]


def test_every_other_week_begins_at_eight_on_both_sides_of_the_clock_change() -> None:
    content = calendar(event(*WEEK, "RRULE:FREQ=WEEKLY;INTERVAL=2", people=[ANNE]))
    assert spans(content, "2026-10-19", "2026-11-09") == [
        ("10-19 06:00", "10-26 07:00"),
        ("11-02 07:00", "11-09 07:00"),
    ]


def test_an_occurrence_taken_out_moved_or_given_to_somebody_else_is_not_as_the_rule_says() -> None:
    content = calendar(
        event(
            *WEEK,
            "RRULE:FREQ=WEEKLY;COUNT=4",
            "EXDATE;TZID=Europe/Paris:20261012T080000",
            people=[ANNE],
        ),
        event(
            ";TZID=Europe/Paris:20261020T090000",
            ";TZID=Europe/Paris:20261026T080000",
            "RECURRENCE-ID;TZID=Europe/Paris:20261019T080000",
            people=[BASILE],
        ),
        event(
            ";TZID=Europe/Paris:20261026T080000",
            ";TZID=Europe/Paris:20261102T080000",
            "RECURRENCE-ID;TZID=Europe/Paris:20261026T080000",
            "STATUS:CANCELLED",
            people=[ANNE],
        ),
    )
    found = [
        (s.emails, f"{s.since_at:%d %H:%M}") for s in stints(content, "2026-10-01", "2026-12-01")
    ]
    assert found == [((ANNE,), "05 06:00"), ((BASILE,), "20 07:00")]


def test_a_whole_day_is_the_institutions_day_and_a_bare_time_its_time() -> None:
    content = calendar(
        event(";VALUE=DATE:20261120", ";VALUE=DATE:20261121", people=[ANNE], uid="1"),
        event(":20261122T080000", ":20261122T200000", people=[ANNE], uid="2"),
    )
    assert spans(content, "2026-11-19", "2026-11-24") == [
        ("11-19 23:00", "11-20 23:00"),
        ("11-22 07:00", "11-22 19:00"),
    ]
    away = stints(content, "2026-11-18", "2026-11-24", ZoneInfo("Indian/Reunion"))
    assert f"{away[0].since_at:%m-%d %H:%M}" == "11-19 20:00"


def test_outlooks_names_of_zones_are_understood() -> None:
    times = (
        ";TZID=Romance Standard Time:20261120T080000",
        ";TZID=Romance Standard Time:20261120T200000",
    )
    content = calendar(event(*times, people=[ANNE]), zones="")
    assert spans(content, "2026-11-20", "2026-11-21") == [("11-20 07:00", "11-20 19:00")]


def test_who_is_second_says_so_by_attendance_category_or_title() -> None:
    at = (":20261120T080000Z", ":20261121T080000Z")
    content = calendar(
        event(
            *at,
            "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:basile@v.example",
            "ATTENDEE;PARTSTAT=DECLINED:mailto:absent@v.example",
            "ATTENDEE;CUTYPE=ROOM:mailto:salle@v.example",
            people=["Anne@v.example"],
            uid="1",
        ),
        event(*at, "CATEGORIES:SECOND", "SUMMARY:Astreinte", people=["c@v.example"], uid="2"),
        event(*at, "SUMMARY:Renfort : Denis", uid="3"),
        event(*at, "CATEGORIES:Head", "SUMMARY:eve@v.example", uid="4"),
    )
    found = {(s.rank, s.emails or s.title) for s in stints(content, "2026-11-20", "2026-11-21")}
    assert found == {
        ("first", (ANNE,)),
        ("second", (BASILE,)),
        ("second", ("c@v.example",)),
        ("second", "Renfort : Denis"),
        ("head", ("eve@v.example",)),
    }


def test_only_people_of_the_settings_are_ever_named() -> None:
    people = [("Anne Durand", ANNE), ("Basile", BASILE)]

    def named(title: str, *emails: str) -> tuple[str, ...]:
        now = datetime(2026, 11, 20, tzinfo=UTC)
        stint = Stint(since_at=now, until_at=now, rank="first", emails=emails, title=title)
        return rota.named(stint, people)

    assert named("Astreinte : ANNE DURAND (tél.)") == (ANNE,)
    assert named("Astreinte Basile / Anne Durand") == (ANNE, BASILE)
    assert named("Astreinte Anne") == ()
    assert named("Basileus") == ()
    assert named("", "voleur@ailleurs.example", ANNE) == (ANNE,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not iCalendar"),
        (b"<html>Connexion</html>", "not iCalendar"),
        (b"x" * (rota.MOST_BYTES + 1), "bytes"),
        (calendar(event(*WEEK, "RRULE:FREQ=SECONDLY")), "no shift follows"),
        (calendar(event(*WEEK, "RRULE:FREQ=DAILY;BYSECOND=1,2,3")), "no shift follows"),
        (calendar(event(*WEEK, "RRULE:FREQ=DAILY;INTERVAL=0")), "no shift follows"),
        (calendar(event(":00010101T000000Z", ":00010102T000000Z")), "no start"),
        (calendar(*[event(*WEEK)] * (rota.MOST_EVENTS + 1)), "events"),
    ],
)
def test_what_is_no_rota_is_refused_with_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(RotaError, match=said):
        rota.read(content)


def test_titles_of_strangers_carry_no_control_character() -> None:
    content = calendar(event(*WEEK, "SUMMARY:Astreinte\\n\u202eenna"))
    (found,) = stints(content, "2026-10-05", "2026-10-06")
    assert found.title == "Astreinte enna"
    assert found.until_at - found.since_at == timedelta(days=7)
