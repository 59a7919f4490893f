"""The labelled and unlabelled texts that training and evaluation read, with their licences.

The texts are no part of Vigie: a folder with these Parquet files is given to `models.train` and
`models.evaluate`. What is named here may teach a model that ships: permissive licences only.
Every row has a fold, 0 to 4, that follows from its letters, so that copies of a text in two sets
are never on both sides of a split.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.checkpoint import Training
from models.sentiment import LABELS

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of texts: its licence, how much each text weighs, whether it may train."""

    file: str
    licence: str
    weight: float = 1.0
    may_train: bool = True
    only_source: str | None = None
    limit: int | None = None
    languages: tuple[str, ...] = ("fr",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Texts of one language with their class (a place in `sentiment.LABELS`) and origin."""

    texts: list[str]
    classes: NDArray[np.int64]
    origins: list[str]
    weights: NDArray[np.float64]
    folds: NDArray[np.int64]


# Labelled tone, all of which may teach. These weights are those of languages with hashed words only
# (Arabic has several sets); what French and English sets weigh stands in `models.examples`.
SENTIMENT = (
    Source(file="sent_umsab", licence="Apache-2.0"),
    Source(file="sent_servicepublic_fr", licence="Licence Ouverte 2.0 (at source)"),
    Source(file="sent_allocine_fr", licence="MIT", only_source="allocine_films"),
    Source(file="sent_semeval2017_en", licence="MIT"),
    Source(file="sent_arsarcasm_ar", licence="MIT", weight=0.5),
    Source(file="sent_afrisenti_maghreb", licence="CC BY 4.0", weight=0.5),
    Source(file="sent_deft2017_fr", licence="CeCILL"),
)
TOXIFRENCH = "MIT; CC BY-SA (comments of Wikipedia, machine translated)"
# What word vectors are learnt from. Texts that state no licence stay out.
_OUVERTE = "Licence Ouverte (at source)"
PLAIN = (
    Source(file="unlab/informal_gd_contributions", licence=_OUVERTE),
    Source(file="unlab/informal_gd_reunions", licence=_OUVERTE),
    Source(file="unlab/informal_gd_cahiers", licence="MIT"),
    Source(file="unlab/informal_tatoeba", licence="CC BY 2.0"),
    Source(file="unlab/public_an_amendements", licence=_OUVERTE, limit=90_000),
    Source(file="unlab/public_an_debats", licence="CC0, Licence Ouverte (at source)"),
    Source(file="unlab/public_services", licence="Licence Ouverte, MIT, Apache-2.0"),
    Source(file="unlab/general_commonvoice", licence="CC0"),
    Source(file="unlab/general_theatre", licence="public domain"),
    Source(file="unlab/general_wikisource", licence="public domain"),
    Source(file="unlab/general_gutenberg", licence="public domain", limit=250_000),
    Source(file="unlab/general_eltec", licence="public domain", limit=40_000),
    Source(file="unlab_tweets_fr", licence="CeCILL", only_source="deft2017_test"),
    Source(file="sent_umsab", licence="Apache-2.0", languages=("fr", "en")),
    Source(file="sent_deft2017_fr", licence="CeCILL"),
    Source(file="sent_servicepublic_fr", licence="Licence Ouverte 2.0 (at source)"),
    Source(file="sent_allocine_fr", licence="MIT", only_source="allocine_films"),
    Source(file="abuse_ftr_fr", licence="MIT"),
    Source(file="abuse_toxifrench_fr", licence=TOXIFRENCH),
    Source(file="abuse_mlma", licence="MIT", languages=("fr", "en")),
    Source(file="abuse_davidson_en", licence="MIT", languages=("en",)),
    Source(file="sent_semeval2017_en", licence="MIT", languages=("en",)),
    Source(file="crisis_t26", licence="MIT", languages=("en",)),
    Source(file="crisis_t6_en", licence="MIT", languages=("en",)),
)
_LANG_OF = {"arq": "ar", "ary": "ar"}
_ARABIC = re.compile("[\u0600-\u06ff]")


def key(text: str) -> str:
    """16 hexadecimal digits that name a text and its copies: those of equal letters and digits."""
    return hashlib.sha256(_letters(text)).hexdigest()[:16]


def fold(text: str) -> int:
    """The fold of a text, the same in every set."""
    return zlib.crc32(_letters(text)) % FOLDS


def _letters(text: str) -> bytes:
    """Letters and digits of a text in lower case; all of a text that has none.

    Half of a broken emoji (a lone surrogate) is as good a sign as another.
    """
    own = "".join(filter(str.isalnum, text.lower())) or text
    return own.encode("utf-8", "surrogatepass")


def sentiment(folder: Path, *, lang: str, sources: Sequence[Source] = SENTIMENT) -> Labelled:
    """Labelled texts of a language from some sources, each text once."""
    seen: set[str] = set()
    rows: list[tuple[str, int, str, float]] = []
    for source in sources:
        for text, label in _labelled(folder, source, lang):
            if label in LABELS and (own := key(text)) not in seen:
                seen.add(own)
                rows.append((text, LABELS.index(label), source.file, source.weight))
    return labelled(rows)


def labelled(rows: Sequence[tuple[str, int, str, float]]) -> Labelled:
    """Rows of text, class, origin and weight as columns."""
    return Labelled(
        texts=[row[0] for row in rows],
        classes=np.array([row[1] for row in rows], np.int64),
        origins=[row[2] for row in rows],
        weights=np.array([row[3] for row in rows]),
        folds=np.array([fold(row[0]) for row in rows], np.int64),
    )


def _labelled(folder: Path, source: Source, lang: str) -> Iterator[tuple[str, str]]:
    table = pq.read_table(folder / f"{source.file}.parquet")
    columns = (table.column(name).to_pylist() for name in ("text", "label", "lang", "source"))
    for text, label, written, origin in zip(*columns, strict=True):
        if source.only_source in (None, origin) and _is_lang(text, written, lang):
            yield text, label


def _is_lang(text: str, written: str, lang: str) -> bool:
    """Whether a row is of `lang`; dialects of Arabic only in Arabic script."""
    if written in _LANG_OF:
        return _LANG_OF[written] == lang and bool(_ARABIC.search(text))
    return written == lang


def plain(folder: Path, source: Source, *, lang: str, seed: int) -> list[str]:
    """Texts of a source in a language, at most `limit` of them, drawn with `seed`."""
    table = pq.read_table(folder / f"{source.file}.parquet")
    if source.only_source:
        table = table.filter(pc.match_substring(table.column("source"), source.only_source))
    texts = table.column("text").to_pylist()
    if "lang" in table.column_names:
        langs = table.column("lang").to_pylist()
        texts = [text for text, own in zip(texts, langs, strict=True) if own == lang]
    if source.limit is None or len(texts) <= source.limit:
        return list(texts)
    places = np.random.default_rng(seed).choice(len(texts), source.limit, replace=False)
    return [texts[place] for place in np.sort(places)]


def plain_training(folder: Path) -> tuple[Training, ...]:
    """How many texts of each source teach word vectors, under which licence."""
    found = []
    for source in PLAIN:
        count = sum(len(plain(folder, source, lang=lang, seed=0)) for lang in source.languages)
        found.append(Training(name=f"{source.file} (plain)", rows=count, licence=source.licence))
    return tuple(found)
