"""typed: what was typed into the shell is its owner's alone, and is forgotten in time."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import typed

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def _entry(at: datetime, query: str) -> str:
    lines = "".join(f"+{line}\n" for line in query.split("\n"))
    return f"\n# {at.astimezone().replace(tzinfo=None)}\n{lines}"


def test_what_was_typed_is_its_owners_alone(tmp_path: Path) -> None:
    typed.history(tmp_path).append_string("select 'quelqu''un'")
    assert (tmp_path / typed.FILE).stat().st_mode & 0o077 == 0


def test_in_a_home_of_another_account_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    typed.history(tmp_path).append_string("select 1")
    assert list(tmp_path.iterdir()) == []
    typed.history(tmp_path / "nowhere").append_string("select 1")
    assert not (tmp_path / "nowhere").exists()


def test_what_is_older_is_forgotten_and_the_rest_is_found_again(tmp_path: Path) -> None:
    told = _entry(NOW - timedelta(days=31), "select 'Jeanne'\n# 2026-11-20 09:00:00\nfrom x")
    told += _entry(NOW - timedelta(days=30), "select 2\nfrom about")
    (tmp_path / typed.FILE).write_text(told, encoding="utf-8")
    before = NOW - timedelta(days=30)
    assert typed.forget(tmp_path, before=before) == 1
    assert typed.forget(tmp_path, before=before) == 0
    assert list(typed.history(tmp_path).load_history_strings()) == ["select 2\nfrom about"]
    assert typed.forget(tmp_path, before=NOW) == 1
    assert "select" not in (tmp_path / typed.FILE).read_text(encoding="utf-8")
    assert (tmp_path / typed.FILE).stat().st_mode & 0o077 == 0


def test_the_times_are_those_that_the_shell_writes(tmp_path: Path) -> None:
    typed.history(tmp_path).append_string("select 1")
    assert typed.forget(tmp_path, before=datetime.now(UTC) - timedelta(hours=1)) == 0
    assert typed.forget(tmp_path, before=datetime.now(UTC) + timedelta(hours=1)) == 1


def test_where_nothing_can_be_written_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refused)
    typed.history(tmp_path).append_string("select 1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "loose",
    [
        "select 'Jeanne'\n",
        "\n# 2026-13-40 99:99\n+select 'Jeanne'\n",
        "\n# 0001-01-01 0\n+Jeanne\n",
    ],
)
def test_what_has_no_time_of_its_own_goes(tmp_path: Path, loose: str) -> None:
    kept = _entry(NOW + timedelta(days=1), "select 2")
    (tmp_path / typed.FILE).write_text(loose + kept, encoding="utf-8")
    typed.forget(tmp_path, before=NOW)
    assert (tmp_path / typed.FILE).read_text(encoding="utf-8") == kept


def test_a_file_of_another_form_is_emptied(tmp_path: Path) -> None:
    (tmp_path / typed.FILE).write_text("select 'Jeanne'\n", encoding="utf-8")
    typed.forget(tmp_path, before=NOW)
    assert (tmp_path / typed.FILE).read_text(encoding="utf-8") == ""
    assert typed.forget(tmp_path / "nowhere", before=NOW) == 0
