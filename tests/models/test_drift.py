from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models import drift
from models.errors import WeightsError
from models.sentiment import REGISTERS
from tests.models.test_gold import Shipped, small_network

__all__ = ["small_network"]  # a fixture: each test reads with the small network

TEXTS = [
    "Merci, le guichet est parfait, on a bien été reçus",
    "Honte à la mairie, le guichet est encore fermé",
    "La mairie ouvre mardi matin à neuf heures",
    "merci merci merci à tout le monde ici",
] * 60
ENGLISH = ["The town hall was closed again and nobody told us why", "Thanks for this service"] * 120


def figures(texts: list[str], lang: str | None = "fr") -> drift.ByLang:
    return drift.measured(texts, [lang] * len(texts), tone=Shipped())


def line(lines: list[drift.Line], title: str, lang: str = "fr") -> drift.Line:
    return next(each for each in lines if each.title.startswith(title) and each.lang == lang)


def verdicts(here: drift.ByLang, trained: drift.ByLang) -> set[str]:
    return {each.verdict for each in drift.compared(here, trained)}


def test_texts_like_the_reference_are_ok_throughout() -> None:
    lines = drift.compared(figures(TEXTS[:200]), figures(TEXTS))
    assert len(lines) == len(drift.KINDS)
    assert {each.verdict for each in lines} == {"ok"}
    assert {each.advice for each in lines} == {""}


def test_a_french_town_is_not_compared_with_the_english_half_of_training() -> None:
    trained = drift.added(figures(TEXTS), figures(ENGLISH, "en"))
    lines = drift.compared(figures(TEXTS[:200]), trained)
    assert {each.lang for each in lines} == {"fr"}
    assert {each.verdict for each in lines} == {"ok"}


def test_each_language_of_a_file_is_compared_with_its_own() -> None:
    trained = drift.added(figures(TEXTS), figures(ENGLISH, "en"))
    scraps = figures(["Thanks"] * 240, "en")
    lines = drift.compared(drift.added(figures(TEXTS), scraps), trained)
    assert line(lines, "length", "fr").verdict == "ok"
    assert line(lines, "length", "en").verdict == "drifted"


def test_other_texts_drift_and_each_line_says_what_to_do() -> None:
    strange = [f"Zblorg frumeux {i} wakaté " * 90 for i in range(240)]
    lines = drift.compared(figures(strange), figures(TEXTS))
    for title in ("words not known", "length", "sureness"):
        assert line(lines, title).verdict == "drifted"
        assert line(lines, title).advice


def test_english_put_as_french_drifts_and_english_said_as_such_does_not() -> None:
    trained = drift.added(figures(TEXTS), figures(ENGLISH, "en"))
    said = line(drift.compared(figures(ENGLISH, "fr"), trained), "reads as another language")
    assert (said.verdict, said.here) == ("drifted", "100.0 %")
    assert "column of languages" in said.advice
    assert verdicts(figures(ENGLISH, "en"), trained) == {"ok"}


def test_a_burst_of_one_phrase_drifts() -> None:
    burst = figures(["La mairie ouvre mardi matin à neuf heures"] * 240)
    assert line(drift.compared(burst, figures(TEXTS)), "sureness").verdict == "drifted"


def test_scraps_drift_and_longer_texts_of_an_ordinary_length_do_not() -> None:
    trained = figures(TEXTS)
    scraps = figures([text[:12] for text in TEXTS])
    assert line(drift.compared(scraps, trained), "length").verdict == "drifted"
    longer = figures([f"{text}. {text}. {text}." for text in TEXTS])
    assert line(drift.compared(longer, trained), "length").verdict == "ok"


def test_less_trouble_than_in_training_is_no_drift() -> None:
    trained = figures([*TEXTS, *["Zblorg"] * 100])
    said = line(drift.compared(figures(TEXTS), trained), "length")
    assert said.psi > drift.DRIFTED
    assert said.verdict == "ok"


