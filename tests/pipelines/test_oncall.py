"""Who is told: the shift of the local day, else those who get alerts, else anybody, loudly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import oncall
from pipelines.settings import Recipient
from tests.pipelines.watched import AS_OF, MODERATOR, settings, shift


def person(email: str, role: Any, *gets: Any) -> Recipient:
    return Recipient(name=email, email=email, role=role, gets=gets)


MODERATORS = (
    person("a@v.example", "moderator", "alerts"),
    person("b@v.example", "analyst", "alerts"),
)
DIRECTOR = person("d@v.example", "director", "digest")
OPERATOR = person("o@v.example", "operator", "failures")


def told(at: datetime = AS_OF, **changes: Any) -> list[str]:
    return [r.email for r in oncall.on_call(settings(Path("/nowhere"), **changes), at=at)]


def test_the_person_on_shift_is_told_and_nobody_else() -> None:
    rota = (shift("b@v.example", "2026-11-20", "2026-11-22"),)
    assert told(recipients=MODERATORS, rota=rota) == ["b@v.example"]


def test_a_shift_begins_and_ends_at_the_institutions_midnight() -> None:
    rota = (
        shift("a@v.example", "2026-11-19", "2026-11-19"),
        shift("b@v.example", "2026-11-20", "2026-11-20"),
    )
    eve = datetime(2026, 11, 19, 22, 59, tzinfo=UTC)
    midnight = datetime(2026, 11, 19, 23, 0, tzinfo=UTC)
    assert told(eve, recipients=MODERATORS, rota=rota) == ["a@v.example"]
    assert told(midnight, recipients=MODERATORS, rota=rota) == ["b@v.example"]


def test_two_shifts_of_one_day_are_both_told_once() -> None:
    rota = (
        shift("a@v.example", "2026-11-16", "2026-11-22"),
        shift("b@v.example", "2026-11-20", "2026-11-20"),
        shift("a@v.example", "2026-11-20", "2026-11-20"),
    )
    assert told(recipients=MODERATORS, rota=rota) == ["a@v.example", "b@v.example"]


def test_somebody_on_shift_who_is_no_recipient_is_told_all_the_same() -> None:
    rota = (shift("renfort@v.example", "2026-11-20", "2026-11-20"),)
    assert told(recipients=MODERATORS, rota=rota) == ["renfort@v.example"]


def test_without_a_shift_everybody_who_gets_alerts_is_told() -> None:
    assert told(recipients=(*MODERATORS, DIRECTOR)) == ["a@v.example", "b@v.example"]
    moderator = person("m@v.example", "moderator", "digest")
    assert told(recipients=(moderator, DIRECTOR)) == ["m@v.example"]


def test_with_nobody_named_the_operator_and_the_director_are_told() -> None:
    analyst = person("x@v.example", "analyst", "digest")
    assert told(recipients=(DIRECTOR, OPERATOR, analyst)) == ["d@v.example", "o@v.example"]
    assert told(recipients=(analyst,)) == ["x@v.example"]
    assert told(recipients=()) == []


def test_the_chain_goes_from_who_is_on_call_to_a_second_and_to_the_head() -> None:
    rota = (shift("b@v.example", "2026-11-20", "2026-11-22"),)
    found = settings(Path("/nowhere"), recipients=(*MODERATORS, DIRECTOR, OPERATOR), rota=rota)
    steps = oncall.chain(found, at=AS_OF)
    assert [[r.email for r in step] for step in steps] == [
        ["b@v.example"],
        ["a@v.example"],
        ["d@v.example"],
    ]


def test_nobody_stands_in_two_steps_of_the_chain() -> None:
    found = settings(Path("/nowhere"), recipients=(DIRECTOR,))
    assert [len(step) for step in oncall.chain(found, at=AS_OF)] == [1, 0, 0]


def test_what_is_wrong_with_the_rota_has_a_name() -> None:
    past = (shift("a@v.example", "2026-11-01", "2026-11-02"),)
    today = (shift("a@v.example", "2026-11-20", "2026-11-20"),)
    home = Path("/nowhere")
    assert oncall.trouble(settings(home, recipients=MODERATORS), at=AS_OF) is None
    assert oncall.trouble(settings(home, recipients=MODERATORS, rota=today), at=AS_OF) is None
    assert oncall.trouble(settings(home, recipients=MODERATORS, rota=past), at=AS_OF) == "off_shift"
    assert oncall.trouble(settings(home, recipients=(DIRECTOR,)), at=AS_OF) == "nobody"


def test_operators_are_those_who_get_failures() -> None:
    found = oncall.operators(settings(Path("/nowhere")))
    assert [r.email for r in found] == ["exploitation@valmorin.example"]
    assert MODERATOR not in [r.email for r in found]
