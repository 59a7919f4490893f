import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from models import neutrality, sentiment, suite
from models.acts import ACTS, RISKS
from models.neutrality import SLOT, TONES, AxisShifts, Shift, shifts, templates
from models.suite import Scores
from models.taxonomy import taxonomy

PROBES = files("models") / "probes"


def probes(name: str) -> dict[str, Any]:
    return tomllib.loads((PROBES / f"{name}.toml").read_text(encoding="utf-8"))


def strings(read: Any) -> Iterator[str]:
    """Every text of a parsed TOML file."""
    if isinstance(read, str):
        yield read
    elif isinstance(read, dict | list):
        for part in read.values() if isinstance(read, dict) else read:
            yield from strings(part)


def fair(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
    return {"p_negative": [0.3] * len(texts)}


def unfair(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
    """Finds a text more negative when an imam stands in it, and more political with LFI."""
    return {
        "p_negative": [0.9 if "imam" in text else 0.3 for text in texts],
        "p_political": [0.7 if "LFI" in text else 0.6 for text in texts],
    }


def test_there_are_templates_enough_of_each_tone_language_and_axis() -> None:
    by_lang = Counter(template.lang for template in templates())
    by_axis = Counter(template.axis for template in templates())
    by_tone = Counter(template.tone for template in templates())
    assert by_lang["fr"] >= 200
    assert by_lang["en"] >= 40
    assert len(by_axis) >= 6
    assert min(by_axis.values()) >= 15
    assert min(by_tone[tone] for tone in TONES) >= 0.25 * len(templates())


def test_a_template_has_one_slot_and_at_least_two_different_values() -> None:
    for template in templates():
        assert template.text.count(SLOT) == 1
        assert len(set(template.values)) == len(template.values) >= 2
        assert len(set(template.filled())) == len(template.values)


def test_no_template_stands_twice() -> None:
    assert len({(template.lang, template.text) for template in templates()}) == len(templates())


@pytest.mark.parametrize("fault", [r"\bde (le|les)\b", r"\bà (le|les)\b", r"\b[dq]ue (il|elle)\b"])
def test_a_value_never_breaks_the_grammar_of_its_sentence(fault: str) -> None:
    texts = [text for template in templates(lang="fr") for text in template.filled()]
    assert [text for text in texts if re.search(fault, text)] == []


def test_a_slot_at_the_head_of_a_sentence_takes_a_capital() -> None:
    heads = [t for t in templates() if t.text.startswith(SLOT)]
    assert heads
    assert all(text[0].isupper() for template in heads for text in template.filled())


def test_a_fair_scorer_does_not_move() -> None:
    found = shifts(fair)
    assert len(found) == len(templates())
    assert {shift.size for shift in found} == {0.0}


def test_an_unfair_scorer_is_caught_with_the_values_that_lie_apart() -> None:
    worst = neutrality.largest(shifts(unfair))
    assert worst["p_negative"].size == pytest.approx(0.6)
    assert worst["p_negative"].size > neutrality.tolerance()
    assert worst["p_negative"].highest == "l'imam"
    assert worst["p_negative"].template.axis == "religions"
    assert worst["p_political"].size == pytest.approx(0.1)
    assert worst["p_political"].highest == "LFI"


def test_the_scorer_is_called_once_with_every_text_in_its_language() -> None:
    calls: list[Counter[str | None]] = []

    def listening(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
        calls.append(Counter(langs))
        return fair(texts, langs)

    shifts(listening)
    shifts(listening, lang="en")
    assert len(calls) == 2
    assert set(calls[0]) == {"fr", "en"}
    assert calls[1] == {"en": calls[0]["en"]}


def test_a_language_without_answers_has_no_shifts() -> None:
    def french_only(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
        return {"p": [0.5 if lang == "fr" else np.nan for lang in langs]}

    assert {shift.template.lang for shift in shifts(french_only)} == {"fr"}
    assert shifts(french_only, lang="en") == ()


def test_a_language_without_templates_has_no_shifts() -> None:
    assert shifts(fair, lang="xx") == ()


def test_an_answer_for_one_side_only_is_the_largest_shift_there_is() -> None:
    def partial(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
        return {"p": [np.nan if "LFI" in text else 0.5 for text in texts]}

    worst = neutrality.largest(shifts(partial))["p"]
    assert (worst.size, worst.lowest) == (1.0, "LFI")


def test_a_scorer_that_loses_texts_is_refused() -> None:
    def lossy(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, list[float]]:
        return {"p": [0.5]}

    with pytest.raises(ValueError, match="one probability a text"):
        shifts(lossy)


def test_the_tables_sum_up_by_axis_and_show_the_ten_worst_templates_once() -> None:
    found = shifts(unfair)
    religions = next(row for row in neutrality.by_axis(found) if row.axis == "religions")
    assert religions.largest == pytest.approx(0.6)
    assert 0 < religions.mean < religions.percentile_95 <= religions.largest
    assert len({shift.template for shift in neutrality.worst(found)}) == 10
    printed = neutrality.table(found)
    assert "| religions | p_negative | " in printed
    assert printed.count("\n| 0.600 | p_negative | religions | ") == 3


def test_the_same_scorer_gives_the_same_shifts() -> None:
    assert shifts(unfair) == shifts(unfair)


def test_few_swaps_move_the_shipped_tone_over_the_tolerance() -> None:
    outputs = [f"p_{label}" for label in sentiment.LABELS]
    found = shifts(neutrality.scorer(sentiment.load().score, outputs))
    negative = [shift for shift in found if shift.output == "p_negative"]
    assert len(negative) >= 200
    over = [shift for shift in negative if shift.size > neutrality.tolerance()]
    told = f"{len(over)} templates over the tolerance\n{neutrality.table(negative)}"
    assert len(over) <= 0.15 * len(negative), told  # the card names the largest: the aim is none
    assert max(row.mean for row in neutrality.by_axis(negative)) <= 0.06, told


# Mean and largest shift of each axis as seen with the weights of version 2; SLACK may be added.
# The aim is 0: whoever brings a value down writes it here.
SLACK = (0.01, 0.03)
SEEN = {
    "p_negative": {
        "parties": (0.006, 0.055),
        "officials": (0.001, 0.045),
        "religions": (0.001, 0.023),
        "genders": (0.001, 0.035),
        "origins": (0.000, 0.018),
        "places": (0.023, 0.235),
        "spellings": (0.005, 0.054),
        "orientation": (0.000, 0.000),
        "disability": (0.031, 0.120),
    },
    "p_positive": {
        "parties": (0.003, 0.014),
        "officials": (0.001, 0.014),
        "religions": (0.001, 0.018),
        "genders": (0.002, 0.026),
        "origins": (0.001, 0.022),
        "places": (0.013, 0.231),
        "spellings": (0.006, 0.068),
        "orientation": (0.000, 0.000),
        "disability": (0.019, 0.161),
    },
    "p_political": {
        "parties": (0.004, 0.060),
        "officials": (0.001, 0.013),
        "religions": (0.003, 0.031),
        "genders": (0.001, 0.010),
        "origins": (0.003, 0.101),
        "places": (0.061, 0.554),
        "spellings": (0.022, 0.243),
        "orientation": (0.000, 0.000),
        "disability": (0.018, 0.084),
    },
    "act_p_abuse": {
        "parties": (0.002, 0.018),
        "officials": (0.000, 0.003),
        "religions": (0.000, 0.004),
        "genders": (0.003, 0.041),
        "origins": (0.000, 0.013),
        "places": (0.000, 0.006),
        "spellings": (0.003, 0.041),
        "orientation": (0.000, 0.000),
        "disability": (0.013, 0.060),
    },
    # Over irony and every act but abuse: the act that moves most.
    "any act": {
        "parties": (0.003, 0.029),
        "officials": (0.001, 0.036),
        "religions": (0.001, 0.024),
        "genders": (0.007, 0.163),
        "origins": (0.001, 0.036),
        "places": (0.041, 0.403),
        "spellings": (0.005, 0.116),
        "orientation": (0.000, 0.000),
        "disability": (0.027, 0.112),
    },
}
THREAT_LIMIT = 0.10  # on any axis; seen: 0.066, of spellings
# The largest mean shift of a topic that the axis does not name, and the topics that it names.
TOPICS_SEEN: dict[str, tuple[float, tuple[str, ...]]] = {
    "parties": (0.006, ()),
    "officials": (0.005, ()),
    "religions": (0.001, ("T14",)),
    "genders": (0.002, ()),
    "origins": (0.001, ()),
    "places": (0.024, ()),
    "spellings": (0.022, ()),
    "orientation": (0.000, ("T15",)),
    "disability": (0.011, ("T15", "T03", "T07")),
}


@cache
def said() -> Scores:
    """What the shipped models say of every sentence of every template."""
    texts = [text for template in templates() for text in template.filled()]
    langs = [template.lang for template in templates() for _ in template.values]
    return suite.load().score(texts, langs)


@cache
def shipped() -> dict[tuple[str, str], AxisShifts]:
    """The shifts of every output of the shipped models, by output and axis."""
    found = neutrality.by_axis(moved())
    return {(row.output, row.axis): row for row in found}


@cache
def moved() -> tuple[Shift, ...]:
    own = said()
    named = [("p_negative", own.tone.probabilities[:, 0])]
    named += [("p_positive", own.tone.probabilities[:, 2])]
    named += [("p_political", own.p_political), ("p_irony", own.p_irony)]
    named += [(f"act_p_{act}", own.done.probabilities[:, i]) for i, act in enumerate(ACTS)]
    named += [(topic.id, own.found.probabilities[:, i]) for i, topic in enumerate(taxonomy())]
    columns = dict(named)

    def stated(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, Any]:
        return columns

    return shifts(stated)


def outputs_of(name: str) -> list[str]:
    if name != "any act":
        return [name]
    return ["p_irony", *(f"act_p_{act}" for act in ACTS if act != "abuse")]


@pytest.mark.parametrize(
    ("output", "axis"), [(output, axis) for output, own in SEEN.items() for axis in own]
)
def test_a_swap_moves_each_axis_no_more_than_it_did(output: str, axis: str) -> None:
    rows = [shipped()[name, axis] for name in outputs_of(output)]
    mean, largest = SEEN[output][axis]
    told = [(row.output, round(row.mean, 3), round(row.largest, 3)) for row in rows]
    assert max(row.mean for row in rows) <= mean + SLACK[0], told
    assert max(row.largest for row in rows) <= largest + SLACK[1], told


def test_every_axis_has_bounds_for_every_output() -> None:
    axes = {template.axis for template in templates()}
    assert all(set(own) == axes for own in SEEN.values())
    assert set(TOPICS_SEEN) == axes


@pytest.mark.parametrize("axis", TOPICS_SEEN)
def test_a_swap_moves_topics_that_it_does_not_name_no_more_than_it_did(axis: str) -> None:
    mean, named = TOPICS_SEEN[axis]
    others = [topic.id for topic in taxonomy() if topic.id not in named]
    means = {topic: round(shipped()[topic, axis].mean, 3) for topic in others}
    assert max(means.values()) <= mean + SLACK[0], means


def test_no_swap_makes_a_threat() -> None:
    threats = {axis: row.largest for (output, axis), row in shipped().items() if "threat" in output}
    assert max(threats.values()) <= THREAT_LIMIT, threats


def by_template(values: Sequence[Any]) -> Iterator[tuple[neutrality.Template, list[Any]]]:
    first = 0
    for template in templates():
        yield template, list(values[first : first + len(template.values)])
        first += len(template.values)


def test_who_somebody_is_hardly_ever_changes_the_risk_of_a_sentence() -> None:
    """Seen in 8 of 294 templates, always between information and contested. The aim is none."""
    differing = [(t, risks) for t, risks in by_template(said().done.risks) if len(set(risks)) > 1]
    assert len(differing) <= 10, [t.text for t, _ in differing]
    alarming = [t.text for t, risks in differing if set(risks) & set(RISKS[2:])]
    assert alarming == []


def test_a_swap_hardly_ever_turns_negative_into_positive() -> None:
    """Seen: twice, "Renaissance" for another party and "mon auto" for a car."""
    turned = Counter(
        template.axis
        for template, labels in by_template(said().tone.labels)
        if {"negative", "positive"} <= set(labels)
    )
    assert set(turned) <= {"parties", "spellings"}, turned
    assert sum(turned.values()) <= 3


def test_the_card_states_the_shifts_that_are_seen() -> None:
    card = (files("models") / "cards" / "neutrality.md").read_text(encoding="utf-8")
    stated = re.findall(
        r"^\| (\w+) \| (\w+) \| \d+ \| ([\d.]+) \| [\d.]+ \| ([\d.]+) \|$", card, re.M
    )
    assert len(stated) == 36
    for axis, output, largest, mean in stated:
        row = shipped()[output, axis]
        assert row.largest == pytest.approx(float(largest), abs=0.002), (axis, output)
        assert row.mean == pytest.approx(float(mean), abs=0.002), (axis, output)


def test_the_director_sees_sixty_sentences_half_of_them_hard() -> None:
    shown = probes("director")["sentence"]
    assert len(shown) == 60
    assert sum(not sentence["why"].startswith("plain") for sentence in shown) == 30
    assert {sentence["tone"] for sentence in shown} == set(TONES)
    topics = {topic.id for topic in taxonomy()}
    assert all(set(sentence.get("topics", ())) <= topics for sentence in shown)


def test_each_case_of_behaviour_expects_one_thing() -> None:
    expected = ("tone", "more_negative_than", "same_as", "abuse")
    cases = probes("behaviour")["case"]
    assert len(cases) >= 180
    assert all(sum(key in case for key in expected) == 1 for case in cases)
    verdicts = Counter(case["abuse"] for case in cases if "abuse" in case)
    assert min(verdicts[True], verdicts[False]) >= 40


def test_messages_on_services_are_sixty_of_each_tone() -> None:
    messages = probes("services")["message"]
    assert Counter(message["tone"] for message in messages) == dict.fromkeys(TONES, 60)
    assert len({message["text"] for message in messages}) == 180
    assert len({message["service"] for message in messages}) == 11


def test_what_is_shown_or_judged_is_never_taught() -> None:
    """Exact copies only, case aside, in what topics, acts, tones, drills and services teach."""
    judged = {case["text"].casefold() for case in probes("director")["sentence"]}
    judged |= {case["text"].casefold() for case in probes("behaviour")["case"]}
    judged |= {case["text"].casefold() for case in probes("reception")["sentence"]}
    judged |= {template.text.casefold() for template in templates()}
    taught = {message["text"].casefold() for message in probes("services")["message"]}
    folders = (files("models") / name for name in ("taxonomy", "acts", "tone", "drills"))
    read = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    for file in (file for file in read if file.name.endswith(".toml")):
        taught |= {text.casefold() for text in strings(tomllib.loads(file.read_text("utf-8")))}
    assert {text for text in judged & taught if len(text.split()) > 3} == set()
