"""An evaluation killed between what it finds and what it sends: one thread, no mail missing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from pipelines import warehouse
from tests.pipelines.evaluating import MINUTES, evaluate, town
from tests.pipelines.postbox import Postbox, listening
from tests.pipelines.watched import MODERATOR

KILLS = 20


@contextmanager
def evaluator(home: Path, port: int) -> Iterator[tuple[IO[str], IO[str]]]:
    words = [sys.executable, "-m", "tests.pipelines.evaluating", str(home), str(port)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdin, process.stdout
        process.stdin.close()


def _evaluated(pipes: tuple[IO[str], IO[str]], minute: int, *, kill_after: float = 0) -> int:
    """How the evaluation of a minute ended that is killed after so many seconds, if it is."""
    ask, answer = pipes
    ask.write(f"{minute} {kill_after}\n" if kill_after else f"{minute}\n")
    ask.flush()
    return int(answer.readline())


def _letters(box: Postbox) -> list[tuple[str, str, str]]:
    """Reader, Message-ID and thread of every mail, as often as it came."""
    return sorted(
        (str(m["To"]), str(m["Message-ID"]), str(m["References"] or m["Message-ID"]))
        for m in box.mails()
    )


@pytest.mark.slow
def test_an_evaluation_that_is_killed_twenty_times_tells_everything_once_in_one_thread(
    tmp_path: Path,
) -> None:
    dice = random.Random(5)
    with listening() as whole, listening() as box:
        undisturbed = town(tmp_path / "whole", whole.port)
        warehouse.prepare(undisturbed)
        started = time.monotonic()
        for minute in MINUTES:
            evaluate(undisturbed, minute)
        seconds = (time.monotonic() - started) / len(MINUTES)
        warehouse.prepare(town(tmp_path / "killed", box.port))
        killed = 0
        with evaluator(tmp_path / "killed", box.port) as pipes:
            for minute in MINUTES:
                for _ in range(KILLS // len(MINUTES)):
                    after = dice.uniform(0, seconds)
                    killed += _evaluated(pipes, minute, kill_after=after) != 0
                assert _evaluated(pipes, minute) == 0
    assert killed >= KILLS // 2
    # A mail whose server answered in the very instant of the kill may come twice, as one.
    assert sorted(set(_letters(box))) == _letters(whole)
    assert len(box.messages) - len(whole.messages) <= 1
    threads = {thread for reader, _, thread in _letters(box) if reader == MODERATOR}
    assert len(threads) == 2  # one for each incident
