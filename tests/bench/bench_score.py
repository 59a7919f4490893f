"""How many texts a second are scored: `python -m tests.bench.bench_score [COUNT]`.

All heads on every core, then on one core, in processes of their own whose peak memory is read;
beside them, in the same run, peers for a single head: scikit-learn's TF-IDF of words and
characters with logistic regression, and spaCy's bag of words. Texts are invented from a list of
phrases, with a length as citizens' posts have (about 110 characters) and a vocabulary that does
not fit in the processor's cache. The language is detected, as it is of most files.
"""

from __future__ import annotations

import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.hub.running import processors
from models.taxonomy import taxonomy

SEED = 7
PEER_TEXTS = 20_000
# The peak that Linux keeps of a process counts what its parent had when it was started; that of
# /proc begins anew with each program. Workers are looked at while they run.
_RUN = """
import sys, threading, time
begun = time.perf_counter()
from pathlib import Path
from pipelines.score import score_file
peaks = {}
def peak(task):
    lines = (task / "status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
def watch():
    while True:
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in child.read_text().split():
                try:
                    peaks[pid] = peak(Path("/proc") / pid)
                except (OSError, StopIteration):
                    pass
        time.sleep(0.1)
threading.Thread(target=watch, daemon=True).start()
score_file(Path(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3]))
print(time.perf_counter() - begun, peak(Path("/proc/self")), max(peaks.values(), default=0.0))
"""


def texts(count: int) -> list[str]:
    """Posts made of two invented sentences and a word of their own, one in five in English."""
    draw = random.Random(SEED)
    known = {
        lang: [text for topic in taxonomy() for text in topic.yes(lang=lang, use="dev")]
        for lang in ("fr", "en")
    }
    made = []
    for place in range(count):
        own = known["en" if place % 5 == 0 else "fr"]
        made.append(f"{draw.choice(own)} rue{draw.randrange(10**5)} {draw.choice(own)[:40]}")
    return made


def timed(source: Path, out: Path, workers: int) -> tuple[float, float, float]:
    """Seconds from start to end, peak MB of the process, of its largest child."""
    words = [sys.executable, "-c", _RUN, str(source), str(out), str(workers)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, own, child = map(float, done.stdout.split())
    return seconds, own, child


def scikit(read: list[str]) -> float:
    """Texts a second of one head of scikit-learn on one core."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    )
    model = make_pipeline(union, LogisticRegression(max_iter=20, tol=1e-2))
    model.fit(read[:2_000], [len(text) % 3 for text in read[:2_000]])
    begun = time.perf_counter()
    model.predict_proba(read)
    return len(read) / (time.perf_counter() - begun)


def spacy_bag(read: list[str]) -> float:
    """Texts a second of one head of spaCy, a bag of words, on one core."""
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("fr")
    architecture = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True}
    head = nlp.add_pipe(
        "textcat", config={"model": {**architecture, "ngram_size": 2, "no_output_layer": False}}
    )
    for label in ("a", "b", "c"):
        head.add_label(label)  # type: ignore[attr-defined]
    some = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"abc"[i % 3]: 1.0}})
        for i, text in enumerate(read[:500])
    ]
    nlp.initialize(lambda: some)
    begun = time.perf_counter()
    for _ in nlp.pipe(read, batch_size=1_000):
        pass
    return len(read) / (time.perf_counter() - begun)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    cores = processors()
    made = texts(count)
    print(f"{count} texts, {cores} cores, {platform.processor() or platform.machine()}")
    print(f"{'what':44} {'texts/s':>9} {'of peer':>8} {'peak MB':>22}")
    other = scikit(made[:PEER_TEXTS])
    print(f"{'scikit-learn, one head, one core':44} {other:9.0f} {1:8.1f}")
    bag = spacy_bag(made[:PEER_TEXTS])
    print(f"{'spaCy, one head (bag of words), one core':44} {bag:9.0f} {bag / other:8.1f}")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        pq.write_table(pa.table({"text": made}), source, row_group_size=20_000)
        for workers in sorted({cores, 1}, reverse=True):
            seconds, own, child = timed(source, out, workers)
            name = f"Vigie, all heads, {workers} process{'es' if workers > 1 else ''}"
            rate = count / seconds
            print(f"{name:44} {rate:9.0f} {rate / other:8.1f} {own:10.0f} + {child:.0f} each")
        pq.write_table(pa.table({"text": made[:1]}), source)
        seconds, *_ = timed(source, out, 1)
        print(f"first score, from the start of Python's imports: {seconds:.2f} s")


if __name__ == "__main__":
    main()
