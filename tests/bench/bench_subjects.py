"""How well the subjects that `vigie init` proposes tell an institution's posts from others:

    python -m tests.bench.bench_subjects [--errors]

Precision and recall on the labelled posts by institution and by kind of case: of the bare name, of
what init proposes with and without its words of context and its places. `--errors` prints each
post of the development half that is misjudged, with the places found in it.
"""

from __future__ import annotations

import argparse
import logging

from tests.pipelines.places.labelled import Score
from tests.pipelines.subjects_labelled import (
    VARIANTS,
    lines,
    scores,
    told,
    whole,
)


def quality(split: str) -> None:
    """Print precision and recall of one half, by institution and by kind."""
    judged = lines(split)
    for by in ("institution", "kind"):
        found = {name: scores(judged, variant, by) for name, variant in VARIANTS.items()}
        titles = "".join(f"{name:<20}" for name in found)
        print(f"\n{split}, {len(judged)} posts\n{by:<14}{'posts':>6}{'wanted':>8}  {titles}")
        for key in next(iter(found.values())):
            held = [line for line in judged if key in ("all", getattr(line, by))]
            wanted = sum(line.is_wanted for line in held)
            shown = "".join(f"{_shown(score[key]):<20}" for score in found.values())
            print(f"{key:<14}{len(held):>6}{wanted:>8}  {shown}")


def _shown(score: Score) -> str:
    precision = f"P {score.precision:.3f}" if score.right + score.wrong else "P  none"
    recall = f"R {score.recall:.3f}" if score.right + score.missed else "R  none"
    return f"{precision} {recall}"


def errors() -> None:
    """Print what is misjudged of the development half."""
    for line, is_found in told(lines("dev"), whole):
        if is_found != line.is_wanted:
            codes = ", ".join(whole(line.institution).finder.find([line.text])[0])
            sign = "+" if is_found else "-"
            print(f"{sign} [{line.institution}, {line.kind}] {line.text}  {codes}")


def main() -> None:
    """Print all of it."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true")
    if parser.parse_args().errors:
        errors()
        return
    quality("dev")
    quality("held_out")


if __name__ == "__main__":
    main()
