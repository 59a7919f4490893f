"""Short phrases of plain tone (`models/tone/*.toml`), written for this project.

They teach the words that citizens use of a public service and that the labelled sets lack, each
as one training text of low weight.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

from models.sentiment import LABELS

WEIGHT = 0.5


def phrases(lang: str) -> list[tuple[str, int]]:
    """Phrases of a language with their class; none when it has no file."""
    path = files("models") / "tone" / f"{lang}.toml"
    if not path.is_file():
        return []
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    return [(text, place) for place, label in enumerate(LABELS) for text in read[label]]
