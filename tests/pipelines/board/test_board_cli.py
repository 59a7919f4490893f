"""`vigie board`: accounts are made, changed and removed; a password is asked for, never given."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import init
from pipelines.board import passwords, store
from pipelines.board_cli import board_app
from pipelines.errors import VigieError
from tests.pipelines.board.town import PASSWORD


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init.write(tmp_path, answers={"name": "Valmorin", "kind": "commune"})
    return tmp_path


def asked(home: Path, *words: str, typed: str = "") -> str:
    """What a command prints when somebody types so; what it raises, raised."""
    done = CliRunner().invoke(board_app, [*words, "--home", str(home)], input=typed)
    if isinstance(done.exception, VigieError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_an_account_is_made_with_a_password_typed_twice(home: Path) -> None:
    told = asked(home, "add-user", "claire", "--role", "director", typed=f"{PASSWORD}\n" * 2)
    assert "claire may log in as director" in told
    assert PASSWORD not in told
    found = store.account(home, "claire")
    assert found is not None
    assert passwords.is_right(PASSWORD, found.hash)
    assert found.hash.startswith("$argon2id$")
    assert "claire" in asked(home, "users")


def test_an_account_is_changed_and_removed(home: Path) -> None:
    asked(home, "add-user", "claire", "--role", "dpo", typed=f"{PASSWORD}\n" * 2)
    asked(home, "set-password", "claire", typed="une autre phrase\n" * 2)
    found = store.account(home, "claire")
    assert found is not None
    assert passwords.is_right("une autre phrase", found.hash)
    asked(home, "remove-user", "claire")
    assert "Nobody has an account yet" in asked(home, "users")


def test_what_is_wrong_is_told_with_its_remedy(home: Path) -> None:
    with pytest.raises(VigieError, match="choose one of director"):
        asked(home, "add-user", "claire", "--role", "chef")  # before a password is asked for
    with pytest.raises(VigieError, match="one line"):
        asked(home, "add-user", "claire\nx", "--role", "dpo")
    asked(home, "add-user", "claire", "--role", "dpo", typed=f"{PASSWORD}\n" * 2)
    with pytest.raises(VigieError, match="set-password"):
        asked(home, "add-user", "claire", "--role", "dpo")
    for words in (("set-password", "x"), ("remove-user", "x")):
        with pytest.raises(VigieError, match="vigie board users"):
            asked(home, *words, typed=f"{PASSWORD}\n" * 2)
