"""How many texts a second are scored, all models together: `python tests/bench/bench_score.py`.

Texts are invented from a list of phrases, with a length as citizens' posts have (about 110
characters) and a vocabulary that does not fit in the processor's cache.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.taxonomy import taxonomy

SEED = 7


def texts(count: int) -> list[str]:
    """Posts made of two invented sentences and words of their own."""
    draw = random.Random(SEED)
    known = [text for topic in taxonomy() for text in topic.yes(lang="fr", use="dev")]
    known += [text for topic in taxonomy() for text in topic.yes(lang="en", use="dev")]
    return [f"{draw.choice(known)} rue{draw.randrange(10**5)} {draw.choice(known)[:40]}"
            for _ in range(count)]  # fmt: skip


def main() -> None:
    """Print texts a second and the peak of memory."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        pq.write_table(pa.table({"text": texts(count)}), source)
        begun = time.perf_counter()
        from pipelines.score import score_file

        imported = time.perf_counter()
        score_file(source, out)
        spent = time.perf_counter() - imported
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{count} texts in {spent:.1f} s: {count / spent:.0f} a second; "
        f"import {imported - begun:.2f} s; peak {peak:.0f} MB\n"
    )


if __name__ == "__main__":
    main()
