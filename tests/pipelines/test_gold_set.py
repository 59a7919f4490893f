"""What is gold, and figures that hold for all that there was to draw from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines import gold_set
from pipelines.gold_set import Figure, Gold, figures, weights
from pipelines.labels import Answer

NONE = frozenset[str]()


def row(task: str = "t", who: str = "Ada", **changed: Any) -> dict[str, Any]:
    """A label that holds, as the query tells it."""
    made: dict[str, Any] = {
        "task_id": task,
        "labeller": who,
        "text_hash": "h",
        "answer": Answer(tone="negative", topics=("T09",), acts=()),
        "is_settlement": False,
        "is_again": False,
        "batch_id": "b",
        "part": "random",
        "reason": "random",
        "stratum": "mastodon",
        "stratum_count": 10,
        "title": None,
        "text": "Le tram est en panne",
        "lang": "fr",
        "text_until_on": None,
        "scorer_id": "s",
        "p_negative": 0.2,
        "p_neutral": 0.7,
        "p_positive": 0.1,
        "said_topics": ["T09"],
        "said_acts": ["complaint"],
    }
    return made | changed


def message(stratum: str, size: int, task: str = "t") -> Gold:
    [found] = gold_set.gold([row(task, stratum=stratum, stratum_count=size)])
    return found


def test_one_answer_is_gold_and_so_are_two_that_agree() -> None:
    [found] = gold_set.gold([row(), row(who="Bo")])
    assert found.answers == {"tone": "negative", "topics": frozenset({"T09"}), "acts": NONE}
    assert found.said == {
        "tone": "neutral",
        "topics": frozenset({"T09"}),
        "acts": frozenset({"complaint"}),
    }


def test_what_people_differ_on_is_not_gold_and_the_rest_is() -> None:
    other = Answer(tone="neutral", topics=("T09",), acts=())
    [found] = gold_set.gold([row(), row(who="Bo", answer=other)])
    assert set(found.answers) == {"topics", "acts"}
    assert found.disputed == {"tone"}


def test_a_settlement_is_gold_whatever_was_said() -> None:
    other = Answer(tone="neutral", topics=("T10",), acts=())
    said = [row(), row(who="Bo", answer=other)]
    [found] = gold_set.gold([*said, row(who="Cy", answer=other, is_settlement=True)])
    assert found.answers["tone"] == "neutral"
    assert found.is_settled
    assert not found.disputed


def test_a_tone_that_cannot_be_said_disputes_nothing() -> None:
    unsaid = Answer(tone=None, topics=("T09",), acts=())
    [found] = gold_set.gold([row(), row(who="Bo", answer=unsaid)])
    assert found.answers["tone"] == "negative"
    assert not found.disputed


def test_an_edited_text_is_another_message_and_the_last_one_counts() -> None:
    before, after = row(), row(who="Bo", text_hash="h2", answer=Answer(tone="positive"))
    [found] = gold_set.gold([before, after])
    assert (found.text_hash, found.answers["tone"]) == ("h2", "positive")
    assert gold_set.agreements([before, after])["tone"] is None


def test_an_expired_text_keeps_its_answer_and_waits_for_no_settlement() -> None:
    gone = row(text=None, title=None, lang=None)
    other = row(who="Bo", text=None, answer=Answer(tone="neutral"))
    assert gold_set.gold([gone])[0].text is None
    assert gold_set.disputes([gone, other]) == []


def test_a_title_is_read_with_its_text() -> None:
    assert gold_set.whole("Le tram", "Il est en panne") == "Le tram. Il est en panne"
    assert gold_set.whole("Le tram", "Le tram est en panne") == "Le tram est en panne"


# --- figures


def named(found: list[Figure], name: str) -> Figure:
    return next(each for each in found if each.name == name)


def test_a_message_weighs_as_its_stratum_does() -> None:
    own = [message("press", 90), message("press", 90), message("forum", 10)]
    assert weights(own).tolist() == [45.0, 45.0, 10.0]


def test_an_estimate_holds_for_the_whole_and_not_for_the_sample() -> None:
    """Of 90 messages of the press all are wrong, of 10 of a forum all are right."""
    own = [message("press", 90)] * 5 + [message("forum", 10)] * 5
    truth = ["negative"] * 10
    said = ["neutral"] * 5 + ["negative"] * 5
    found = named(figures(truth, said, weights(own), "tone"), "accuracy")
    assert found.value == pytest.approx(0.1)
    assert found.low < 0.1 < found.high
    assert found.effective == pytest.approx(10**2 / (5 * (1.8**2 + 0.2**2)))


def test_an_estimate_is_right_on_average_over_many_draws() -> None:
    """A town of two networks, in one of which models are often wrong; 40 of each are judged."""
    dice = np.random.default_rng(3)
    right = {"press": dice.random(900) < 0.5, "forum": dice.random(100) < 0.9}
    whole = np.concatenate(list(right.values())).mean()
    found = []
    for _ in range(200):
        chosen = {n: dice.choice(values, 40, replace=False) for n, values in right.items()}
        own = [message("press", 900)] * 40 + [message("forum", 100)] * 40
        said = ["negative" if r else "neutral" for n in chosen for r in chosen[n]]
        counts = np.array([s == "negative" for s in said])
        found.append(float((weights(own) * counts).sum() / weights(own).sum()))
    assert np.mean(found) == pytest.approx(whole, abs=0.015)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    dice = np.random.default_rng(5)
    held = 0
    own = [message("press", 600)] * 60
    for _ in range(100):
        said = np.where(dice.random(60) < 0.7, "negative", "neutral").tolist()
        found = named(figures(["negative"] * 60, said, weights(own), "tone"), "accuracy")
        held += found.low <= 0.7 <= found.high
    assert held >= 88


def test_no_error_at_all_is_no_certainty() -> None:
    own = [message("press", 60)] * 60
    found = named(figures(["negative"] * 60, ["negative"] * 60, weights(own), "tone"), "accuracy")
    assert (found.value, found.high) == pytest.approx((1.0, 1.0))
    assert 0.9 < found.low < 0.97  # Wilson's of 60 of 60 is 0.94


def test_topics_are_counted_one_by_one() -> None:
    truth = [frozenset({"T09", "T10"}), NONE, frozenset({"T01"})]
    said = [frozenset({"T09"}), NONE, frozenset({"T01", "T02"})]
    found = figures(truth, said, np.ones(3), "topics")
    assert named(found, "precision").value == pytest.approx(2 / 3)
    assert named(found, "recall").value == pytest.approx(2 / 3)
    assert named(found, "F1").value == pytest.approx(2 / 3)


def test_acts_of_which_none_was_said_have_no_precision() -> None:
    found = figures([frozenset({"claim"})] * 3, [NONE] * 3, np.ones(3), "acts")
    assert np.isnan(named(found, "precision").value)
    assert named(found, "recall").value == 0
