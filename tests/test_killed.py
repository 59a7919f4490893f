"""A run that is killed at any instant and run again leaves what an undisturbed run leaves."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.town.living import Home, lived_in
from tests.town.server import served

BEFORE = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
MOMENT = datetime(2026, 10, 1, 15, 0, tzinfo=UTC)  # the crisis is an hour and a half old
KILLS = int(os.environ.get("VIGIE_TEST_KILLS", "2"))


def _undisturbed(home: Home) -> float:
    home.watch(BEFORE)
    started = time.monotonic()
    home.watch(MOMENT)
    return time.monotonic() - started


def _sign_alike(*homes: Home) -> None:
    """One key for the links in mails: each home would draw its own, and no two mails be equal."""
    for home in homes:
        path = home.path / "keys" / "links.key"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(bytes(32))


def _assert_equal(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> None:
    """The same rows, table by table; what differs is shown by row."""
    assert found.keys() == wanted.keys()
    for table, rows in wanted.items():
        lost, added = sorted(set(rows) - set(found[table])), sorted(set(found[table]) - set(rows))
        assert (table, lost[:2], added[:2]) == (table, [], [])
        assert len(found[table]) == len(rows), table


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_run_run_again_changes_no_row_and_sends_each_mail_once(tmp_path: Path) -> None:
    dice = random.Random(7)
    with (
        served(BEFORE) as town,
        lived_in(tmp_path / "whole", town) as whole,
        lived_in(tmp_path / "killed", town) as home,
    ):
        _sign_alike(whole, home)
        seconds = _undisturbed(whole)
        home.watch(BEFORE)
        for _ in range(KILLS):
            process = home.start(MOMENT)
            time.sleep(dice.uniform(0.3, seconds * 0.95))
            process.kill()
            process.wait()
        home.watch(MOMENT)
        _assert_equal(home.rows(), whole.rows())
        assert len(whole.message_ids()) > 0
        assert sorted(home.message_ids()) == sorted(whole.message_ids())
        assert len(set(home.message_ids())) == len(home.message_ids())
