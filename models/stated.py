"""The language of each text as a file states it, or as it is found where the file states none.

People write `fr`, `FR`, `fr-FR`, `fra`, `French`, `français`: what has one sure meaning is read as
its code. Codes and names are those of Unicode CLDR, in French, in English and in the seven
languages themselves, as Babel ships them. Costs a tenth of a second at the first other value.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from babel import Locale
from babel.core import get_global

from models import language

_UNSTATED = ("", "und")  # `und` is the code of an undetermined language
_TAG = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{1,8})*")  # RFC 5646, with `_` as programs write it
_NO_CODE = ("nan",)  # Min Nan to CLDR, and in a table of Python a cell without a value


@dataclass(frozen=True, slots=True)
class Langs:
    """The code of each text, None where none is stated or found; and the values, with how many
    rows have each, that name no language: such a row keeps its value, which no model reads.
    """

    codes: list[str | None]
    unknown: Counter[str]


def langs(texts: Sequence[str], stated: Sequence[object]) -> Langs:
    """The language of each text as stated, found where nothing is."""
    said = ["" if value is None else str(value).strip() for value in stated]
    codes = {value: code(value) for value in {*said} if value.lower() not in _UNSTATED}
    found: list[str | None] = [codes.get(value) or value.lower() for value in said]
    blank = [place for place, value in enumerate(said) if value.lower() in _UNSTATED]
    for place, lang in zip(blank, language.detect([texts[i] for i in blank]), strict=True):
        found[place] = lang
    unknown = (value for value in said if codes.get(value, "") is None)
    return Langs(found, Counter(unknown))


def code(stated: str) -> str | None:
    """The code of a language, two letters where it has them; None for what names none."""
    if stated in language.LANGUAGES:  # most often; the tables of names cost a tenth of a second
        return stated
    value = plain(stated)
    tag = _TAG.fullmatch(value)
    if tag and (short := _codes().get(tag[1])):
        return short
    return _names().get(value)


def plain(word: str) -> str:
    """A word for comparison: lower case, no accents, no space around it."""
    letters = unicodedata.normalize("NFD", word.strip().casefold())
    return "".join(char for char in letters if not unicodedata.combining(char))


@cache
def _codes() -> dict[str, str]:
    """Each code of a language, with the shortest that means the same: `fra` is `fr`."""
    own = {each: each for each in map(str, Locale("en").languages) if "_" not in each}
    others = {old: str(new).split("_")[0] for old, new in get_global("language_aliases").items()}
    known = own | {old: new for old, new in others.items() if "_" not in old}
    return {old: new for old, new in known.items() if old not in (*_UNSTATED, *_NO_CODE)}


@cache
def _names() -> dict[str, str]:
    """Each name of a language without accents, and its code."""
    named = [
        (plain(name), str(each))
        for spoken in language.LANGUAGES
        for each, name in Locale(spoken).languages.items()
        if spoken in ("fr", "en") or each == spoken
    ]
    return {name: _codes()[each] for name, each in named if each in _codes()}
