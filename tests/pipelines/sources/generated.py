"""Answers made at random from a shape: as documented, and as nobody has promised they are not.

A shape is the example of an answer: its types are kept, its values are not. Of each value a
fifth is odd: null, missing, of another type, extreme; and fields that nobody knows come along.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines import http

ODD: tuple[Any, ...] = (
    None, "", " ", 0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**70), 1e308, -1e308,
    float("nan"), float("inf"), True, False, [], {}, [None], {"a": None}, [[]], "null", "\x00",
    "\ud800", "é" * 5000, "<p><b>", "javascript:alert(1)", "https://[", "9999-12-31T23:59:59-23:59",
    "0000-00-00", "1970-01-01T00:00:00Z", "=cmd|' /C calc'!A0", "{{7*7}}", "\u202e\u200b",
)  # fmt: skip
WORDS = ("Valmont", "la piscine", "est fermée", "depuis lundi", "merci", "à l’accueil", "3e étage")


def answers(shape: Any, *, count: int = 300, seed: int = 20261120) -> Iterator[Any]:
    """So many answers of a shape; the first as documented, the others more or less odd."""
    dice = random.Random(seed)
    for number in range(count):
        yield _made(shape, dice, oddness=0.2 * number / count)


def _made(shape: Any, dice: random.Random, *, oddness: float) -> Any:
    if dice.random() < oddness:
        return dice.choice(ODD)
    if isinstance(shape, dict):
        kept = {k: v for k, v in shape.items() if dice.random() >= oddness}
        made = {key: _made(value, dice, oddness=oddness) for key, value in kept.items()}
        if dice.random() < oddness:
            made[f"unknown_{dice.randrange(9)}"] = dice.choice(ODD)
        return made
    if isinstance(shape, list):
        items = shape * dice.randrange(4) if dice.random() < 0.3 else shape
        return [_made(item, dice, oddness=oddness) for item in items]
    return _value(shape, dice)


def _value(example: Any, dice: random.Random) -> Any:
    if isinstance(example, bool):
        return example if dice.random() < 0.95 else not example
    if isinstance(example, int):
        return example if dice.random() < 0.9 else dice.randrange(1, 10**9)
    if isinstance(example, float):
        return dice.uniform(-5, 500)
    if isinstance(example, str):
        return _text(example, dice)
    return example


def _text(example: str, dice: random.Random) -> str:
    try:
        datetime.fromisoformat(example)
    except ValueError:
        return dice.choice((example, " ".join(dice.choices(WORDS, k=8))))
    moved = datetime(2026, 11, 20, 8, tzinfo=UTC) + timedelta(seconds=dice.randrange(3600))
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answered(value: Any) -> Any:
    """A value as the client hands it over after it has gone through JSON."""
    body = json.dumps(value).encode()
    return http.Response(status=200, url="https://x.example", headers={}, content=body).json()
