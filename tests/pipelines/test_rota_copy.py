"""The copy of a calendar: last good one kept, faults told, a secret address never shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines import oncall, rota_copy
from pipelines.http import Client
from pipelines.settings import OnCall, Recipient, Settings
from tests.pipelines.calendars import calendar, event
from tests.pipelines.watched import AS_OF, settings, shift

ANNE = Recipient(name="Anne", email="anne@v.example", role="moderator", gets=("alerts",))
BASILE = Recipient(name="Basile", email="basile@v.example", role="moderator", gets=("alerts",))
HEAD = Recipient(name="Direction", email="dir@v.example", role="director", gets=("digest",))
WEEK = (";TZID=Europe/Paris:20261116T080000", ";TZID=Europe/Paris:20261123T080000")
ROTA = calendar(
    event(*WEEK, "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:basile@v.example", people=[ANNE.email])
)
SECRET = "https://93.184.216.34/private-s3cr3t/basic.ics"


def house(home: Path, on_call: OnCall, **changes: Any) -> Settings:
    return settings(home, recipients=(ANNE, BASILE, HEAD), on_call=on_call, **changes)


def refresh(
    found: Settings,
    answer: Callable[[httpx.Request], httpx.Response] | None = None,
    now: datetime = AS_OF,
    **secrets: str,
) -> rota_copy.State:
    transport = httpx.MockTransport(answer) if answer else None
    with Client(transport=transport, sleep=lambda _: None) as client:
        state = rota_copy.refresh(found, secrets=secrets, client=client, now=now)
    assert state is not None
    return state


def serving(*bodies: bytes | int) -> Callable[[httpx.Request], httpx.Response]:
    left = list(bodies)

    def answer(_: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(body) if isinstance(body, int) else httpx.Response(200, content=body)

    return answer


def test_a_file_of_the_home_says_who_is_first_second_and_head(tmp_path: Path) -> None:
    (tmp_path / "astreinte.ics").write_bytes(ROTA)
    found = house(tmp_path, OnCall(calendar="astreinte.ics"))
    assert refresh(found).problem == ""
    assert oncall.chain(found, at=AS_OF) == ((ANNE,), (BASILE,), (HEAD,))


def test_the_last_good_copy_serves_while_the_address_fails(tmp_path: Path) -> None:
    found = house(tmp_path, OnCall(calendar="https://93.184.216.34/astreinte.ics"))
    answer = serving(ROTA, 500)
    assert refresh(found, answer).problem == ""
    late = refresh(found, answer, AS_OF + timedelta(hours=1))
    assert "500" in late.problem
    assert late.read_at == AS_OF
    assert oncall.on_call(found, at=AS_OF) == (ANNE,)


def test_an_address_is_asked_once_in_a_quarter_of_an_hour(tmp_path: Path) -> None:
    found = house(tmp_path, OnCall(calendar="https://93.184.216.34/astreinte.ics"))
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=ROTA)

    for minutes in (0, 5, 10, 15):
        refresh(found, answer, AS_OF + timedelta(minutes=minutes))
    assert len(asked) == 2


@pytest.mark.parametrize("broken", [b"<html>", calendar(event(*WEEK, "RRULE:FREQ=SECONDLY"))])
def test_a_calendar_that_cannot_be_used_never_takes_the_place_of_the_copy(
    tmp_path: Path, broken: bytes
) -> None:
    path = tmp_path / "astreinte.ics"
    found = house(tmp_path, OnCall(calendar="astreinte.ics"))
    path.write_bytes(ROTA)
    refresh(found)
    path.write_bytes(broken)
    assert refresh(found, now=AS_OF + timedelta(minutes=5)).problem
    assert oncall.on_call(found, at=AS_OF) == (ANNE,)


def test_an_address_that_is_a_secret_is_told_by_its_variable(tmp_path: Path) -> None:
    found = house(tmp_path, OnCall(calendar_env="VIGIE_ASTREINTE"))
    state = refresh(found, serving(404), VIGIE_ASTREINTE=SECRET)
    assert "VIGIE_ASTREINTE" in state.problem
    assert "404" in state.problem
    assert "s3cr3t" not in state.problem
    assert "is not set" in refresh(found, now=AS_OF + timedelta(hours=1)).problem


def test_a_private_address_is_not_asked(tmp_path: Path) -> None:
    found = house(tmp_path, OnCall(calendar="https://127.0.0.1/astreinte.ics"))
    assert "not a public address" in refresh(found).problem


def test_hours_that_nobody_has_are_found_and_told_to_all_and_the_head(tmp_path: Path) -> None:
    (tmp_path / "astreinte.ics").write_bytes(ROTA)
    found = house(tmp_path, OnCall(calendar="astreinte.ics", head=HEAD.email))
    refresh(found)
    after = datetime(2026, 11, 23, 7, tzinfo=UTC)
    (gap,) = oncall.gaps(found, since=AS_OF, until=after + timedelta(hours=2))
    assert gap == oncall.Gap(since_at=after, until_at=after + timedelta(hours=2))
    assert oncall.trouble(found, at=after) == "off_shift"
    assert oncall.on_call(found, at=after) == (ANNE, BASILE, HEAD)
    assert oncall.changed_at(found, since=AS_OF, until=after) == after
    assert oncall.before(found, at=after) == (ANNE,)


def test_a_shift_of_the_settings_and_the_calendar_go_together(tmp_path: Path) -> None:
    (tmp_path / "astreinte.ics").write_bytes(ROTA)
    rota = (shift(BASILE.email, "2026-11-20", "2026-11-20"),)
    found = house(tmp_path, OnCall(calendar="astreinte.ics"), rota=rota)
    refresh(found)
    assert oncall.on_call(found, at=AS_OF) == (BASILE, ANNE)


def test_a_change_in_which_the_same_people_stay_is_none(tmp_path: Path) -> None:
    rota = (
        shift(ANNE.email, "2026-11-18", "2026-11-19"),
        shift(ANNE.email, "2026-11-20", "2026-11-21"),
        shift(BASILE.email, "2026-11-22", "2026-11-23"),
    )
    found = house(tmp_path, OnCall(), rota=rota)
    assert oncall.changed_at(found, since=AS_OF - timedelta(days=1), until=AS_OF) is None
    changed = oncall.changed_at(found, since=AS_OF, until=AS_OF + timedelta(days=3))
    assert changed == datetime(2026, 11, 21, 23, tzinfo=UTC)
