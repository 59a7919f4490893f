"""Near-copies of 100,000 texts, ordinary and made to hurt: seconds, and how they grow.

python -m tests.bench.bench_copies
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from pipelines import copies

COUNT = 100_000
DICE = random.Random(1)
WORDS = [f"mot{n}" for n in range(5_000)]
CLAIM = "l'eau du quartier des Tilleuls est contaminée depuis ce matin selon un agent"


def _some(count: int) -> str:
    return " ".join(DICE.choice(WORDS) for _ in range(count))


def _mixed() -> list[str]:
    own = [_some(DICE.randint(8, 40)) for _ in range(COUNT // 5)]
    return [*own, *(f"{DICE.choice(own)} {_some(1)}" for _ in range(COUNT - len(own)))]


def _both_sides() -> list[str]:
    denial = CLAIM.replace("est contaminée", "n'est pas contaminée")
    return [f"{(CLAIM, denial)[n % 2]} {_some(1)}" for n in range(COUNT)]


CASES: dict[str, Callable[[], list[str]]] = {
    "20,000 texts and near-copies of them": _mixed,
    "a claim and its denial, each with another last word": _both_sides,
    "one claim, three words of each its own": lambda: [f"{CLAIM} {_some(3)}" for _ in range(COUNT)],
    "half of each in common: no copies, full buckets": lambda: [
        f"{CLAIM} {_some(14)}" for _ in range(COUNT)
    ],
    "one text": lambda: [CLAIM] * COUNT,
    "one letter up to 400 times": lambda: ["a " * DICE.randint(1, 400) for _ in range(COUNT)],
}


def main() -> None:
    """One line a case: texts, seconds of processor for a quarter and for all, groups."""
    for name, make in CASES.items():
        texts = make()
        spent = []
        for count in (COUNT // 4, COUNT):
            started = time.process_time()
            found = copies.groups(texts[:count])
            spent.append(time.process_time() - started)
        print(f"{name}: {spent[0]:.1f} s, {spent[1]:.1f} s, {len(found)} groups")


if __name__ == "__main__":
    main()
