import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix

from models import hashing, reading, tokens
from models.text import unaccented


def row(text: str, lang: str = "fr") -> dict[int, float]:
    matrix = reading.read([text], lang=lang).features
    matrix.sum_duplicates()
    return dict(zip(matrix.indices.tolist(), matrix.data.tolist(), strict=True))


def alike(one: str, other: str) -> float:
    a, b = (reading.read([text], lang="fr").features for text in (one, other))
    cosine: float = (a @ b.T).toarray()[0, 0] / np.sqrt(
        (a @ a.T).toarray()[0, 0] * (b @ b.T).toarray()[0, 0]
    )
    return cosine


def test_equal_texts_have_equal_rows_wherever_they_stand() -> None:
    texts = ["la cantine est fermée", "", "merci !", "la cantine est fermée"]
    matrix = reading.read(texts, lang="fr").features.toarray()
    assert np.allclose(matrix[0], matrix[3])
    assert np.allclose(matrix[2], reading.read(["merci !"], lang="fr").features.toarray()[0])
    assert not matrix[1].any()


def test_many_batches_give_the_rows_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"texte numéro {i} pas content du tout" for i in range(50)]
    whole = reading.read(texts, lang="fr")
    monkeypatch.setattr(tokens, "BATCH_CHARS", 60)
    parts = reading.read(texts, lang="fr")
    assert isinstance(parts.features, csr_matrix)
    assert np.allclose(whole.features.toarray(), parts.features.toarray())
    assert np.array_equal(whole.hits, parts.hits)


def test_a_negation_changes_what_follows_it_up_to_the_end_of_the_clause() -> None:
    plain, negated = row("c'est propre"), row("c'est pas propre")
    assert len(set(negated) - set(plain)) > 2
    within = set(row("pas un mot, propre")) & set(row("pas propre"))
    assert len(within) < len(set(row("pas propre")))


def test_misspelt_and_unaccented_words_stay_near() -> None:
    assert alike("inondation", "innondation") > 0.3
    assert alike("préfecture fermée", "prefecture fermee") > 0.45
    assert alike("inondation", "piscine") < 0.1


def test_word_hash_is_the_hash_of_a_span() -> None:
    codes = np.array([ord(c) for c in "une piste"], np.uint32)
    found = hashing.Spans(codes).hashes(np.array([4]), np.array([9]))
    assert int(found[0]) == hashing.word_hash("piste")


def test_unaccented_letters_keep_their_places() -> None:
    codes = np.array([ord(c) for c in "éÀœ漢"], np.uint32)
    assert "".join(map(chr, unaccented(codes))) == "eAœ漢"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_can_be_read(texts: list[str]) -> None:
    read = reading.read(texts, lang="fr")
    assert read.features.shape[0] == len(texts) == len(read.hits)
    assert np.isfinite(read.features.data).all()


def test_a_lone_surrogate_is_read() -> None:
    assert reading.read(["a\ud800b", "ok"], lang="fr").features.shape[0] == 2


def test_texts_and_languages_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 texts with 1 languages"):
        reading.Batch(["a", "b"], ["fr"])
