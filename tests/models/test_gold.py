from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import checkpoint, gold, network, sentiment, trunk
from models.checkpoint import Checkpoint, Description
from models.errors import WeightsError
from models.gold import Gold
from models.hashing import word_hash
from models.reading import Batch
from models.sentiment import LABELS, REGISTERS, Tones
from models.trunk import UNITS, Layers, Trunk
from models.vectors import PART_BITS, Vectors

SIZE, WIDTH = 8, 4
KNOWN = ("merci", "honte", "guichet", "mardi", "parfait", "le", "la", "est")


def small_trunk(seed: int = 0) -> Trunk:
    """A network of random weights that knows eight words and judges registers alone."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    hashes = np.sort(np.array([word_hash(word) for word in KNOWN], np.uint64))
    vectors = Vectors(hashes, drawn(len(KNOWN), SIZE), drawn(1 << PART_BITS, SIZE))
    layers = Layers(
        gain=np.zeros(len(KNOWN) + 1, np.float32),
        one=drawn(SIZE, WIDTH),
        three=drawn(3, SIZE, WIDTH),
        bias=drawn(2 * WIDTH),
        attend=drawn(2 * WIDTH, 2),
        attend_bias=drawn(2),
        join=drawn(2 * WIDTH + 2 * 2 * WIDTH + SIZE, UNITS),
        join_bias=drawn(UNITS),
        heads=drawn(UNITS, len(REGISTERS)) * 0.02,
        heads_bias=np.zeros(len(REGISTERS), np.float32),
    )
    return trunk.Trunk(vectors, layers, tuple(f"register.{name}" for name in REGISTERS))


class Shipped:
    """A stand-in for the shipped model: unsure of everything but `merci` and `honte`, and wrong
    on `guichet`; it reads French, English and German.
    """

    def __init__(self, sha256: str = "a" * 64) -> None:
        self.model_id = "vigie-sentiment-2"
        self.weights_sha256 = sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        return {f"abstain_under.{lang}": 0.4 for lang in ("fr", "en", "de")}

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Tones:
        chances = np.array(
            [
                self._chance(text.lower()) if lang in ("fr", "en", "de") else [np.nan] * 3
                for text, lang in zip(batch.texts, batch.langs, strict=True)
            ],
            np.float32,
        ).reshape(-1, 3)
        return sentiment.tones(chances, threshold=0.4)

    @staticmethod
    def _chance(text: str) -> list[float]:
        if "merci" in text:
            return [0.1, 0.2, 0.7]
        if "honte" in text:
            return [0.7, 0.2, 0.1]
        return [0.3, 0.3, 0.4] if "guichet" in text else [0.3, 0.4, 0.3]


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    own = small_trunk()
    described = Description(
        model_id="vigie-network", version="2", task=network.TASK, labels=own.outputs,
        languages=network.LANGUAGES, features_version=1, seed=0, training=(), thresholds={},
    )  # fmt: skip
    monkeypatch.setattr(network, "load", lambda: own)
    monkeypatch.setattr(network, "read_weights", lambda: Checkpoint(described, {}, "b" * 64))


PHRASES = {"negative": "Le guichet {} est fermé", "neutral": "Mardi {}", "positive": "Merci {}"}


def gold_set(count: int = 400, *, lang: str = "fr", seed: int = 1) -> Gold:
    """A town where what is said of the guichet is a complaint, which the shipped model misses; one
    label in five is of another mind, as people are.
    """
    random = np.random.default_rng(seed)
    places = random.integers(0, 3, count)
    texts = [PHRASES[LABELS[place]].format(i) for i, place in enumerate(places)]
    said = np.where(random.random(count) < 0.2, random.integers(0, 3, count), places)
    return gold.collected(texts, [lang] * count, said.tolist())


def test_a_head_learns_what_the_shipped_model_misses_and_is_used_once_promoted(
    tmp_path: Path,
) -> None:
    own = gold.tried(gold_set(), Shipped())
    assert own.report.reasons == ()
    assert own.report.gain[0] > 0
    assert own.report.then.macro_f1 > own.report.now.macro_f1
    gold.promote(tmp_path, own, Shipped())
    model = gold.load_gold(tmp_path, base=Shipped())
    assert model.model_id == "vigie-sentiment-2+gold-1"
    texts = ["Le guichet 999 est fermé", "Merci 12", "Mardi 3"]
    assert model.score(texts, ["fr"] * 3).labels == ["negative", "positive", "neutral"]
    assert Shipped().score(texts, ["fr"] * 3).labels[0] == "positive"


def test_a_language_that_the_gold_set_lacks_keeps_its_shipped_answers(tmp_path: Path) -> None:
    own = gold.tried(gold_set(), Shipped())
    gold.promote(tmp_path, own, Shipped())
    model = gold.load_gold(tmp_path, base=Shipped())
    texts, langs = ["Guichet zu", "guichet closed", "guichet", ""], ["de", "en", None, "pt"]
    before, after = Shipped().score(texts, langs), model.score(texts, langs)
    assert np.array_equal(before.probabilities, after.probabilities, equal_nan=True)
    assert before.labels == after.labels


def test_a_small_gold_set_moves_answers_little_and_is_not_promoted(tmp_path: Path) -> None:
    own = gold.tried(gold_set(12), Shipped())
    assert any("12 texts are too few" in reason for reason in own.report.reasons)
    texts = [f"Le guichet {i}" for i in range(20)]
    read = gold.seen(Batch(texts, ["fr"] * 20), Shipped())
    assert np.abs(own.head.chances(read) - read.chances).max() < 0.15
    with pytest.raises(ValueError, match="too few"):
        gold.promote(tmp_path, own, Shipped())
    assert list(tmp_path.iterdir()) == []


def test_a_gold_set_that_agrees_with_the_shipped_model_changes_nothing() -> None:
    model, random = Shipped(), np.random.default_rng(0)
    words = random.choice(["Merci", "Honte à", "Mardi"], 200)
    texts = [f"{word} {i}" for i, word in enumerate(words)]
    places = [LABELS.index(label) for label in model.score(texts, ["fr"] * 200).labels]
    report = gold.tried(gold.collected(texts, ["fr"] * 200, places), model).report
    assert report.changed_share == 0.0
    assert any("may be chance" in reason for reason in report.reasons)


@pytest.mark.parametrize("seed", range(4))
def test_labels_by_chance_are_not_promoted(seed: int) -> None:
    """The shipped answers are right four times in five and what else people say is chance."""
    random = np.random.default_rng(seed)
    words = random.choice(["Merci", "Honte à", "Mardi"], 240)
    texts = [f"{word} {i}" for i, word in enumerate(words)]
    said = Shipped().score(texts, ["fr"] * 240).probabilities.argmax(axis=1)
    said = np.where(random.random(240) < 0.2, random.integers(0, 3, 240), said)
    own = gold.collected(texts, ["fr"] * 240, said.tolist())
    assert not gold.tried(own, Shipped()).report.may_promote


def test_a_label_without_texts_stops_the_promotion() -> None:
    texts = [f"Le guichet {i}" for i in range(120)]
    report = gold.tried(gold.collected(texts, ["fr"] * 120, [0] * 120), Shipped()).report
    assert any("0 texts are positive" in reason for reason in report.reasons)


def test_a_rise_of_the_calibration_error_stops_the_promotion() -> None:
    truth = gold_set().classes
    assert "from 3.0 to 4.1 points" in gold._reasons(truth, (3.0, 4.1), (1.0, 2.0))[0]
    assert gold._reasons(truth, (3.0, 3.9), (1.0, 2.0)) == ()


def test_texts_that_no_model_reads_are_counted_and_left_out() -> None:
    own = gold_set(150)
    mixed = replace(own, langs=["pt" if i < 10 else "fr" for i in range(150)])
    report = gold.tried(mixed, Shipped()).report
    assert (report.count, report.unread_count) == (140, 10)
    with pytest.raises(ValueError, match="none of these texts"):
        gold.tried(replace(own, langs=["pt"] * 150), Shipped())


def test_the_last_label_of_a_text_that_stands_twice_is_kept() -> None:
    own = gold.collected(["Merci !", "Non", "merci"], ["fr"] * 3, [0, 1, 2], [1.0, 2.0, 3.0])
    assert own.texts == ["Non", "merci"]
    assert own.classes.tolist() == [1, 2]
    assert own.weights.tolist() == [2.0, 3.0]
    assert own.copies_count == 1


def test_heavier_texts_teach_more() -> None:
    own = gold_set(60)
    read = gold.seen(Batch(own.texts, own.langs), Shipped())
    heavy = replace(own, weights=np.where(own.classes == 0, 5.0, 1.0))
    light, weighed = (gold.fit(read, each.lesson()) for each in (own, heavy))
    assert weighed.chances(read)[:, 0].mean() > light.chances(read)[:, 0].mean()


def test_two_promotions_write_the_same_bytes_and_a_third_is_the_next_number(
    tmp_path: Path,
) -> None:
    sums = [
        gold.promote(tmp_path / name, gold.tried(gold_set(), Shipped()), Shipped())
        for name in ("one", "two")
    ]
    assert sums[0] == sums[1]
    gold.promote(tmp_path / "one", gold.tried(gold_set(), Shipped()), Shipped())
    assert gold.load_gold(tmp_path / "one", base=Shipped()).model_id.endswith("+gold-2")


def test_a_head_is_refused_on_other_shipped_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold.promote(tmp_path, gold.tried(gold_set(), Shipped()), Shipped())
    with pytest.raises(WeightsError, match="stands on sentiment weights aaaaaaaaaaaa"):
        gold.load_gold(tmp_path, base=Shipped("c" * 64))
    other = replace(network.read_weights(), sha256="d" * 64)
    monkeypatch.setattr(network, "read_weights", lambda: other)
    with pytest.raises(WeightsError, match="stands on network weights bbbbbbbbbbbb"):
        gold.load_gold(tmp_path, base=Shipped())


def test_a_head_that_is_missing_or_altered_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="vigie models gold FILE --promote"):
        gold.load_gold(tmp_path, base=Shipped())
    gold.promote(tmp_path, gold.tried(gold_set(), Shipped()), Shipped())
    path = tmp_path / f"{gold.NAME}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError, match=checkpoint.SUMS):
        gold.load_gold(tmp_path, base=Shipped())


def test_no_text_is_in_the_file(tmp_path: Path) -> None:
    gold.promote(tmp_path, gold.tried(gold_set(), Shipped()), Shipped())
    data = (tmp_path / f"{gold.NAME}.safetensors").read_bytes()
    assert b"guichet" not in data
    assert b"Mardi" not in data


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("Négatif", 0), ("NÉGATIVE", 0), ("neg", 0), ("neutre", 1),
        ("Neutral ", 1), ("positif", 2), ("Satisfaite", 2), ("mitigé", None), ("1", None),
        ("", None),
    ],
)  # fmt: skip
def test_labels_are_read_in_french_and_english(label: str, place: int | None) -> None:
    assert gold.classes([label]) == [place]


def test_numbers_are_labels_only_where_minus_one_says_what_they_mean() -> None:
    assert gold.classes(["-1", "0", "1"]) == [0, 1, 2]
    assert gold.classes(["0", "1"]) == [None, None]
