"""All models together: what may not move a score, and what docs/models.md says is null when."""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from models import acts, aspects, heads, suite, taxonomy, topics
from models.sentiment import LABELS, UNDETERMINED
from models.suite import Scores
from models.text import READ_LIMIT
from models.trunk import TOKENS_LIMIT

SUITE = suite.load()
CLOSE = 1e-5

Floats = NDArray[np.float32]

LANGS = ("fr", "en", "de", "ar", "nl", None)
CHUNKS = (
    "honte", "merci", "la mairie", "taxe foncière", "incendie", "l’", "bcp", "agent·es", "Le Pen",
    " Σ", "ΟΔΟΣ", "İstanbul", "ß", "ﬁ", "①", "𝕳𝖔𝖓𝖙𝖊", "ＨＯＮＴＥ", "شكرا", "नमस्ते", "漢字",
    "e\u0301", "\u0301", "\u200d", "\u202e", "\x00", "\x1b[31m", "\x1c", "\x1e", "\x85", "\u2028",
    "\ud800", "\ufeff", "👍🏽", "👨‍👩‍👧", "🇫🇷", "‹lien›", "‹", "›", "@", "@luc", "https://", "www.",
    "RT ", "#Stop", "#", ":)", ":-(", "<3", ">:(", "-_-", "...", "!!!!", "nuuuul", "=cmd()",
    "<script>", "\n", "\t", "\u00a0",
)  # fmt: skip
TEXT = st.one_of(
    st.lists(st.sampled_from(CHUNKS), max_size=12).map("".join),
    st.lists(st.sampled_from(CHUNKS), max_size=12).map(" ".join),
    st.text(max_size=40),
    st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010), max_size=6),
    st.sampled_from(["", " ", "mot " * 400, "x" * 4_000, "à! " * 1_200]),
)
ASKED = st.lists(st.tuples(TEXT, st.sampled_from(LANGS)), min_size=1, max_size=6)


def columns(said: Scores) -> Floats:
    """Every number of every text, side by side."""
    parts = [said.tone.probabilities, said.found.probabilities, said.done.probabilities]
    return np.column_stack([*parts, said.tone.scores, said.p_irony, said.p_political])


def numbers(texts: Sequence[str], langs: Sequence[str | None]) -> Floats:
    return columns(SUITE.score(texts, langs))


def french(*texts: str) -> Scores:
    return SUITE.score(texts, ["fr"] * len(texts))


def same(one: Floats, other: Floats) -> bool:
    return np.allclose(one, other, atol=CLOSE, rtol=0, equal_nan=True)


