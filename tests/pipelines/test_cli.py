"""The command line: what an operator types wrong comes back as one line, never as a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines import cli, init


def said(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `vigie` prints when it ends with status 2, on one line."""
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return " ".join(printed.split())


WRONG = [
    (["watch", "--until", "2999-01-01T00:00"], "--until 2999-01-01T00:00 is still to come"),
    (
        ["watch", "--since", "2026-10-02T00:00", "--until", "2026-10-01T00:00"],
        "would end (2026-10-01T00:00) before it starts (2026-10-02T00:00)",
    ),
    (["digest", "--day", "2999-01-01"], "2999-01-01 has not begun yet"),
    (["upkeep", "--as-of", "2999-01-01"], "--as-of 2999-01-01T00:00 is still to come"),
    (["rescore", "2026-10-02", "2026-10-01"], "turn the two round"),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_a_wrong_moment_is_told_and_nothing_is_run(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    before = sorted(tmp_path.rglob("*"))
    assert told in said([*words, "--home", str(tmp_path)], monkeypatch, capsys)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_home_that_may_not_be_written_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(home: Path, **_: object) -> Path:
        raise PermissionError(13, "Permission denied", str(home))

    monkeypatch.setattr(init, "write", refuse)  # root, who runs some tests, is refused nothing
    told = said(["init", "--home", str(tmp_path / "closed")], monkeypatch, capsys)
    assert "Permission denied" in told
    assert "chown or chmod" in told


def test_a_home_that_is_a_file_is_told_as_a_wrong_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "name the home with --home" in said(
        ["sources", "--home", str(file)], monkeypatch, capsys
    )


def test_places_tells_each_name_with_its_place_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init.write(tmp_path, answers={"name": "Ville de Tours"})
    monkeypatch.setenv("COLUMNS", "200")
    words = ["places", "Ici les tours, et Blois", "--about", "--home", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["vigie", *words])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().out
    assert "Blois (commune:41018)" in printed
    assert "a determiner" in printed
    assert "no place" in printed


def test_places_of_nothing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no text" in said(["places", " ", "--home", str(tmp_path)], monkeypatch, capsys)
