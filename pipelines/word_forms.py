"""Every inflected form of a French or English word, from spaCy's lemma tables.

The tables (`spacy-lookups-data`) go from a form to its lemma: regular words by rules and a list of
lemmas, irregular ones form by form. Here they are read backwards. What they list is taken as it
stands; what a rule makes counts only if spaCy's own lemmatizer leads it back to the word, and, but
for the regular French verbs, if some table knows it ("essentiel" has no "essentiele").

Cost: 4.4 s and 300 MB in a process that asks for a word never asked for before on this machine,
2 ms for each further one; what was found is kept in the account's cache folder, so that every task
of a run does not pay it again. Nothing in a process that asks for none, since spaCy is imported for
the first (`docs/queries.md`).
Known gaps: words younger than the tables; names; "bel" is no form of "beau" for them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from pipelines import words
from pipelines.aside import written_aside
from pipelines.query_tree import Inflected

LANGUAGES = ("fr", "en")
_PARTS = ("verb", "aux", "noun", "adj", "adv")
_TABLES = ("lemma_lookup", "lemma_rules", "lemma_exc", "lemma_index")
# "je ferme": spaCy's French rules have every other ending of the first group.
_MISSING_RULES: Mapping[str, tuple[tuple[str, str], ...]] = {"fr": (("e", "er"),), "en": ()}
_ONE_WORD = re.compile(r"[^\W\d_]{2,}(?:-[^\W\d_]+)*")
_ALIKE = 0.7  # how like a word is that is offered in place of one that has no forms


@dataclass(frozen=True, slots=True)
class _Language:
    """The tables of a language, and what they say read backwards."""

    lemmas: Mapping[str, frozenset[str]]  # part of speech: base forms
    regular: Mapping[str, frozenset[str]]  # those of them whose forms rules make
    rules: Mapping[str, list[tuple[str, str]]]  # part of speech: an ending, and the lemma's
    listed: Mapping[str, list[str]]  # lemma: forms that a table lists
    known: Collection[str]  # every form that stands in a table
    lemmatize: Callable[[str, str], list[str]]  # spaCy's, of a word and its part of speech
    is_french: bool


def of(word: str) -> Inflected | None:
    """The forms of a word, or of the words of which it is a form; none where no table knows it.

    A word without its accents (`ecole`) is looked for with them. Forms that stand in nearly every
    text, such as "dû" once its accent is folded, are left out unless the word itself does.
    """
    asked = unicodedata.normalize("NFC", word.lower())
    if found := _kept().get(asked):
        return found
    found = _found(asked)
    if found:
        _keep(asked, found)
    return found


def _found(asked: str) -> Inflected | None:
    spelt = (asked,) if _is_known(asked) else (*_accented(asked), asked)
    lemmas = next((found for found in map(_lemmas, spelt) if found), ())
    return _inflected(asked, lemmas) if lemmas else None


# --- what was found before


def _path() -> Path:
    """Where forms are kept: under a name that says by which tables and by which rules."""
    own = hashlib.blake2b(Path(__file__).read_bytes(), digest_size=6).hexdigest()
    name = f"forms-{version('spacy-lookups-data')}-{version('spacy')}-{own}.json"
    return platformdirs.user_cache_path("vigie") / name


@cache
def _kept() -> dict[str, Inflected]:
    """The forms that a process of this account has found; none where they cannot be read."""
    try:
        return msgspec.json.decode(_path().read_bytes(), type=dict[str, Inflected])
    except (OSError, msgspec.DecodeError):
        return {}


def _keep(asked: str, found: Inflected) -> None:
    """Remember forms, here and on the disk: of two processes at once the last one is kept."""
    _kept()[asked] = found
    with suppress(OSError), written_aside(_path()) as aside:
        aside.write_bytes(msgspec.json.encode(_kept()))


# --- what is looked for


def nearest(word: str) -> str | None:
    """The known lemma that is most like a word; none where none is much like it."""
    asked = words.fold(word)
    near = (lemma for lemma in _all_lemmas() if abs(len(lemma) - len(asked)) <= 2)
    folded = {words.fold(lemma): lemma for lemma in sorted(near)}
    alike = [each for each in folded if each[:1] == asked[:1]]
    found = get_close_matches(asked, alike, n=1, cutoff=_ALIKE)
    return folded[found[0]] if found else None


def _inflected(asked: str, lemmas: tuple[str, ...]) -> Inflected:
    forms = sorted({form for lemma in lemmas for form in _forms(lemma)})
    kept = [form for form in forms if not _is_everywhere(form)]
    if not kept or any(map(_is_common, lemmas)):
        kept = forms
    have_verb = any(lemma in _language("fr").lemmas["verb"] for lemma in lemmas)
    return Inflected(
        lemmas=lemmas,
        forms=tuple(kept),
        left_out=tuple(form for form in forms if form not in kept),
        shared=tuple(f for f in kept if have_verb and f not in lemmas and _codes(f)),
        also_of=_also_of(asked) if asked in lemmas else (),
    )


def _also_of(lemma: str) -> tuple[str, ...]:
    """Words of which a lemma is a form too; English ones only where it is no French lemma."""
    french = _led_back(lemma, ("fr",))
    return french if french or "fr" in _codes(lemma) else _led_back(lemma, ("en",))


def _is_everywhere(form: str) -> bool:
    token = words.fold(form)
    return len(token) == 1 or words.is_common(token)


def _is_common(lemma: str) -> bool:
    """Whether a word itself stands everywhere ("être"), not another that folds alike ("sûr")."""
    token = words.fold(lemma)
    return words.is_common(token) and (token == lemma or not _is_known(token))


def _lemmas(spelt: str) -> tuple[str, ...]:
    """The word itself if it is a lemma, else those of which it is a form: French before English."""
    if _codes(spelt):
        return (spelt,)
    return next((found for code in LANGUAGES if (found := _led_back(spelt, (code,)))), ())


def _led_back(spelt: str, codes: Iterable[str]) -> tuple[str, ...]:
    """The lemmas to which spaCy leads a form back in some languages."""
    found = dict.fromkeys(
        lemma
        for language in map(_language, codes)
        for part in _PARTS
        for lemma in language.lemmatize(spelt, part)
        if lemma != spelt and lemma in language.lemmas[part]
    )
    return tuple(found)


def _codes(word: str) -> tuple[str, ...]:
    """The languages of which a word is a lemma."""
    return tuple(c for c in LANGUAGES if any(word in ls for ls in _language(c).lemmas.values()))


def _is_known(word: str) -> bool:
    return any(word in _language(code).known for code in LANGUAGES)


@cache
def _all_lemmas() -> frozenset[str]:
    found = (_language(code).lemmas.values() for code in LANGUAGES)
    listed = (word for parts in found for lemmas in parts for word in lemmas)
    return frozenset(word for word in listed if _ONE_WORD.fullmatch(word))


def _accented(word: str) -> list[str]:
    """Words that differ from one in accents and ligatures alone: lemmas before other forms."""
    folded = words.fold(word)
    for listed in (_all_lemmas(), *(_language(code).known for code in LANGUAGES)):
        found = [w for w in listed if 0 <= len(folded) - len(w) <= 2 and words.fold(w) == folded]
        if found:
            return sorted(found)
    return []


# --- the forms of a lemma


def _forms(lemma: str) -> Iterator[str]:
    for language in map(_language, _codes(lemma)):
        yield lemma
        made = (form for part in language.rules for form in _regular(language, part, lemma))
        for form in (*language.listed.get(lemma, ()), *made):
            if _ONE_WORD.fullmatch(form):
                yield form


def _regular(language: _Language, part: str, lemma: str) -> Iterator[str]:
    """What the rules of a part of speech make of a lemma, as far as spaCy leads it back."""
    if lemma not in language.regular[part]:
        return
    is_sure = language.is_french and part == "verb"
    for ending, own in language.rules[part]:
        form = lemma.removesuffix(own) + ending
        is_form = lemma.endswith(own) and (is_sure or form in language.known)
        if is_form and lemma in language.lemmatize(form, part):
            yield form


# --- the tables


@cache
def _language(code: str) -> _Language:
    tables = _read(code)
    index, exceptions = tables["lemma_index"], tables["lemma_exc"]
    irregular = {part: frozenset(chain(*exceptions.get(part, {}).values())) for part in _PARTS}
    regular = {part: frozenset(index.get(part, ())) for part in _PARTS}
    return _Language(
        lemmas={part: regular[part] | irregular[part] for part in _PARTS},
        regular=regular,
        rules={p: [(a, b) for a, b in r] for p, r in tables["lemma_rules"].items() if p in _PARTS},
        listed=_backwards(tables),
        known=_known(tables),
        lemmatize=_lemmatizer(code, tables),
        is_french=code == "fr",
    )


def _read(code: str) -> dict[str, Any]:
    """spaCy's tables of a language, as `spacy-lookups-data` registers them."""
    from spacy.util import load_language_data, registry

    paths = registry.lookups.get(code)
    tables: dict[str, Any] = {name: load_language_data(paths[name]) for name in _TABLES}
    tables["lemma_rules"].setdefault("verb", []).extend(map(list, _MISSING_RULES[code]))
    # A list would be gone through for each form.
    tables["lemma_index"] = {part: frozenset(w) for part, w in tables["lemma_index"].items()}
    return tables


