"""Public French posts read and labelled for Vigie: tone, topics, political, acts, irony, services.

`posts/labels.csv` holds no text: a post is named by the file of the data folder that has it
and by `datasets.key`. 3,608 posts, each read once by one of eight readers who followed one
written guide; they did not agree among themselves beforehand and no second reading was made, so a
figure on them has their noise. Posts of a file that states no licence judge and never teach.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq

from models import datasets

_TONES = {"N": "negative", "Z": "neutral", "P": "positive"}
_UNSTATED = ("deft2017_team_tweets",)  # sources without a licence


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One labelled post. `aspects` maps a service to the tone towards it."""

    text: str
    file: str
    may_train: bool
    tone: str
    topics: tuple[str, ...]
    is_political: bool
    acts: tuple[str, ...]
    is_ironic: bool
    aspects: dict[str, str]


@cache
def _labels() -> dict[tuple[str, str], dict[str, str]]:
    path = files("models") / "posts" / "labels.csv"
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return {(row["file"], row["text_key"]): row for row in rows}


def posts(folder: Path) -> list[Post]:
    """The labelled posts whose texts a folder of data holds, each once, in the order of keys."""
    wanted = _labels()
    found: dict[tuple[str, str], Post] = {}
    for file in sorted({file for file, _ in wanted}):
        for text, source in _texts(folder / f"{file}.parquet"):
            own = (file, datasets.key(text))
            if own in wanted:
                found[own] = _post(text, wanted[own], may_train=source not in _UNSTATED)
    return [found[own] for own in sorted(found, key=lambda each: each[1])]


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    table = pq.read_table(path)
    return zip(table["text"].to_pylist(), table["source"].to_pylist(), strict=True)


def _post(text: str, row: dict[str, str], *, may_train: bool) -> Post:
    aspects = dict(each.split(":") for each in row["aspects"].split())
    return Post(
        text=text,
        file=row["file"],
        may_train=may_train,
        tone=_TONES[row["tone"]],
        topics=tuple(row["topics"].split()),
        is_political=row["political"] == "1",
        acts=tuple(row["acts"].split()),
        is_ironic=row["irony"] == "1",
        aspects={name: _TONES[tone] for name, tone in aspects.items()},
    )
