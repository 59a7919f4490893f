"""How well and how fast places are found:

    python -m tests.bench.bench_places [--rows 100000] [--errors]

Precision and recall on the labelled sentences by kind of case, with and without words of context;
then mentions a second on one core and the memory that it takes. Mentions are invented: a labelled
sentence with words of a large vocabulary around it, about 240 characters. `--errors` prints each
sentence of the development half that is misread, with its marks.
"""

from __future__ import annotations

import argparse
import random
import resource
import time

from pipelines.places import finder, gazetteer
from tests.pipelines.places.labelled import Line, Score, by_kind, finder_of, lines, told


def quality(split: str) -> None:
    """Print precision and recall of one half, with and without context."""
    judged = lines(split)
    count = {kind: sum(line.kind == kind for line in judged) for kind in by_kind(judged)}
    count["all"] = len(judged)
    bare = by_kind(judged, has_context=False)
    print(f"\n{split}: {len(judged)} sentences")
    print(f"{'kind':<16}{'sentences':>9}{'places':>8}  {'with context':<22}without")
    for kind, score in by_kind(judged).items():
        due = score.right + score.missed
        print(f"{kind:<16}{count[kind]:>9}{due:>8}  {_shown(score):<22}{_shown(bare[kind])}")


def _shown(score: Score) -> str:
    return f"P {score.precision:.3f}  R {score.recall:.3f}"


def errors() -> None:
    """Print what is misread of the development half, and why."""
    for line in lines("dev"):
        found = told(line)
        if found != line.codes:
            print(f"\n[{line.kind}] {line.text}\n  {_names(line.codes)} read as {_names(found)}")
            _print_marks(line)


def _print_marks(line: Line) -> None:
    for name in finder_of(line.territory).explain(line.text, is_about=line.is_about):
        print(f"    {name.words}: {name.score:+.1f} {name.code}: {', '.join(name.why)}")


def _names(codes: frozenset[str]) -> str:
    return ", ".join(f"{gazetteer.place(code).name} ({code})" for code in sorted(codes)) or "none"


def mentions(count: int) -> list[str]:
    """Invented mentions, the same each time."""
    draw = random.Random(7)
    words = ["".join(draw.choices("aeioulnrstm", k=draw.randint(3, 9))) for _ in range(20_000)]
    said = [line.text for line in lines()]
    return [
        f"{' '.join(draw.choices(words, k=14))}. {draw.choice(said)} "
        f"{' '.join(draw.choices(words, k=13))}."
        for _ in range(count)
    ]


def speed(count: int) -> None:
    """Print mentions a second (processor time, one core) and the memory of the process."""
    began = time.process_time()
    made = finder(("commune:37261",))
    print(f"\nfinder made in {time.process_time() - began:.1f} s of processor")
    texts = mentions(count)
    made.find(texts[:1_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    found = made.find(texts)
    took = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(map(len, texts)) / count
    print(f"{count} mentions of {size:.0f} characters, {sum(map(bool, found))} with a place")
    print(f"{count / took:,.0f} mentions/s, {took / count * 1e6:.0f} µs a mention, {took:.1f} s")
    print(f"memory at most {after:.0f} MB, {after - before:.0f} MB of them for this call")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--errors", action="store_true")
    asked = parser.parse_args()
    if asked.errors:
        errors()
        return
    quality("dev")
    quality("held_out")
    speed(asked.rows)


if __name__ == "__main__":
    main()