def test_a_language_without_training_text_is_counted_and_not_compared() -> None:
    here = drift.added(figures(TEXTS), drift.added(figures(TEXTS[:9], "pt"), figures(["?"], None)))
    assert {each.lang for each in drift.compared(here, figures(TEXTS))} == {"fr"}
    assert drift.counts(here) == {"fr": 240, "pt": 9, drift.NO_LANG: 1}


def test_few_texts_get_no_verdict_however_strange() -> None:
    assert verdicts(figures(["Zblorg frumeux"] * 60), figures(TEXTS)) == {"few texts"}


def test_what_is_expected_has_the_kinds_of_writing_of_the_file() -> None:
    trained = drift.Figure(np.array([[80.0, 20.0], [0.0, 100.0]]), np.array([10.0, 50.0]))
    here = drift.Figure(np.array([[3.0, 3.0], [1.0, 1.0]]), np.zeros(2))
    expected = trained.mixed_as(here)
    assert expected.count == pytest.approx(200)
    assert expected.shares == pytest.approx([0.75 * 0.8, 0.75 * 0.2 + 0.25])
    assert expected.mean == pytest.approx(0.75 * 0.1 + 0.25 * 0.5)


def test_kinds_of_writing_that_training_lacks_leave_the_others_in_their_shares() -> None:
    trained = drift.Figure(np.array([[50.0, 50.0], [0.0, 0.0]]), np.zeros(2))
    here = drift.Figure(np.array([[1.0, 1.0], [8.0, 0.0]]), np.zeros(2))
    assert trained.mixed_as(here).shares == pytest.approx([0.5, 0.5])


def test_words_not_known_are_a_share_of_words() -> None:
    own = figures(["Merci zblorg, 🙂 !"])["fr"]["unknown_words"]
    assert own.counts.sum(axis=0) == pytest.approx([1, 2])  # zblorg and the name of the feeling
    assert figures(["…"])["fr"]["unknown_words"].count == 0
    assert figures(["Merci"], "pt")["pt"]["unknown_words"].count == 0


def test_the_kinds_of_french_are_shared_by_their_probabilities() -> None:
    shares = drift.mix(figures(TEXTS))
    assert {name for name, _ in shares} == set(REGISTERS)
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert [share for _, share in shares] == sorted((s for _, s in shares), reverse=True)
    assert drift.mix(figures(TEXTS, "en")) == []


def test_pieces_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = figures(TEXTS)["fr"]
    monkeypatch.setattr(drift, "_PIECE", 7)
    for name, own in figures(TEXTS)["fr"].items():
        assert own.counts == pytest.approx(whole[name].counts, rel=1e-4, abs=1e-6)
        assert own.totals == pytest.approx(whole[name].totals, rel=1e-4)


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
    for name, own in figures(TEXTS)["fr"].items():
        assert read["fr"][name].counts == pytest.approx(own.counts, abs=1e-3)
        assert read["fr"][name].totals == pytest.approx(own.totals, abs=1e-3)
    assert "guichet" not in (tmp_path / "reference.json").read_text()


def test_a_reference_of_other_weights_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "reference.json")
    with pytest.raises(WeightsError, match="measured with other weights"):
        drift.read_reference(Shipped("c" * 64), path=path)


def test_a_reference_of_the_form_before_is_refused_as_one_of_other_weights(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    before = {"version": 1, "sentiment_sha256": "a" * 64, "network_sha256": "b" * 64, "figures": {}}
    path.write_text(json.dumps(before))
    with pytest.raises(WeightsError, match="measured with other weights"):
        drift.read_reference(Shipped(), path=path)


def test_a_reference_with_other_bins_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "reference.json")
    read = json.loads(path.read_text())
    read["languages"]["fr"]["length"]["counts"].pop()
    path.write_text(json.dumps(read))
    with pytest.raises(WeightsError, match="cannot be read"):
        drift.read_reference(Shipped(), path=path)


@pytest.mark.parametrize("text", ["", "{}", '{"languages": {"fr": {}}}', "[]"])
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
