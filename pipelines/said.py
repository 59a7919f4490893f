"""Sentences of ours that another language can tell: an English text that knows how it was made.

    say("nothing stands after {sign}", sign="AND")

is a `str`, its English, so that a log, a test or whoever asks no further needs nothing more;
`.told("fr")` is the same in French, from `templates/said.fr.toml`, whose keys are the English
templates. What is not there is told in English; a test holds the file complete. A function that
takes a `Said` cannot be given a text that no language knows: mypy refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from functools import cache
from types import MappingProxyType
from typing import LiteralString

_NONE: Mapping[str, object] = MappingProxyType({})


class Said(str):
    """A sentence in English; `Said(name)` is a name or a number, the same in every language.

    `templates` are the English ones: one, or the singular and the plural, which `values["n"]`
    chooses between. Values that are Said, or errors of ours, are told in the same language.
    """

    templates: tuple[str, ...] = ()
    values: Mapping[str, object] = _NONE

    def told(self, locale: str) -> str:
        """The sentence in a language; in English where that language lacks it."""
        if not self.templates or locale == "en":
            return str(self)
        template = self.templates[_form(locale, self.values) if len(self.templates) > 1 else 0]
        values = {name: _told(value, locale) for name, value in self.values.items()}
        return _catalogue(locale).get(template, template).format(**values)


NOTHING = Said()


def say(template: LiteralString, **values: object) -> Said:
    """A sentence with its values in their places: `{name}`, in the template of every language."""
    return _made((template,), dict(values), 0)


def some(one: LiteralString, several: LiteralString, *, n: int, **values: object) -> Said:
    """A sentence of a number `n`: the first template is for one, the second for none and more."""
    told = {"n": n, **values}
    return _made((one, several), told, _form("en", told))


def _made(templates: tuple[str, ...], values: dict[str, object], form: int) -> Said:
    made = Said(templates[form].format(**values))
    made.templates, made.values = templates, values
    return made


def _form(locale: str, values: Mapping[str, object]) -> int:
    """0 for the singular, 1 for the plural: none is singular in French and plural in English."""
    n = values["n"]
    return int(n not in ((0, 1) if locale == "fr" else (1,)))


def _told(value: object, locale: str) -> object:
    told = getattr(value, "told", None)  # another sentence, or an error of ours
    return told(locale) if told else value


@cache
def _catalogue(locale: str) -> Mapping[str, str]:
    """English template -> the same in a language; empty for a language that has no file."""
    from pipelines import wording  # CLDR takes a tenth of a second, and English needs none

    if locale not in wording.LOCALES:
        return {}
    parts = wording.words(locale, UTC, name="said").texts.values()
    return {template: text for part in parts for template, text in part.items()}
