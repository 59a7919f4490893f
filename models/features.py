"""Tokens as a sparse matrix of hashed word and character n-grams.

What counts as a feature of a text:

- words, pairs of neighbours, and `!`, `?`, emoji, marks as words;
- each word up to three places after a negation, hashed apart ("pas vraiment utile");
- the 3 to 5 characters of each word with its edges, without accents, for inflection and
  misspelling.

Values are 1/√n of the n features of their kind in the text, so a long text weighs as a short
one. A feature that occurs twice stands twice in its row: sums are the same for a linear model.

Cost: about 10 microseconds a text of 100 characters. Buckets collide: at 2^18 about one feature
in ten of a French corpus shares its bucket with a more frequent one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.hashing import Hashes, Marks, Places, word_hash
from models.tokens import WORD, Tokens

VERSION = 3  # rises when the same text would give other features: older weights are then refused
BITS = 18
CHAR_SIZES = (3, 4, 5)
NEGATION_REACH = 3

_MIXER = 0xD6E8FEB86659FD93
_PAIR, _NEGATED, _CHARS = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3
_NEGATIONS = """
    ne n' pas plus jamais rien aucun aucune sans ni non guère pa not no never without don't can't
    cannot won't isn't doesn't didn't wasn't aren't n't nicht kein keine keinen nie niemals ohne
    nada nunca jamás sin tampoco ningún ninguna non mai niente senza nessuno nessuna não nem
    jamais sem nenhum nenhuma لا ليس لم لن ما مش
    """

Group = tuple[Places, Hashes]  # row of each feature, in order, and its hash


@cache
def _negation_hashes() -> Hashes:
    return np.array(sorted({word_hash(word) for word in _NEGATIONS.split()}), np.uint64)


def matrix(tokens: Tokens) -> csr_matrix:
    """Hashed features of a batch: `(n, 2**BITS)` float32, a row a text, empty without a word.

    Column numbers repeat within a row.
    """
    return _assembled([list(_word_groups(tokens)), list(_char_groups(tokens))], tokens.count)


def _word_groups(tokens: Tokens) -> Iterator[Group]:
    """Words, pairs of neighbours, and words under a negation."""
    row, is_read = tokens.row, tokens.is_read
    hashes = tokens.hashes
    yield row[is_read], hashes[is_read]
    is_pair = tokens.follows & is_read[1:] & is_read[:-1]
    pairs = hashes[:-1] * np.uint64(_MIXER) + hashes[1:]
    yield row[1:][is_pair], pairs[is_pair] ^ np.uint64(_PAIR)
    is_negated = _under_negation(np.isin(hashes, _negation_hashes()), tokens)
    yield row[is_negated], hashes[is_negated] ^ np.uint64(_NEGATED)


def _under_negation(negates: Marks, tokens: Tokens) -> Marks:
    """Which tokens stand within reach of a negation, in the same clause of the same text."""
    found = np.zeros_like(negates)
    reaching = negates
    for _ in range(NEGATION_REACH):
        moved = np.zeros_like(negates)
        moved[1:] = reaching[:-1] & tokens.follows & tokens.is_read[1:]
        reaching = moved
        found |= reaching
    return found & ~negates


def _char_groups(tokens: Tokens) -> Iterator[Group]:
    """Runs of characters inside one word, the space at its edges included."""
    is_inside = tokens.classes == WORD
    outside = np.concatenate([[0], np.cumsum(~is_inside)])
    for size in CHAR_SIZES:
        count = max(len(is_inside) - size + 1, 0)
        inner = outside[size - 1 : size - 1 + count] - outside[1 : 1 + count]
        starts = np.flatnonzero(inner == 0)
        hashes = tokens.bare_words.hashes(starts, starts + size)
        yield tokens.rows[starts + 1], hashes ^ np.uint64(_CHARS)


def _assembled(kinds: list[list[Group]], count: int) -> csr_matrix:
    """The groups of each kind as one matrix whose kinds are scaled each by 1/√n."""
    sizes = [[np.bincount(row, minlength=count) for row, _ in groups] for groups in kinds]
    filled = np.sum([size for kind in sizes for size in kind], axis=0)
    indptr = np.concatenate([[0], np.cumsum(filled)])
    indices = np.empty(indptr[-1], np.int32)
    data = np.empty(indptr[-1], np.float32)
    free = indptr[:-1].copy()
    for groups, kind in zip(kinds, sizes, strict=True):
        weight = 1.0 / np.sqrt(np.maximum(np.sum(kind, axis=0), 1), dtype=np.float32)
        for (row, hashes), size in zip(groups, kind, strict=True):
            shift = free - (np.cumsum(size) - size)
            places = np.arange(len(row)) + shift[row]
            indices[places] = _buckets(hashes)
            data[places] = weight[row]
            free += size
    return csr_matrix((data, indices, indptr), shape=(count, 1 << BITS))


def _buckets(hashes: Hashes) -> NDArray[np.int32]:
    mixed = (hashes ^ (hashes >> np.uint64(32))) * np.uint64(_MIXER)
    return (mixed >> np.uint64(64 - BITS)).astype(np.int32)
