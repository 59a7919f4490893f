"""Makes `gazetteer.parquet` again from the tables of communes and departments and from French text.

    python -m pipelines.places.pack COMMUNES DEPARTEMENTS TEXT…

COMMUNES has the columns insee, name, type (COM, COMD, COMA, ARM), departement, region,
region_name, population, parent_insee; DEPARTEMENTS departement, region, name; each TEXT a column
`text`. The first two are INSEE's (Licence Ouverte 2.0) as etalab/decoupage-administratif packs
them. Of the texts only how each name is written is kept: mostly small (a word of the language:
"sens", "orange"), often small, or mostly behind another capital (a surname: "Borne").

Cost: a minute for 74 million characters of text.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.aside import written_aside
from pipelines.places.spelling import folded_words

WORD_SHARE, ALSO_SHARE, PERSON_SHARE = 0.5, 0.05, 0.4  # of what is written, by `_use`
FEWEST = 3  # times that a name must be seen for its use to be told

_TOKEN = re.compile(r"([^\W_]+)([\W_]*)")
_PLACED = frozenset(("à", "À"))
_STOPS = frozenset('.!?…\n:;«"(')
_OLD = frozenset(("COMD", "COMA"))
_SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("within", pa.string()),
        pa.field("population", pa.int32(), nullable=False),
        pa.field("use", pa.string(), nullable=False),
        pa.field("is_former", pa.bool_(), nullable=False),
    ]
)

Row = dict[str, Any]
Names = dict[str, list[tuple[str, ...]]]  # by first word, the longest first


def pack(communes: Path, departements: Path, texts: Iterable[Path]) -> pa.Table:
    """The packed table, in the order of its codes."""
    named = [*_areas(communes, departements), *_communes(communes)]
    uses = _uses({tuple(folded_words(row["name"])) for row in named}, texts)
    for row in named:
        row["use"] = _use(uses[tuple(folded_words(row["name"]))])
    named.sort(key=lambda row: (row["code"], row["is_former"], row["name"]))
    return pa.Table.from_pylist(named, schema=_SCHEMA)


def _areas(communes: Path, departements: Path) -> Iterator[Row]:
    """Regions and departments."""
    table = pq.read_table(communes, columns=["region", "region_name"])
    regions = {r["region"]: r["region_name"] for r in table.to_pylist() if all(r.values())}
    lands = pq.read_table(departements).to_pylist()
    for row in lands:  # Mayotte's region has no name in the table of communes
        regions.setdefault(row["region"], row["name"])
    for region, name in regions.items():
        yield _row(f"region:{region}", name, None)
    for row in lands:
        yield _row(f"departement:{row['departement']}", row["name"], f"region:{row['region']}")


def _communes(path: Path) -> Iterator[Row]:
    """Communes, arrondissements, and communes that are now a part of another.

    Cities with arrondissements have no inhabitants of their own in the table: theirs are added.
    """
    table = pq.read_table(path).to_pylist()
    parts: Counter[str] = Counter()
    for row in table:
        if row["type"] == "ARM":
            parts[row["parent_insee"]] += row["population"] or 0
    for row in table:
        count = row["population"] or parts[row["insee"]]
        if row["type"] == "COM":
            yield _row(f"commune:{row['insee']}", row["name"], _within(row), count)
        elif row["type"] == "ARM":
            code, within = f"arrondissement:{row['insee']}", f"commune:{row['parent_insee']}"
            yield _row(code, row["name"], within, count)
        elif row["type"] in _OLD:
            within = _within(row | {"departement": _departement(row["parent_insee"])})
            code = f"commune:{row['parent_insee']}"
            yield _row(code, row["name"], within, count) | {"is_former": True}


def _departement(insee: str) -> str:
    return insee[: 3 if insee.startswith("97") else 2]


def _within(row: Row) -> str:
    return f"departement:{row['departement']}"


def _row(code: str, name: str, within: str | None, population: int = 0) -> Row:
    return {
        "code": code, "name": name, "within": within, "population": population, "is_former": False,
    }  # fmt: skip


def _uses(
    names: set[tuple[str, ...]], texts: Iterable[Path]
) -> defaultdict[tuple[str, ...], Counter[str]]:
    """How often each name is written small, as a name, and behind another capital."""
    by_first: Names = defaultdict(list)
    for words in sorted(names, key=len, reverse=True):
        if words:
            by_first[words[0]].append(words)
    seen: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for path in texts:
        for batch in pq.ParquetFile(path).iter_batches(1_000, columns=["text"]):
            for text in batch["text"].to_pylist():
                _count(text or "", by_first, seen)
    return seen


def _count(text: str, names: Names, seen: defaultdict[tuple[str, ...], Counter[str]]) -> None:
    written = _TOKEN.findall(text)
    folded = [(folded_words(word) or [""])[0] for word, _ in written]
    for at, first in enumerate(folded):
        for words in names.get(first, ()):
            if tuple(folded[at : at + len(words)]) == words:
                _tell(written, at, len(words), seen[words])
                break


def _tell(written: list[tuple[str, str]], at: int, size: int, seen: Counter[str]) -> None:
    """Count one occurrence; one that is a part of a longer name tells nothing."""
    before, gap = written[at - 1] if at else ("", "\n")
    words, after = [word for word, _ in written[at : at + size]], written[at + size - 1][1]
    if gap == "-" or after == "-":
        return
    if all(word[0].islower() for word in words):
        seen["small"] += 1
    elif not _STOPS.isdisjoint(gap):
        seen["opens"] += 1
    else:
        seen["named"] += 1
        is_person = gap == " " and len(before) > 1 and before[0].isupper() and before[1:].islower()
        seen["person"] += is_person and before not in _PLACED


def _use(seen: Counter[str]) -> str:
    """How a name is used in running text, from its counts."""
    count = seen["small"] + seen["named"]
    if count < FEWEST:
        return "also_word" if seen["small"] and not seen["named"] else ""
    if seen["small"] >= WORD_SHARE * count:
        return "word"
    if seen["named"] >= FEWEST and seen["person"] >= PERSON_SHARE * seen["named"]:
        return "person"
    return "also_word" if seen["small"] >= ALSO_SHARE * count else ""


def main(arguments: list[str]) -> None:
    """Write `gazetteer.parquet` beside this file."""
    communes, departements, *texts = map(Path, arguments)
    path = Path(__file__).with_name("gazetteer.parquet")
    with written_aside(path) as aside:
        pq.write_table(
            pack(communes, departements, texts), aside, compression="zstd", compression_level=19
        )


if __name__ == "__main__":
    main(sys.argv[1:])
