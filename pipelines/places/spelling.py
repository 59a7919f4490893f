"""Words as names are compared: without accents, case or marks, `St` as `saint`.

Two ways that agree (a test holds it): `folded_words` for a name, whole arrays for texts.
"""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
LIGATURES = {"œ": "oe", "æ": "ae", "Œ": "Oe", "Æ": "Ae"}
SAME = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes", "lez": "les"}


def folded_words(text: str) -> list[str]:
    """The words of a name, folded: `St-Étienne-lès-Rémy` is saint, etienne, les, remy."""
    for ligature, spelt in LIGATURES.items():
        text = text.replace(ligature, spelt)
    return [SAME.get(word, word) for word in _WORD.findall(_bare(text))]


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFD", char)[0] for char in text.lower())
