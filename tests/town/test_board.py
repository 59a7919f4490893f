"""`make board` and `make demo` do not take each other's place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipelines import orchestrator
from pipelines.errors import VigieError
from tests.town.demo import in_use


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(VigieError, match=f"port {port} of 127.0.0.1 is taken.*make board"):
            orchestrator.check_port(port, how=f"`make board PORT={port + 1}`")


def test_the_home_of_the_demo_is_one_program_s_at_a_time(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with in_use(home), pytest.raises(SystemExit, match="stop that"), in_use(home):
        pass
    with in_use(home):
        pass
