import pytest

from models import terms, tokens
from models.errors import TaxonomyError
from models.taxonomy import LANGUAGES, Topic, _read, taxonomy
from models.text import prepare


def named(text: str, lang: str = "fr") -> set[str]:
    read = tokens.tokens(prepare([text], lang=lang))
    return {taxonomy()[hit.topic].id for hit in terms.find(read, lang=lang)}


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
    assert terms.find(read, lang="fr") == []


def test_hidden_terms_are_gone_and_the_rest_stays() -> None:
    place = [topic.id for topic in taxonomy()].index("T20")
    found = terms.hidden(["incendie rue des lilas", "rien", ""], lang="fr", topic=place)
    assert [" ".join(text.split()) for text in found] == ["rue des lilas", "rien", ""]


def test_a_topic_file_at_fault_is_named() -> None:
    with pytest.raises(TaxonomyError, match=r"T99\.toml cannot be read"):
        _read("T99.toml", "id = 'T99'")
    with pytest.raises(TaxonomyError, match=r"T99\.toml cannot be read"):
        _read("T99.toml", "id = ")