def _backwards(tables: Mapping[str, Any]) -> dict[str, list[str]]:
    """The forms that tables list, by lemma."""
    found: dict[str, list[str]] = {}
    exceptions = tables["lemma_exc"]
    for table in (*(exceptions.get(part, {}) for part in _PARTS), tables["lemma_lookup"]):
        for form, lemmas in table.items():
            for lemma in (lemmas,) if isinstance(lemmas, str) else lemmas:
                found.setdefault(lemma, []).append(form)
    return found


def _known(tables: Mapping[str, Any]) -> frozenset[str]:
    parts = (*tables["lemma_exc"].values(), *tables["lemma_index"].values())
    return frozenset(tables["lemma_lookup"]).union(*parts)


def _lemmatizer(code: str, tables: Mapping[str, Any]) -> Callable[[str, str], list[str]]:
    """spaCy's lemmatizer by rules, over these tables."""
    import spacy
    from spacy.lookups import Lookups
    from spacy.tokens import Doc

    language, lookups = spacy.blank(code), Lookups()
    for name, table in tables.items():
        lookups.add_table(name, table)
    lemmatizer: Any = language.add_pipe("lemmatizer", config={"mode": "rule"})
    lemmatizer.initialize(lookups=lookups)

    def lemmatize(word: str, part: str) -> list[str]:
        token = Doc(language.vocab, words=[word], pos=[part.upper()])[0]
        return list(lemmatizer.rule_lemmatize(token))

    return lemmatize
