"""The shipped models on the invented cases of `models/probes`, none of which they learnt from.

Each floor is what was seen with the weights of version 2, less one case where that was not all of
them: a model that is worse fails here, and one that is better may raise the floor.
"""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from models import neutrality, suite
from models.suite import Scores

SUITE = suite.load()

Case = dict[str, Any]

FLOORS = {  # kind: cases, and how many of them must hold
    "code_switching": (7, 6),
    "control_characters": (7, 7),
    "counter_speech": (11, 8),
    "criticism": (10, 8),
    "dehumanisation": (5, 3),
    "elongation": (7, 5),
    "emoji": (12, 11),
    "empty": (7, 5),  # a link or a handle alone has a tone
    "group_hate": (20, 17),
    "handles": (6, 6),
    "hashtag": (7, 6),
    "identity_neutral": (11, 9),
    "insult": (13, 10),
    "intensifier": (8, 6),
    "masked_abuse": (8, 6),
    "negation": (16, 9),
    "profanity": (7, 6),
    "reported_speech": (7, 6),
    "slur_mention": (9, 5),
    "spelling": (9, 7),
    "unsupported_language": (5, 5),
    "very_long": (5, 4),
}


def read(name: str) -> Any:
    path = files("models") / "probes" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def cases() -> list[Case]:
    found: list[Case] = read("behaviour")["case"]
    return found


def whole(case: Case) -> str:
    return " ".join([case["text"]] * case.get("repeat", 1))


def other(case: Case) -> str:
    return str(case.get("more_negative_than", case.get("same_as", case["text"])))


@cache
def said() -> tuple[Scores, Scores]:
    """Scores of every case and of the text that it is held against."""
    langs = [case["lang"] for case in cases()]
    return (
        SUITE.score([whole(case) for case in cases()], langs),
        SUITE.score([other(case) for case in cases()], langs),
    )


def holds(place: int, case: Case) -> bool:
    own, against = said()
    negative, usual = own.tone.probabilities[place, 0], against.tone.probabilities[place, 0]
    if "tone" in case:
        return bool(own.tone.labels[place] == case["tone"])
    if "more_negative_than" in case:
        return bool(negative > usual)
    if "same_as" in case:
        return bool(abs(negative - usual) <= neutrality.tolerance())
    return bool(("abuse" in own.done.acts[place]) == case["abuse"])


def verdicts() -> dict[str, list[tuple[bool, Case]]]:
    found: dict[str, list[tuple[bool, Case]]] = defaultdict(list)
    for place, case in enumerate(cases()):
        found[case["kind"]].append((holds(place, case), case))
    return found


def test_every_kind_of_case_has_a_floor() -> None:
    assert {kind: len(own) for kind, own in verdicts().items()} == {
        kind: count for kind, (count, _) in FLOORS.items()
    }


@pytest.mark.parametrize("kind", FLOORS)
def test_cases_of_a_kind_hold_at_least_as_often_as_they_did(kind: str) -> None:
    own = verdicts()[kind]
    wrong = [whole(case)[:80] for is_so, case in own if not is_so]
    assert len(own) - len(wrong) >= FLOORS[kind][1], wrong


def test_few_texts_without_abuse_are_called_abusive_and_little_abuse_is_missed() -> None:
    """Seen: 7 of 48 and 6 of 46."""
    wrong: Counter[bool] = Counter()
    for own in verdicts().values():
        wrong.update(case["abuse"] for is_so, case in own if "abuse" in case and not is_so)
    assert wrong[False] <= 8
    assert wrong[True] <= 7


@pytest.mark.parametrize(("lang", "least"), [("fr", 71), ("en", 7)])
def test_abuse_is_told_from_its_look_alikes_in_both_languages(lang: str, least: int) -> None:
    """Seen: 73 of 83, and 8 of 11."""
    own = [
        is_so
        for each in verdicts().values()
        for is_so, case in each
        if "abuse" in case and case["lang"] == lang
    ]
    assert sum(own) >= least


def test_criticism_of_an_institution_is_never_suspected_to_be_illicit() -> None:
    """Nor are profanity at nobody, neutral mentions of groups, and counter-speech."""
    kinds = ("criticism", "profanity", "identity_neutral", "counter_speech", "slur_mention")
    own, _ = said()
    suspected = [
        case["text"]
        for place, case in enumerate(cases())
        if case["kind"] in kinds and own.done.risks[place] == "illicit suspected"
    ]
    assert suspected == []


def test_the_card_states_what_is_seen() -> None:
    card = (files("models") / "cards" / "acts.md").read_text(encoding="utf-8")
    for kind, own in verdicts().items():
        if "abuse" in own[0][1]:
            right = sum(is_so for is_so, _ in own)
            assert f"| {kind} | {len(own)} | {right} |" in card


def sentences() -> list[Case]:
    found: list[Case] = read("director")["sentence"]
    return found


@cache
def shown() -> Scores:
    own = sentences()
    return SUITE.score([each["text"] for each in own], [each["lang"] for each in own])


@pytest.mark.parametrize(("is_plain", "least"), [(True, 28), (False, 21)])
def test_the_director_sees_the_right_tone(*, is_plain: bool, least: int) -> None:
    """Seen: 29 of 30 plain sentences, 23 of 30 hard ones."""
    pairs = zip(sentences(), shown().tone.labels, strict=True)
    own = [(case, label) for case, label in pairs if case["why"].startswith("plain") == is_plain]
    wrong = [(case["text"], label) for case, label in own if label != case["tone"]]
    assert len(own) == 30
    assert len(own) - len(wrong) >= least, wrong


def f1(wanted: Sequence[set[str]], found: Sequence[tuple[str, ...]]) -> float:
    both = sum(len(want & set(own)) for want, own in zip(wanted, found, strict=True))
    return 2 * both / (sum(map(len, wanted)) + sum(map(len, found)))


@pytest.mark.parametrize(("what", "least"), [("topics", 0.61), ("acts", 0.63)])
def test_the_director_sees_most_topics_and_acts_that_were_meant(what: str, least: float) -> None:
    """Of the sentences that state some; micro-averaged F1. Seen: 0.634 and 0.659."""
    own = [place for place, case in enumerate(sentences()) if case.get(what)]
    wanted = [set(sentences()[place][what]) for place in own]
    found = shown().found.topics if what == "topics" else shown().done.acts
    assert len(own) >= 40
    assert f1(wanted, [found[place] for place in own]) >= least


def test_no_sentence_of_the_director_is_suspected_to_be_illicit_and_few_are_hostile() -> None:
    risks = Counter(shown().done.risks)
    assert risks["illicit suspected"] == 0
    assert risks["hostile"] <= 1
    assert None not in risks


def test_probabilities_of_tone_are_those_of_the_labels() -> None:
    own, _ = said()
    sure = [place for place, label in enumerate(own.tone.labels) if label != "undetermined"]
    best = own.tone.probabilities[sure].argmax(axis=1)
    labels = ("negative", "neutral", "positive")
    assert [own.tone.labels[place] for place in sure] == [labels[int(b)] for b in best]
    assert np.nanmin(own.tone.probabilities) >= 0
