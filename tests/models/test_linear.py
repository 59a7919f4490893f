"""Linear heads: fitted, packed and unpacked."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import linear
from models.calibrate import softmax

DRAW = np.random.default_rng(7)


def drawn(count: int, classes: tuple[int, ...]) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Rows of eight features, the first of which tell the class."""
    truth = DRAW.choice(classes, count)
    rows = DRAW.normal(size=(count, 8)).astype(np.float32)
    rows[np.arange(count), truth] += 3.0
    return csr_matrix(rows), truth


def head(count: int, classes: tuple[int, ...], *, class_count: int) -> tuple[float, linear.Head]:
    rows, truth = drawn(count, classes)
    own = linear.fit(rows, truth, row_weights=np.ones(count), strength=3.0, class_count=class_count)
    fresh, asked = drawn(count, classes)
    said = own.logits(fresh)
    places = said.argmax(axis=1) if class_count > 2 else (said[:, 0] > 0).astype(int)
    return float((places == asked).mean()), own


def test_three_classes_are_told_apart() -> None:
    right, own = head(400, (0, 1, 2), class_count=3)
    assert right > 0.9
    assert own.weights.shape == (8, 3)


def test_two_classes_give_one_output() -> None:
    right, own = head(400, (0, 1), class_count=2)
    assert right > 0.9
    assert own.weights.shape == (8, 1)


def test_two_of_three_classes_are_told_apart_and_the_third_is_never_said() -> None:
    """Reviews are negative or positive: their head once said the same of both."""
    right, own = head(400, (0, 2), class_count=3)
    assert right > 0.9
    chances = softmax(own.logits(drawn(100, (0, 2))[0]))
    assert chances[:, 1].max() < 1e-3


def test_a_packed_head_says_nearly_the_same() -> None:
    _, own = head(400, (0, 1, 2), class_count=3)
    back = linear.unpacked(linear.packed(own, name="fr"), name="fr")
    rows, _ = drawn(100, (0, 1, 2))
    assert np.abs(back.logits(rows) - own.logits(rows)).max() < 0.2
    assert np.array_equal(back.bias, own.bias)


def test_a_packed_head_keeps_its_largest_rows() -> None:
    _, own = head(400, (0, 1, 2), class_count=3)
    back = linear.unpacked(linear.packed(own, name="fr", keep=2), name="fr")
    kept = np.flatnonzero(np.abs(back.weights).max(axis=1) > 0)
    assert len(kept) == 2
    assert set(kept) <= set(np.argsort(-np.abs(own.weights).max(axis=1))[:3].tolist())
