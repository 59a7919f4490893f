from collections import Counter

import pytest

from models import drills
from models.sentiment import LABELS

LANGS = ("fr", "en")


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_seed_gives_the_same_posts(lang: str) -> None:
    assert drills.posts(lang=lang, count=9, seed=1) == drills.posts(lang=lang, count=9, seed=1)
    assert drills.posts(lang=lang, count=9, seed=1) != drills.posts(lang=lang, count=9, seed=2)
    assert drills.toned(lang=lang, count=9, seed=1) == drills.toned(lang=lang, count=9, seed=1)
    assert drills.toned(lang=lang, count=9, seed=1) != drills.toned(lang=lang, count=9, seed=2)


@pytest.mark.parametrize("lang", LANGS)
def test_no_post_stands_twice_nor_in_both_classes(lang: str) -> None:
    made = drills.posts(lang=lang, count=60, seed=3)
    assert len({post.text.casefold() for post in made}) == len(made)
    toned = drills.toned(lang=lang, count=60, seed=3)
    assert len({each.text.casefold() for each in toned}) == len(toned)


@pytest.mark.parametrize("lang", LANGS)
def test_abuse_and_what_only_looks_so_are_both_there(lang: str) -> None:
    made = drills.posts(lang=lang, count=20, seed=3)
    counts = Counter(post.is_abuse for post in made)
    assert min(counts.values()) >= 0.2 * len(made)
    kinds = {is_abuse: {p.kind for p in made if p.is_abuse == is_abuse} for is_abuse in (0, 1)}
    assert min(len(kinds[0]), len(kinds[1])) >= 3
    assert not kinds[0] & kinds[1]


@pytest.mark.parametrize("lang", LANGS)
def test_every_tone_is_drilled(lang: str) -> None:
    counts = Counter(each.tone for each in drills.toned(lang=lang, count=20, seed=3))
    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 20


@pytest.mark.parametrize("lang", LANGS)
def test_no_slot_is_left_open(lang: str) -> None:
    texts = [post.text for post in drills.posts(lang=lang, count=60, seed=3)]
    texts += [each.text for each in drills.toned(lang=lang, count=60, seed=3)]
    assert not [text for text in texts if "{" in text or "}" in text or not text.strip()]


def test_french_words_are_elided_before_a_vowel() -> None:
    texts = [each.text for each in drills.toned(lang="fr", count=60, seed=3)]
    assert not [text for text in texts if drills._ELIDED.search(text)]


def test_a_slot_that_stands_twice_has_one_value() -> None:
    import numpy as np

    read = {"slots": {"a": ["x", "y", "z"]}, "lang": "en"}
    random = np.random.default_rng(0)
    made = {drills._fill("{a} {a}", read, random) for _ in range(30)}
    assert made == {"x x", "y y", "z z"}
