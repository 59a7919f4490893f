"""Measures against their definitions, and one calibration error for all who ask."""

from __future__ import annotations

import numpy as np
import pytest

from models import evaluate, gold
from models.calibrate import BINS, calibration_error
from tests.models.test_gold import Shipped, gold_set, small_network

__all__ = ["small_network"]  # a fixture: each test reads with the small network


def test_the_calibration_error_is_that_of_a_hand_count() -> None:
    chances = np.array([0.91, 0.92, 0.91, 0.92, 0.5, 0.5])
    is_right = np.array([True, True, True, False, True, False])
    by_hand = (4 / 6) * abs(0.915 - 0.75) + (2 / 6) * abs(0.5 - 0.5)
    assert calibration_error(chances, is_right) == pytest.approx(by_hand)


def test_the_calibration_error_has_fifteen_bins_of_equal_width() -> None:
    assert BINS == 15
    chances, is_right = np.array([0.66, 0.68]), np.array([True, False])
    assert calibration_error(chances, is_right) == pytest.approx((0.34 + 0.68) / 2)
    assert calibration_error(np.array([1.0]), np.array([True])) == pytest.approx(0.0)


def test_a_gold_set_and_an_evaluation_state_the_same_calibration_error() -> None:
    own, model = gold_set(), Shipped()
    chances = model.score(own.texts, own.langs).probabilities.astype(float)
    judged = evaluate.judgement(own.classes, chances, threshold=0.0)
    assert gold.tried(own, model).report.now.calibration == pytest.approx(judged.calibration)


def test_macro_measures_are_the_means_of_the_classes() -> None:
    truth, said = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 1])
    assert evaluate.macro_f1(truth, said) == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert evaluate.macro_recall(truth, said) == pytest.approx((2 / 3 + 1 + 0.5) / 3)
