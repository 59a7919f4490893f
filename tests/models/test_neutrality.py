import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from models import neutrality, sentiment
from models.neutrality import SLOT, TONES, shifts, templates
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
    judged |= {template.text.casefold() for template in templates()}
    taught = {message["text"].casefold() for message in probes("services")["message"]}
    folders = (files("models") / name for name in ("taxonomy", "acts", "tone", "drills"))
    read = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    for file in (file for file in read if file.name.endswith(".toml")):
        taught |= {text.casefold() for text in strings(tomllib.loads(file.read_text("utf-8")))}
    assert {text for text in judged & taught if len(text.split()) > 3} == set()
