"""A batch of texts read once for all embedded models: by language, features and terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from models import features, taxonomy, terms
from models.text import prepare
from models.tokens import Places, batches


@dataclass(frozen=True, slots=True)
class Read:
    """Texts of one language: hashed features `(n, 2**BITS)`, term weights `(n, topics)`."""

    features: csr_matrix
    hits: NDArray[np.float32]


def read(texts: Sequence[str], *, lang: str | None) -> Read:
    """What the models see of texts that are all of one language."""
    return read_prepared(prepare(texts, lang=lang), lang=lang)


def read_prepared(prepared: Sequence[str], *, lang: str | None) -> Read:
    """As `read`, from texts that `prepare` has made. Only `taxonomy.LANGUAGES` have terms."""
    count = len(taxonomy.taxonomy())
    rows = [csr_matrix((0, 1 << features.BITS), dtype=np.float32)]
    hits = [np.zeros((0, count), np.float32)]
    for batch in batches(prepared):
        rows.append(features.matrix(batch))
        found = terms.find(batch, lang=lang) if lang in taxonomy.LANGUAGES else []
        hits.append(terms.weights(batch, found, count=count))
    return Read(vstack(rows, format="csr"), np.vstack(hits))


class Batch:
    """Texts and their languages, read at first use and only once, whoever asks."""

    def __init__(self, texts: Sequence[str], langs: Sequence[str | None]) -> None:
        if len(texts) != len(langs):
            raise ValueError(f"{len(texts)} texts with {len(langs)} languages")
        self.texts = texts
        self.langs = langs

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
