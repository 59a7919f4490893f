from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models import drift
from models.errors import WeightsError
from tests.models.test_gold import Shipped, small_network

__all__ = ["small_network"]  # a fixture: each test reads with the small network

TEXTS = ["Merci, le guichet est parfait", "Honte", "La mairie ouvre mardi", "merci merci"] * 60


def figures(texts: list[str], lang: str | None = "fr") -> drift.Figures:
    return drift.measured(texts, [lang] * len(texts), tone=Shipped())


def line(lines: list[drift.Line], title: str) -> drift.Line:
    return next(each for each in lines if each.title.startswith(title))


def test_texts_like_the_reference_are_ok_throughout() -> None:
    lines = drift.compared(figures(TEXTS[:160]), figures(TEXTS))
    assert len(lines) == len(drift.KINDS)
    assert {each.verdict for each in lines} == {"ok"}
    assert {each.advice for each in lines} == {""}


def test_other_texts_drift_and_each_line_says_what_to_do() -> None:
    strange = [f"Zblorg frumeux {i} wakaté " * 30 for i in range(240)]
    lines = drift.compared(figures(strange), figures(TEXTS))
    for title in ("words not known", "length", "sureness"):
        assert line(lines, title).verdict == "drifted"
        assert line(lines, title).advice
    assert line(lines, "language").verdict == "ok"


def test_another_language_drifts_and_leaves_french_figures_out() -> None:
    lines = drift.compared(figures(TEXTS, "pt"), figures(TEXTS))
    assert line(lines, "language").verdict == "drifted"
    assert line(lines, "undetermined").here == "undetermined 100 %"
    titles = {each.title for each in lines}
    assert not titles & {drift.KINDS[name].title for name in ("register", "unknown_share")}


def test_words_not_known_are_a_share_of_words() -> None:
    own = figures(["Merci zblorg, 🙂 !"])["unknown_share"]
    assert own.mean == pytest.approx(2 / 3)  # merci; zblorg and the name of the feeling
    assert figures(["…"])["unknown_share"].counts.sum() == 0


def test_pieces_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = figures(TEXTS)
    monkeypatch.setattr(drift, "_PIECE", 7)
    for name, own in figures(TEXTS).items():
        assert own.counts == pytest.approx(whole[name].counts, rel=1e-4)
        assert own.total == pytest.approx(whole[name].total)


def test_the_index_is_that_of_a_hand_count_and_never_infinite() -> None:
    one, other = np.array([500_000.0, 500_000.0]), np.array([250_000.0, 750_000.0])
    by_hand = 0.25 * np.log(0.5 / 0.25) - 0.25 * np.log(0.5 / 0.75)
    assert drift.psi(one, other) == pytest.approx(by_hand, rel=1e-3)
    assert drift.psi(one, one) == pytest.approx(0.0)
    assert np.isfinite(drift.psi(np.array([5.0, 0.0]), np.array([0.0, 5.0])))


@pytest.mark.parametrize(
    ("index", "said"),
    [(0.0, "ok"), (0.0999, "ok"), (0.1, "look"), (0.2499, "look"), (0.25, "drifted")],
)
def test_a_verdict_follows_the_customary_limits(index: float, said: str) -> None:
    assert drift.verdict(index) == said


def stored(path: Path, texts: list[str] = TEXTS) -> Path:
    path.write_text(json.dumps(drift.reference(texts, ["fr"] * len(texts), tone=Shipped())))
    return path


def test_a_reference_comes_back_as_it_was_measured(tmp_path: Path) -> None:
    read = drift.read_reference(Shipped(), path=stored(tmp_path / "reference.json"))
    for name, own in figures(TEXTS).items():
        assert read[name].counts == pytest.approx(own.counts, abs=1e-3)
    assert "guichet" not in (tmp_path / "reference.json").read_text()


def test_a_reference_of_other_weights_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "reference.json")
    with pytest.raises(WeightsError, match="measured with other weights"):
        drift.read_reference(Shipped("c" * 64), path=path)


@pytest.mark.parametrize("text", ["", "{}", '{"figures": {"lang": {}}}', "[]"])
def test_a_broken_reference_says_what_to_do(text: str, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_text(text)
    with pytest.raises(WeightsError, match="train again"):
        drift.read_reference(Shipped(), path=path)


def test_a_missing_reference_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="train again"):
        drift.read_reference(Shipped(), path=tmp_path / "none.json")


def test_no_text_gives_no_line() -> None:
    assert drift.compared(figures([]), figures(TEXTS)) == []
