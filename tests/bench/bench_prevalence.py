"""How far from the true share of negatives each way of counting is.

    python -m tests.bench.bench_prevalence [days a cell]

Invented days of a model that is right of seven texts in ten, learnt on 38 % of negatives; M comes
from 300 unseen texts a class. Four worlds: well calibrated; boasting (temperature 0.7); texts of
the day harder than the unseen ones; both. Prints the mean absolute error in points, over true
shares of 5, 10, 20, 40, 60 and 80 %, and how often the interval of 95 % holds the truth.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import prevalence

Floats = NDArray[Any]
CENTRES = np.array([[-1.25, 0.0], [0.0, 0.95], [1.25, 0.0]])
PRIOR = np.array([0.38, 0.40, 0.22])
WORLDS = {  # temperature that the model lacks, spread of the texts of the day
    "calibrated": (1.0, 1.0),
    "boasting": (0.7, 1.0),
    "harder": (1.0, 1.25),
    "both": (0.7, 1.25),
}
SHARES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
COUNTS = (30, 100, 300, 1000, 2000)
WAYS = ("count", "clear", "mean", "pacc", "em")


def scored(
    classes: NDArray[Any], dice: np.random.Generator, *, heat: float, spread: float = 1.0
) -> Floats:
    """What the model says of texts of these classes."""
    seen = CENTRES[classes] + spread * dice.normal(size=(len(classes), 2))
    logits = -((seen[:, None] - CENTRES) ** 2).sum(axis=2) / 2 + np.log(PRIOR)
    raised = np.exp((logits - logits.max(axis=1, keepdims=True)) / heat)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def em(chances: Floats) -> float:
    """The share by the EM of Saerens, Latinne and Decaestecker (2002)."""
    shares = PRIOR.copy()
    for _ in range(200):
        weighed = chances * (shares / PRIOR)
        fresh = (weighed / weighed.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(fresh - shares).max() < 1e-6:
            break
        shares = fresh
    return float(shares[0])


def errors(
    negative: float, count: int, dice: np.random.Generator, *, heat: float, spread: float
) -> list[float]:
    """The error of each of WAYS on one day, then whether the interval holds."""
    unseen = np.repeat(np.arange(3), 300)
    known = prevalence.confusion(prevalence.measured(scored(unseen, dice, heat=heat), unseen))
    truth = np.array([negative, (1 - negative) * 0.65, (1 - negative) * 0.35])
    chances = scored(dice.choice(3, size=count, p=truth), dice, heat=heat, spread=spread)
    labels, is_clear = chances.argmax(axis=1), chances.max(axis=1) >= 0.42
    found = prevalence.estimate([(prevalence.moments(chances), known)])
    assert found is not None
    said = (
        float((labels == 0).mean()),
        float((labels[is_clear] == 0).mean()) if is_clear.any() else 0.0,
        float(chances[:, 0].mean()),
        found.share[0],
        em(chances),
    )
    return [*(abs(each - negative) for each in said), found.low[0] <= negative <= found.high[0]]


def main() -> None:
    """Print one table a world."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    dice = np.random.default_rng(7)
    for world, (heat, spread) in WORLDS.items():
        print(f"\n{world:>12}  " + "".join(f"{way:>8}" for way in (*WAYS, "held %")))
        for count in COUNTS:
            by_share = [
                np.mean(
                    [errors(s, count, dice, heat=heat, spread=spread) for _ in range(repeats)],
                    axis=0,
                )
                for s in SHARES
            ]
            line = 100 * np.mean(by_share, axis=0)
            print(f"{count:>12}  " + "".join(f"{value:>8.1f}" for value in line))
        worst = 100 * np.array(by_share)[:, 3]
        print("  pacc by share at 2000: " + " ".join(f"{value:.1f}" for value in worst))


if __name__ == "__main__":
    main()