@settings(max_examples=50, deadline=None)
@given(ASKED, st.data())
def test_company_and_order_never_change_a_score(
    asked: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    texts, langs = [text for text, _ in asked], [lang for _, lang in asked]
    together = numbers(texts, langs)
    order = data.draw(st.permutations(range(len(asked))))
    mixed = numbers([texts[i] for i in order], [langs[i] for i in order])
    assert same(mixed, together[order])
    for place, (text, lang) in enumerate(asked):
        assert same(numbers([text], [lang])[0], together[place]), text[:200]


def test_a_backtick_reads_alike_beside_a_text_with_accents() -> None:
    text = "l`eau est coupee, c`est nul"
    assert same(numbers([text], ["fr"])[0], numbers([text, "é"], ["fr"] * 2)[0])


def test_an_address_reads_alike_after_a_text_with_a_lone_at_sign() -> None:
    text = "x " * 56 + "jean@exemple.frhonteux, la cantine ferme"
    assert same(numbers([text], ["fr"])[0], numbers(["a@b", text], ["fr"] * 2)[1])


def test_copies_are_scored_as_their_first() -> None:
    texts, langs = ["Quelle honte", "Merci", "Quelle honte", "Merci"], ["fr", "fr", "fr", "en"]
    found = numbers(texts, langs)
    assert same(found[0], found[2])
    for place in (0, 1, 3):
        assert same(found[place], numbers([texts[place]], [langs[place]])[0])


LONG = (
    "merci à la mairie " * 400,  # words past the limit of the network and of what is read
    "a " * (READ_LIMIT // 2),  # many more words than the network reads
    "nul" * READ_LIMIT,  # one word without end
    "!" * READ_LIMIT,
    "é" * (2 * READ_LIMIT) + " honte",
    "\u202e" * READ_LIMIT,
)


def test_very_long_texts_have_the_scores_of_each_alone_among_short_ones() -> None:
    assert min(map(len, LONG)) >= READ_LIMIT
    assert len(LONG[1].split()) > TOKENS_LIMIT
    texts = ["quelle honte", *LONG, "", "merci"]
    together = numbers(texts, ["fr"] * len(texts))
    backwards = numbers(texts[::-1], ["fr"] * len(texts))[::-1]
    assert same(together, backwards)
    for place, text in enumerate(texts):
        assert same(numbers([text], ["fr"])[0], together[place]), text[:40]


def test_what_stands_past_the_limit_of_a_text_is_not_read() -> None:
    start = "La cantine est fermée. " * 300
    assert len(start) > READ_LIMIT
    plain, hateful = french(start, f"{start} quelle honte, je vais te tuer").tone.probabilities
    assert same(plain, hateful)


def test_more_texts_than_are_read_at_a_time_keep_order_and_scores() -> None:
    texts = ["Merci à la crèche, mais les poubelles débordent", "Incendie à la gare", "thank you"]
    langs = ["fr", None, "en"]
    once, many = SUITE.score(texts, langs), SUITE.score(texts * 1_500, langs * 1_500)
    assert len(many.done.risks) == 4_500
    assert same(columns(many), np.tile(columns(once), (1_500, 1)))
    assert many.tone.labels == once.tone.labels * 1_500
    assert many.found.topics == once.found.topics * 1_500
    assert many.done.acts == once.done.acts * 1_500
    assert many.done.risks == once.done.risks * 1_500
    assert many.services == once.services * 1_500
    assert many.subtopics == once.subtopics * 1_500


def test_nothing_to_score_is_no_error() -> None:
    said = SUITE.score([], [])
    assert columns(said).shape == (0, 3 + 20 + 8 + 3)
    assert (said.tone.labels, said.found.topics, said.done.risks) == ([], [], [])
    assert (said.services, said.subtopics) == ([], [])


EMPTY = ("", "  \n", "...", "\u200b")
SAID = "C'est une honte, les poubelles débordent et l'incendie n'est pas éteint"


@pytest.mark.parametrize("text", EMPTY)
@pytest.mark.parametrize("lang", ["fr", "en", "de", None, "xx"])
def test_an_empty_text_has_no_score_at_all(text: str, lang: str | None) -> None:
    said = SUITE.score([text], [lang])
    assert np.isnan(columns(said)).all()
    assert said.tone.labels == [UNDETERMINED]
    assert (said.found.topics, said.done.acts, said.done.risks) == ([()], [()], [None])
    assert (said.services, said.subtopics) == ([()], [[]])


@pytest.mark.parametrize(
    ("lang", "has_tone", "has_topics", "has_acts"),
    [
        ("fr", True, True, True),
        ("en", True, True, True),
        ("de", True, False, False),
        ("ar", True, False, False),
        ("nl", False, False, False),
        ("xx", False, False, False),
        (None, False, True, False),
    ],
)
def test_each_language_has_the_scores_that_the_guide_promises(
    lang: str | None, *, has_tone: bool, has_topics: bool, has_acts: bool
) -> None:
    said = SUITE.score([SAID], [lang])
    assert np.isfinite(said.tone.probabilities).all() == has_tone
    assert np.isfinite(said.found.probabilities).all() == has_topics
    for values in (said.done.probabilities, said.p_irony, said.p_political):
        assert np.isfinite(values).all() == has_acts
        assert np.isnan(values).all() != has_acts
    assert (said.done.risks[0] in acts.RISKS) == has_acts
    if not has_acts:
        assert (said.done.acts, said.done.risks, said.services) == ([()], [None], [()])
    if not has_topics:
        assert (said.found.topics, said.subtopics) == ([()], [[]])


def test_every_column_has_its_shape_and_range() -> None:
    texts = [SAID, "Merci à l'accueil", "Réunion à 18 h"]
    said = french(*texts)
    assert said.tone.probabilities.shape == (3, len(LABELS))
    assert said.found.probabilities.shape == (3, len(topics.LABELS))
    assert said.done.probabilities.shape == (3, len(acts.ACTS))
    assert np.allclose(said.tone.probabilities.sum(axis=1), 1, atol=1e-5)
    chances = np.delete(columns(said), -3, axis=1)  # but the score of tone, in -1..1
    assert ((chances >= 0) & (chances <= 1)).all()
    assert all(set(own) <= set(topics.LABELS) for own in said.found.topics)
    assert all(name.split(":")[0] in aspects.SERVICES for own in said.services for name in own)


def test_a_sub_topic_stands_only_beside_its_topic() -> None:
    sentences = [s for topic in taxonomy.taxonomy() for s in topic.yes(lang="fr", use="held_out")]
    said = french(*sentences)
    assert any(said.subtopics)
    for own, under in zip(said.found.topics, said.subtopics, strict=True):
        assert {name.split("/")[0] for name in under} <= set(own)


def test_the_model_is_named_by_all_its_parts() -> None:
    names = SUITE.model_id.split("+")
    assert names == [SUITE.tone.model_id, SUITE.subject.model_id, SUITE.doing.model_id]
    assert all(re.fullmatch(r"vigie-[a-z]+-[\w.]+", name) for name in names)


def test_the_same_texts_have_the_same_scores_from_another_loading() -> None:
    texts, langs = [SAID, "thanks", "", "gracias"], ["fr", "en", "fr", "es"]
    assert same(columns(suite.load().score(texts, langs)), numbers(texts, langs))


EDITED = """
[keywords]
fr = ["licorne", "taxe foncière", "incendie*", "maire", "grève"]
en = ["unicorn", "strike"]

[exclude]
fr = ["piscine"]
en = []
"""


def forget() -> None:
    """Forget what the models keep of the files of terms."""
    kept = ("network", "text", "tokens", "language")
    for name, module in list(sys.modules.items()):
        if name.startswith("models.") and name.split(".")[1] not in kept:
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@pytest.fixture
def edited_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a topic whose file has another vocabulary, which takes words of others."""
    with as_file(files("models") / "taxonomy") as folder:
        shutil.copytree(folder, tmp_path / "taxonomy")
    path = tmp_path / "taxonomy" / "T09.toml"
    text = path.read_text(encoding="utf-8")
    cut = re.sub(r"(?ms)^\[(keywords|exclude)\]\n.*?(?=^\[)", "", text)
    assert len(cut) < len(text) - 500
    path.write_text(f"{cut}\n{EDITED}", encoding="utf-8")
    monkeypatch.setattr(taxonomy, "files", lambda _: tmp_path)
    forget()
    yield "T09"
    monkeypatch.undo()
    forget()


def test_a_topic_that_is_edited_moves_no_other_score(request: pytest.FixtureRequest) -> None:
    """As long as nothing is trained again; tone, acts, irony and services do not move either."""
    topic_list = taxonomy.taxonomy()
    texts = [s for topic in topic_list for s in topic.yes(lang="fr", use="held_out")]
    texts += ["une licorne dans la rue", "le tram est en retard", SAID, ""]
    english = ["the unicorn", "bus strike today"]
    langs = [*["fr"] * len(texts), "en", "en"]
    texts += english
    before, hash_before = suite.load().score(texts, langs), topics.load().weights_sha256
    own = topics.LABELS.index(request.getfixturevalue("edited_topic"))
    assert "licorne" in taxonomy.taxonomy()[own].keywords["fr"]
    after, hash_after = suite.load().score(texts, langs), topics.load().weights_sha256
    others = np.delete(np.arange(len(topics.LABELS)), own)
    moved = np.abs(after.found.probabilities - before.found.probabilities)
    assert np.nanmax(moved[:, others]) <= 1e-6
    assert np.nanmax(moved[:, own]) > 0.2  # its own is judged by its new words
    assert after.found.probabilities[-6, own] > before.found.probabilities[-6, own]
    assert same(after.tone.probabilities, before.tone.probabilities)
    assert same(after.done.probabilities, before.done.probabilities)
    assert same(after.p_irony, before.p_irony)
    assert same(after.p_political, before.p_political)
    assert (after.done.risks, after.services) == (before.done.risks, before.services)
    assert hash_after != hash_before  # the lineage of a score tells the vocabularies apart


def test_the_edited_topic_was_an_edit_of_one_test_only() -> None:
    assert "licorne" not in taxonomy.taxonomy()[8].keywords["fr"]
    assert heads.topic_count() == len(topics.LABELS) == 20
