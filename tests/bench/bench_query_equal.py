"""Whether the matcher of the stream and the SQL over history say the same, on a great many pairs:

    python -m tests.bench.bench_query_equal [--pairs 200000] [--seed 1]

Queries and posts are drawn by chance (`tests/pipelines/query_dice.py`), a hundred posts to ten
queries; one in five queries is the terms of a subject. Ends with status 1 at the first difference.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

import duckdb

from pipelines.query_tree import Node, Phrase, walk
from tests.bench.bench_query import machine
from tests.pipelines import query_dice

POSTS, QUERIES = 100, 10


def _round(dice: random.Random, connection: duckdb.DuckDBPyConnection, told: Counter[str]) -> None:
    """Ask some queries of some posts both ways; exits at a difference."""
    posts = [query_dice.post(dice) for _ in range(POSTS)]
    documents = [query_dice.document(post) for post in posts]
    connection.register("posts", query_dice.table(posts, documents))
    for _ in range(QUERIES):
        is_terms = dice.random() < 0.2
        asked = None if is_terms else query_dice.asked(dice)
        tree = asked.tree if asked else query_dice.terms(dice)
        by_matcher = query_dice.by_matcher(tree, documents)
        by_sql = query_dice.by_sql(connection, tree, "posts")
        if different := by_matcher ^ by_sql:
            shown = posts[min(different)]
            print(f"{asked.text if asked else tree}\nsays otherwise of {shown!r}")
            sys.exit(1)
        told["pairs"] += POSTS
        told["answers"] += len(by_matcher)
        told["queries that some posts answer and some do not"] += 0 < len(by_matcher) < POSTS
        told.update(f"queries with {name}" for name in _kinds(tree))


def _kinds(tree: Node) -> set[str]:
    kinds = {type(node).__name__ for node in walk(tree)}
    parts = [p for n in walk(tree) if isinstance(n, Phrase) for way in n.ways for p in way]
    kinds |= {"*"} if any(part.is_prefix for part in parts) else set()
    return kinds | ({"?"} if any("?" in form for p in parts for form in p.forms) else set())


def main() -> None:
    """Print the pairs that were equal, and of which kinds they were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice, told = random.Random(asked.seed), Counter[str]()
    print(machine())
    began = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        while told["pairs"] < asked.pairs:
            _round(dice, connection, told)
    print(f"{told.pop('pairs')} pairs equal in {time.perf_counter() - began:.0f} s")
    for name, count in sorted(told.items()):
        print(f"  {count:>7} {name}")


if __name__ == "__main__":
    main()
