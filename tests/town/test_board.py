"""`make board` and `make demo` do not take each other's place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipelines import orchestrator
from pipelines.errors import VigieError
from pipelines.house import house
from tests.town.board import follow
from tests.town.demo import in_use, write_home


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(VigieError, match=f"port {port} of 127.0.0.1 is taken.*make board"):
            orchestrator.check_port(port, how=f"`make board PORT={port + 1}`")


def test_the_buttons_of_the_demo_s_mails_follow_the_board_to_its_port(tmp_path: Path) -> None:
    write_home(tmp_path, url="http://127.0.0.1:49152", smtp_port=8090)
    (tmp_path / "mails").mkdir()
    mail = tmp_path / "mails" / "01.html"
    mail.write_text('<a href="http://127.0.0.1:8090/alerts/AbC">Je m’en occupe</a> 8090')
    before = (tmp_path / "vigie.toml").read_text()
    assert follow(tmp_path, 8091) == 1
    assert mail.read_text().startswith('<a href="http://127.0.0.1:8091/alerts/AbC">')
    assert mail.read_text().endswith("8090")
    settings = house(tmp_path, needs_secrets=False).settings
    assert settings.web.url == "http://127.0.0.1:8091"
    assert settings.mail.port == 8090
    assert follow(tmp_path, 8090) == 1
    assert (tmp_path / "vigie.toml").read_text() == before


def test_the_home_of_the_demo_is_one_program_s_at_a_time(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with in_use(home), pytest.raises(SystemExit, match="stop that"), in_use(home):
        pass
    with in_use(home):
        pass
