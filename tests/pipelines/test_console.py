"""How far long work is, on a terminal and where none is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import StringIO

import pytest
from rich.console import Console

from pipelines import console


def moved_of(
    seconds: Iterator[float], left: console.Left | None = None
) -> tuple[console.Moved, StringIO]:
    told = StringIO()
    clock = partial(next, seconds)
    return console._lines("lignes [b]", Console(file=told), clock=clock, left=left), told


def test_without_a_terminal_a_line_tells_every_ten_seconds() -> None:
    moved, told = moved_of(iter(range(0, 400, 4)))
    for done in range(8):
        moved(done, 8)
    assert told.getvalue().splitlines() == ["lignes [b] 2/8", "lignes [b] 5/8"]


def test_a_line_tells_what_is_left_if_the_rest_goes_as_fast() -> None:
    moved, told = moved_of(iter((0.0, 30.0, 90.0)), left=lambda minutes: f"encore {minutes:g} min")
    moved(0, 40)
    moved(10, 40)
    assert told.getvalue().splitlines() == ["lignes [b] 0/40", "lignes [b] 10/40, encore 4.5 min"]


def test_short_work_tells_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.bar("lignes") as moved:
        moved(1, 1)
    assert capsys.readouterr() == ("", "")


def test_work_without_an_end_tells_how_much_is_done() -> None:
    moved, told = moved_of(iter((0.0, 11.0)))
    moved(3, None)
    assert told.getvalue() == "lignes [b] 3\n"


def test_what_is_waited_for_is_told_once_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.waiting("Lecture…"):
        pass
    assert capsys.readouterr().err == "Lecture…\n"
