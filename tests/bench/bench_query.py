"""How fast 2,000 phrases are found in 100,000 mentions on one core, and by what:

    python -m tests.bench.bench_query [--mentions 100000] [--phrases 2000]

Texts are invented, of about 240 characters from a large vocabulary; one in five holds a phrase
that is asked for. The automaton of `query_match` stands beside spaCy's PhraseMatcher over the same
words, and beside one naive regular expression a phrase, which is tried on a sample. All figures
are of processor time, so that a busy machine disturbs them little.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import psutil
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from pipelines import query, query_history, query_match, query_sql, warehouse, words
from pipelines.mention import MENTION_SCHEMA, to_table
from pipelines.query_terms import Allowed
from pipelines.settings import Subject
from pipelines.subjects import watched
from tests.pipelines.staged import SEEN, mention, stored

A, B = TypeVar("A"), TypeVar("B")
LETTERS = "aeioulnrstmdpcg"
CHUNK = 2_000  # texts at a time, as in the stream
SAMPLE = 300  # mentions for the naive expressions: 2,000 of them take some 5 ms a mention


def machine() -> str:
    """The processor, its cores, the memory and the versions that a figure depends on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    name = named[0] if named else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def invented(count: int, phrase_count: int) -> tuple[list[str], list[str]]:
    """Texts, and the phrases of one to four words that one in five of them holds."""
    dice = random.Random(11)
    vocabulary = ["".join(dice.choices(LETTERS, k=dice.randint(2, 9))) for _ in range(30_000)]
    drawn = {
        " ".join(dice.choices(vocabulary, k=dice.choice((1, 2, 2, 3, 4)))).capitalize()
        for _ in range(2 * phrase_count)
    }
    phrases = [phrase for phrase in sorted(drawn) if len(phrase) > 6][:phrase_count]
    texts = []
    for number in range(count):
        said = dice.choices(vocabulary, k=37)
        if number % 5 == 0:
            said.insert(dice.randrange(37), dice.choice(phrases))
        texts.append(f"{' '.join(said)}.")
    return texts, phrases


def seconds(work: Callable[[], object]) -> float:
    """The processor time of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def timed(work: Callable[[A], B], given: Iterable[A]) -> tuple[list[B], float]:
    """What some work makes of each, and the processor time of it all."""
    began = time.process_time()
    made = list(map(work, given))
    return made, time.process_time() - began


def show(name: str, count: int, took: float) -> float:
    """Print a rate; mentions a second."""
    print(f"{name:<52}{count / took:>12,.0f} mentions/s {took / count * 1e6:>9.1f} µs each")
    return count / took


def naive(phrases: list[str]) -> list[re.Pattern[str]]:
    """One expression a phrase, as anybody would write it first."""
    return [
        re.compile(rf"(?<!\w){re.escape(phrase).replace(chr(92) + ' ', ' +')}(?!\w)", re.IGNORECASE)
        for phrase in phrases
    ]


def main() -> None:
    """Print the machine, the rates, and the ratio to naive expressions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=100_000)
    parser.add_argument("--phrases", type=int, default=2_000)
    asked = parser.parse_args()
    count = asked.mentions
    texts, phrases = invented(count, asked.phrases)
    print(machine())
    print(
        f"{count} mentions of {sum(map(len, texts)) / count:.0f} characters, {len(phrases)} phrases"
    )

    trees = [query.parse(f'"{phrase}"').tree for phrase in phrases]
    found = query_match.compiled(trees)
    matcher = phrase_matcher(trees)
    answers: list[tuple[int, ...]] = []
    reading = finding = by_spacy = 0.0
    for start in range(0, count, CHUNK):
        documents, took = timed(query_match.document, texts[start : start + CHUNK])
        reading += took
        said, took = timed(found.find, documents)
        answers += said
        finding += took
        by_spacy += timed(matcher, documents)[1]
    show("words.read", count, reading)
    show("automaton, one query a phrase", count, finding)
    whole = show("both, as in the stream", count, reading + finding)
    show("spaCy's PhraseMatcher over the same words", count, by_spacy)

    sample = min(SAMPLE, count)
    patterns = naive(phrases)
    plain: list[tuple[int, ...]] = []
    took = seconds(
        lambda: plain.extend(
            tuple(n for n, p in enumerate(patterns) if p.search(text)) for text in texts[:sample]
        )
    )
    rate = show(f"one naive regular expression a phrase ({sample} mentions)", sample, took)
    print(f"{whole / rate:.0f} times as fast as one naive expression a phrase, words included")
    print(f"{by_spacy / finding:.1f} times as fast as PhraseMatcher")
    same = sum(a == b for a, b in zip(plain, answers, strict=False))
    print(f"{same} of {sample} mentions with the same answers; {sum(map(len, answers))} answers")
    history(texts, phrases)


def phrase_matcher(trees: list[query.Node]) -> Callable[[query_match.Document], object]:
    """spaCy's matcher of the same phrases, over the tokens of a document."""
    vocab = Vocab()
    matcher = PhraseMatcher(vocab, attr="ORTH")
    known: set[str] = set()
    for number, tree in enumerate(trees):
        worded = [[part.forms[0] for part in way] for way in getattr(tree, "ways", ())]
        known.update(word for each in worded for word in each)
        matcher.add(str(number), [Doc(vocab, words=each) for each in worded])

    def find(document: query_match.Document) -> object:
        shown = [word if word in known else "·" for word in document.words.tokens]
        return matcher(Doc(vocab, words=shown))

    return find


def history(texts: list[str], phrases: list[str]) -> None:
    """Print how long the SQL of one query of all phrases takes, and a run over stored days."""
    rows = [
        mention(
            n,
            text=text,
            words=words.read(text).stored,
            published_at=SEEN - timedelta(seconds=7 * n),
        )
        for n, text in enumerate(texts)
    ]
    asked = " OR ".join(f'"{phrase}"' for phrase in phrases)
    tree = query.parse(asked).tree
    sql = query_sql.condition(tree, columns=())
    with warehouse.in_memory() as connection:
        connection.execute("set threads = 1")
        connection.register("arrived", to_table(rows, MENTION_SCHEMA))
        connection.execute("create table mention as from arrived")
        statement = sql.select("mention", ["count(*)"])
        answered = connection.execute(statement, sql.parameters).fetchall()
        took = seconds(lambda: connection.execute(statement, sql.parameters).fetchall())
        show(f"SQL of all phrases in one query ({answered[0][0]} answers)", len(rows), took)
    subjects = [
        Subject(
            id=f"s{n}", label="x", purpose="répondre aux habitants", query=f'"{phrase}" OR tram'
        )
        for n, phrase in enumerate(phrases[:10])
    ]
    watches = watched(subjects, Allowed())
    with TemporaryDirectory() as home, stored(Path(home), rows) as connection:
        days = query_history.days(
            connection, since=SEEN - timedelta(days=400), until=SEEN + timedelta(days=1)
        )
        took = seconds(lambda: [query_history.rerun(connection, watches, day) for day in days])
        show(f"rerun of ten subjects over {len(days)} days", len(rows), took)


if __name__ == "__main__":
    main()
