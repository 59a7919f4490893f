"""The small network against a plain reading of its definition, and what may not move its answer."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models import examples, network, trunk
from models.errors import WeightsError
from models.hashing import word_hash
from models.network import Views
from models.text import prepare
from models.tokens import batches, tokens, words
from models.trunk import LENGTH, TOKENS_LIMIT, UNITS, Layers, Trunk
from models.vectors import PART_BITS, Vectors
from tests.models.test_vectors import from_parts

Floats = NDArray[np.float32]

SIZE, HIDDEN, ATTENTIONS = 5, 3, 2
KNOWN = ("l'", "eau", "est", "pas", "bien", "maire", "!", ".", "fermé", "merci")
OUTPUTS = ("tone.negative", "tone.neutral", "tone.positive", "tone_en.positive", "irony.irony")
TEXTS = (
    "l'eau est pas bien !",
    "",
    "merci",
    "eau",
    "zorglub est fermé . merci zorglub maire",
    "bien pas",
    "pas bien",
    " \t ",
    "inconnu",
)


def small() -> Trunk:
    """A network of ten words with random layers, where every part says something."""
    random = np.random.default_rng(20261120)

    def drawn(*shape: int) -> Floats:
        return random.normal(size=shape).astype(np.float32)

    hashes = np.array(sorted(map(word_hash, KNOWN)), np.uint64)
    vectors = Vectors(hashes, drawn(len(KNOWN), SIZE), drawn(1 << PART_BITS, SIZE))
    pooled = 2 * HIDDEN * (1 + ATTENTIONS) + SIZE
    layers = Layers(
        gain=drawn(len(KNOWN) + 1),
        one=drawn(SIZE, HIDDEN),
        three=drawn(3, SIZE, HIDDEN),
        bias=drawn(2 * HIDDEN),
        attend=drawn(2 * HIDDEN, ATTENTIONS),
        attend_bias=drawn(ATTENTIONS),
        join=drawn(pooled, UNITS),
        join_bias=drawn(UNITS),
        heads=drawn(UNITS, len(OUTPUTS)),
        heads_bias=drawn(len(OUTPUTS)),
    )
    return Trunk(vectors, layers, OUTPUTS)


def plainly(text: str, own: Trunk) -> tuple[Floats, Floats]:
    """Units and mean vector of one text, word by word, as `Layers` says."""
    layers = own.layers
    said = words(tokens([text]))[0][:TOKENS_LIMIT]
    if not said:
        return np.zeros(UNITS, np.float32), np.zeros(SIZE, np.float32)
    found = [vector(word, own) for word in said]
    rows, gain = np.array([row for row, _ in found]), np.array([gain for _, gain in found])
    nothing = np.zeros(SIZE)
    around = [nothing, *rows, nothing]
    hidden = np.array(
        [
            np.concatenate(
                [at @ layers.one, sum((r @ k for r, k in zip(trio, layers.three, strict=True)))]
            )
            for at, trio in zip(rows, zip(around, rows, around[2:], strict=False), strict=True)
        ]
    )
    hidden = np.maximum(hidden + layers.bias, 0)
    attention = np.exp(hidden @ layers.attend + layers.attend_bias)
    means = (attention / attention.sum(axis=0)).T @ hidden
    weight = np.exp(gain) / np.exp(gain).sum()
    pooled = np.concatenate([hidden.max(axis=0), *means, weight @ rows])
    return np.maximum(pooled @ layers.join + layers.join_bias, 0), weight @ rows


def vector(word: str, own: Trunk) -> tuple[Floats, float]:
    places = np.flatnonzero(own.vectors.hashes == np.uint64(word_hash(word)))
    if len(places):
        return own.vectors.rows[places[0]], float(own.layers.gain[places[0]])
    row = from_parts(word, own.vectors.parts)
    return LENGTH * row / np.linalg.norm(row), float(own.layers.gain[-1])


def seen(texts: tuple[str, ...] | list[str], own: Trunk | None = None) -> Views:
    return network.views(list(batches(texts)), own=own)


def test_the_network_computes_what_its_definition_says() -> None:
    own = small()
    found = seen(TEXTS, own)
    for place, text in enumerate(TEXTS):
        units, mean = plainly(text, own)
        assert np.allclose(found.units[place], units, atol=1e-3, rtol=1e-4), text
        length = max(float(np.linalg.norm(mean)), 1e-6)
        assert np.allclose(found.mean[place], mean / length, atol=1e-4), text
    expected = found.units @ own.layers.heads + own.layers.heads_bias
    assert np.allclose(found.logits, expected, atol=1e-3)


def test_a_text_without_a_word_has_neither_units_nor_mean() -> None:
    found = seen(["", " \n", "merci"], small())
    assert not found.units[:2].any()
    assert not found.mean[:2].any()
    assert found.units[2].any()
    assert (found.units >= 0).all()
    assert np.isclose(np.linalg.norm(found.mean[2]), 1.0, atol=1e-5)


def test_no_text_at_all_is_no_error() -> None:
    found = seen([])
    assert found.units.shape == (0, UNITS)
    assert found.logits.shape == (0, len(network.load().outputs))


def test_how_much_was_read_before_changes_no_answer() -> None:
    own = small()
    first = seen(["l'eau est pas bien"], own)
    for _ in range(2 * len(KNOWN)):
        seen(TEXTS, own)
    again = seen(["l'eau est pas bien"], own)
    assert np.allclose(first.units, again.units, atol=1e-4)
    assert np.allclose(first.mean, again.mean, atol=1e-5)


def test_company_and_order_change_no_answer() -> None:
    own = small()
    texts = list(TEXTS) * 60  # some thousand words: several pieces
    together = seen(texts, own)
    backwards = seen(texts[::-1], own)
    assert np.allclose(together.units, backwards.units[::-1], atol=1e-3)
    for place, text in enumerate(TEXTS):
        alone = seen([text], own)
        assert np.allclose(together.units[place :: len(TEXTS)], alone.units, atol=1e-3), text
        assert np.allclose(together.mean[place :: len(TEXTS)], alone.mean, atol=1e-4), text


def test_the_order_of_words_counts() -> None:
    found = seen(["bien pas", "pas bien"], small())
    assert np.allclose(found.mean[0], found.mean[1], atol=1e-5)
    assert np.abs(found.units[0] - found.units[1]).max() > 0.1


@pytest.mark.parametrize("company", [[], ["merci", "l'eau est pas bien"]])
def test_words_past_the_limit_of_a_text_are_not_read(company: list[str]) -> None:
    read = ["eau", "pas", "maire"] * (TOKENS_LIMIT // 3)
    assert len(read) == TOKENS_LIMIT
    whole = " ".join(read)
    longer, last = f"{whole} merci zorglub", " ".join([*read[:-1], "zorglub"])
    found = seen([whole, longer, last, *company], small())
    assert np.allclose(found.units[0], found.units[1], atol=1e-4)
    assert np.abs(found.mean[0] - found.mean[2]).max() > 1e-4  # the last word within counts


def test_a_stored_network_comes_back_with_its_answers() -> None:
    own = small()
    back = trunk.restored(trunk.tensors(own), outputs=own.outputs)
    before, after = seen(TEXTS, own), seen(TEXTS, back)
    assert back.outputs == own.outputs
    assert np.allclose(before.mean, after.mean, atol=0.05)  # a byte a value
    scale = np.abs(before.logits).max()
    assert np.abs(before.logits - after.logits).max() < 0.05 * scale


def test_views_are_named_by_task_and_never_by_the_beginning_of_a_name() -> None:
    found = seen(TEXTS, small())
    assert np.array_equal(found.of("tone"), found.logits[:, :3])
    assert np.array_equal(found.of("tone_en"), found.logits[:, 3:4])
    assert found.of("ton").shape == (len(TEXTS), 0)


def test_the_shipped_network_answers_every_task_it_was_taught() -> None:
    found = seen(prepare(["Merci à la mairie", "quelle honte"], lang="fr"))
    for task in examples.TASKS:
        assert found.of(task.name).shape == (2, len(task.labels)), task.name
    assert len(found.outputs) == sum(len(task.labels) for task in examples.TASKS)
    assert np.isfinite(found.logits).all()


def test_places_that_were_looked_up_before_give_the_same_views() -> None:
    pieces = list(batches(prepare(["Merci à la mairie", "zorglub"], lang="fr")))
    given = network.views(pieces, network.find(pieces))
    assert np.allclose(given.logits, network.views(pieces).logits, atol=1e-4)


def test_weights_of_another_reading_of_texts_are_refused() -> None:
    stated = network.read_weights().description
    network.check_version(stated)
    with pytest.raises(WeightsError, match="trained on features version 99"):
        network.check_version(replace(stated, features_version=99))
