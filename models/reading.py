"""A batch of texts read once for all embedded models: by language, each kind of reading at need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from models import features, heads, lexicons, network, terms
from models.hashing import Places
from models.network import Views
from models.text import prepare
from models.tokens import Tokens, batches
from models.vectors import Found

Floats = NDArray[np.float32]


class Read:
    """Texts of one language, prepared and cut into words; what each model needs is made once."""

    def __init__(self, prepared: Sequence[str], *, lang: str | None) -> None:
        self.lang = lang
        self.count = len(prepared)
        self.pieces: list[Tokens] = list(batches(prepared))

    @cached_property
    def features(self) -> csr_matrix:
        """Hashed words and characters `(n, 2**BITS)`."""
        rows = [csr_matrix((0, 1 << features.BITS), dtype=np.float32)]
        return vstack([*rows, *map(features.matrix, self.pieces)], format="csr")

    @cached_property
    def hits(self) -> Floats:
        """Weights of terms `(n, labels of lexicons)`."""
        found = [np.zeros((0, len(lexicons.labels())), np.float32)]
        lang = self.lang or ""
        found += [terms.weights(piece, terms.find(piece, lang=lang)) for piece in self.pieces]
        return np.vstack(found)

    @cached_property
    def views(self) -> Views:
        """What the shared network makes of each text."""
        return network.views(self.pieces, self.words)

    @cached_property
    def words(self) -> list[Found]:
        """Where the words of each piece stand among the network's."""
        return network.find(self.pieces)

    @cached_property
    def chances(self) -> Floats:
        """The probability of every label of `heads.wanted()`; NaN for an empty text."""
        own = heads.load(self.lang or "fr").chances(self.views, self.hits)
        return np.where(self.is_empty[:, None], np.nan, own).astype(np.float32)

    @cached_property
    def is_empty(self) -> NDArray[np.bool_]:
        """Which texts have no word and no sign."""
        sizes = [np.bincount(p.row[p.is_read], minlength=p.count) for p in self.pieces]
        return np.asarray(np.concatenate([np.zeros(0, np.int64), *sizes]) == 0)


def read(texts: Sequence[str], *, lang: str | None) -> Read:
    """What the models see of texts that are all of one language."""
    return Read(prepare(texts, lang=lang), lang=lang)


class Batch:
    """Texts and their languages, read at first use and only once, whoever asks."""

    def __init__(self, texts: Sequence[str], langs: Sequence[str | None]) -> None:
        if len(texts) != len(langs):
            raise ValueError(f"{len(texts)} texts with {len(langs)} languages")
        self.texts = texts
        self.langs = [lang or None for lang in langs]

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def by_lang(self) -> dict[str | None, tuple[Places, Read]]:
        """For each language present, the places of its texts and what was read of them."""
        places: dict[str | None, list[int]] = defaultdict(list)
        for place, lang in enumerate(self.langs):
            places[lang].append(place)
        return {
            # A text of unknown language is most often a short French one.
            lang: (np.array(own), read([self.texts[i] for i in own], lang=lang or "fr"))
            for lang, own in places.items()
        }

    @cached_property
    def chances(self) -> Floats:
        """The probability of every label of `heads.wanted()`; NaN in a language without heads."""
        found = np.full((len(self), len(heads.wanted())), np.nan, np.float32)
        for lang, (places, own) in self.by_lang.items():
            if (lang or "fr") in network.LANGUAGES:
                found[places] = own.chances
                if lang is None:  # only an alarm is looked for in what may be another language
                    found[np.ix_(places, np.arange(heads.topic_count(), found.shape[1]))] = np.nan
        return found

    @cached_property
    def hits(self) -> Floats:
        """Weights of terms `(n, labels of lexicons)`; zeros in a language without terms."""
        found = np.zeros((len(self), len(lexicons.labels())), np.float32)
        for lang, (places, own) in self.by_lang.items():
            if (lang or "fr") in network.LANGUAGES:
                found[places] = own.hits
        return found
