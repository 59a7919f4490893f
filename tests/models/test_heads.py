from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models import heads, lexicons, terms
from models.reading import Batch
from models.taxonomy import Topic, taxonomy

TEXTS = (
    "La taxe foncière augmente, le maire ment",
    "Incendie à la gare, tout est fermé",
    "Grève des éboueurs, quelle honte",
    "la licorne arrive",
)
CACHED = (
    lexicons.table, lexicons.labels, lexicons.place, lexicons.exclusions, lexicons.digest,
    heads.wanted, heads.load, terms.lexicon,
)  # fmt: skip


def chances() -> dict[str, np.ndarray]:
    found = Batch(TEXTS, ["fr"] * len(TEXTS)).chances
    return dict(zip(heads.wanted(), found.T, strict=True))


def forget() -> None:
    for each in CACHED:
        each.cache_clear()


@pytest.fixture
def a_topic_more(monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    """A twenty-first topic whose terms are also those of others, and what was cached forgotten."""
    both = {"fr": ("licorne", "incendie*", "maire", "grève"), "en": ()}
    own = replace(
        taxonomy()[0], id="T21", keywords=both, exclude={"fr": ("gare",), "en": ()}, second={}
    )
    known = taxonomy()
    for module in (lexicons, heads):
        monkeypatch.setattr(module, "taxonomy", lambda: (*known, own))
    forget()
    yield own
    monkeypatch.undo()
    forget()


def test_a_topic_that_is_added_moves_no_score_of_another(request: pytest.FixtureRequest) -> None:
    before = chances()
    own = request.getfixturevalue("a_topic_more")
    after = chances()
    for name, chance in before.items():
        assert np.allclose(after[name], chance, atol=1e-6), name
    assert set(after) - set(before) == {own.id}
    assert after[own.id][3] > 0.5  # by its terms alone
    assert after[own.id][1] < 0.5  # what excludes it stands there
