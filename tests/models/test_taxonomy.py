from pathlib import Path

import numpy as np
import pytest

from models import checkpoint, lexicons, terms, tokens
from models.errors import TaxonomyError
from models.taxonomy import LANGUAGES, Topic, _read, taxonomy
from models.text import prepare


def named(text: str, lang: str = "fr") -> set[str]:
    read = tokens.tokens(prepare([text], lang=lang))
    weights = terms.weights(read, terms.find(read, lang=lang))[0]
    return {topic.id for topic in taxonomy() if weights[lexicons.place(topic.id)] > 0}


def test_there_are_twenty_topics_in_order() -> None:
    assert [topic.id for topic in taxonomy()] == [f"T{i:02}" for i in range(1, 21)]


@pytest.mark.parametrize("topic", taxonomy(), ids=lambda topic: topic.id)
def test_each_topic_has_sentences_of_both_directions(topic: Topic) -> None:
    yes = topic.sentences["pro"] + topic.sentences["contra"] + topic.sentences["plain"]
    assert len(topic.sentences["pro"]) >= 4
    assert len(topic.sentences["contra"]) >= 4
    assert len(topic.sentences["no"]) >= 4
    assert len(set(yes)) == len(yes) >= 8
    assert set(topic.keywords) == set(topic.exclude) == set(LANGUAGES)
    assert topic.cap
    assert topic.second_level
    assert topic.label_fr != topic.label_en
    assert set(topic.near) < {each.id for each in taxonomy()} - {topic.id}


def test_sentences_kept_apart_are_never_those_of_development() -> None:
    for lang in LANGUAGES:
        dev = {
            s for t in taxonomy() for s in t.yes(lang=lang, use="dev") + t.no(lang=lang, use="dev")
        }
        held = {
            s
            for t in taxonomy()
            for s in t.yes(lang=lang, use="held_out") + t.no(lang=lang, use="held_out")
        }
        assert not dev & held
        assert held


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Les TAXES FONCIERES augmentent", "T01"),
        ("trois demandeurs d’asile", "T13"),
        ("un arrêté anti-burkini", "T14"),
        ("#inondations a bron", "T20"),
        ("la taxe\nfoncière", "T01"),
    ],
)
def test_terms_are_found_whatever_case_accents_and_endings(text: str, topic: str) -> None:
    assert topic in named(text)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("taxe. Foncière de famille", "T01"),
        ("Bonus écologique : écologie et remise", "T10"),
        ("concertation", "T19"),
        ("feu vert pour les pompiers", "T20"),
    ],
)
def test_terms_do_not_cross_stops_nor_excluded_contexts(text: str, topic: str) -> None:
    assert topic not in named(text)


def test_a_term_does_not_span_two_texts() -> None:
    read = tokens.tokens(prepare(["la taxe", "foncière"], lang="fr"))
    assert not (terms.find(read, lang="fr").label == lexicons.place("T01")).any()


def test_a_topic_file_at_fault_is_named() -> None:
    with pytest.raises(TaxonomyError, match=r"T99\.toml cannot be read"):
        _read("T99.toml", "id = 'T99'")
    with pytest.raises(TaxonomyError, match=r"T99\.toml cannot be read"):
        _read("T99.toml", "id = ")


def test_where_somebody_is_from_is_no_term() -> None:
    assert not named("un habitant de Damas") & {"T13", "T18"}
    assert named("la guerre en Syrie") == named("la guerre au Pérou")


def test_a_term_in_the_feminine_is_found() -> None:
    assert "T15" in named("une femme handicapée")
    assert "T14" in named("une mosquée dans le quartier")


def test_each_sub_topic_has_terms_that_prove_it() -> None:
    for topic in taxonomy():
        assert set(topic.second) == set(topic.second_level), topic.id


def test_packed_terms_find_what_compiled_ones_find(tmp_path: Path) -> None:
    terms.pack(tmp_path, version="0", features_version=0)
    stored = checkpoint.read(tmp_path, terms.TASK, task=terms.TASK)
    for lang in LANGUAGES:
        packed, compiled = terms._unpacked(stored.tensors, lang), terms.compiled(lang)
        assert packed.whole.keys() == compiled.whole.keys()
        for size, index in packed.whole.items():
            assert np.array_equal(index.owners, compiled.whole[size].owners)
            assert np.array_equal(index.keys, compiled.whole[size].keys)
