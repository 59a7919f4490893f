"""What analysts may rely on: tables, columns, questions and macros, as their SQL files tell them.

`sql/contract.toml` names every published column with its type and the contract's version, and
`sql/lineage.csv` where each comes from; tests hold both equal to the SQL. The number before the
point rises when a column goes or means something else, the one after it when something is added.

Cost: reads some sixty small files.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pipelines import warehouse

_MARK = re.compile(r"^-- Published: yes\b", re.MULTILINE)
_KEYS = (
    *("Question", "Purpose", "Published", "Grain", "Reads", "Read by", "Writes", "Run by"),
    *("Units", "Caveat", "Parameters", "Use", "On"),
)
_KEY = re.compile(rf"(?:^|(?<=[.?)…] )|(?<=\n))({'|'.join(_KEYS)}): ")
PREFIX = "analyst_"


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of lineage: a column of a view or query, and a column that it is made from.

    `kind` is `view` or `query`; `from_column` is `*` where rows are counted.
    """

    kind: str
    name: str
    column: str
    from_table: str
    from_column: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question of `sql/queries/analyst_<name>.sql`, as its header tells it."""

    name: str
    question: str
    purpose: str
    grain: str
    reads: str
    units: str
    caveat: str
    sql: str


@cache
def version() -> str:
    """The version of the contract, for example `1.0`."""
    return str(_contract()["version"])


@cache
def columns() -> Mapping[str, Mapping[str, str]]:
    """Every published table with its columns and their types, as the contract names them."""
    return MappingProxyType(dict(_contract()["tables"]))


@cache
def _contract() -> dict[str, dict[str, Mapping[str, str]]]:
    return tomllib.loads((files("sql") / "contract.toml").read_text(encoding="utf-8"))


@cache
def lineage() -> tuple[Edge, ...]:
    """Every step from a digest's figure to a view's column to a column of the warehouse."""
    text = (files("sql") / "lineage.csv").read_text(encoding="utf-8")
    return tuple(Edge(**row) for row in csv.DictReader(text.splitlines()))


def published_views() -> list[str]:
    """The names of the views that analysts get: those whose file says `-- Published: yes`."""
    return [n for n in warehouse.sql_names("views") if _MARK.search(warehouse.sql(f"views/{n}"))]


def header(text: str) -> dict[str, str]:
    """What the comment at the head of an SQL file says, by its key in lower case."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    parts = _KEY.split("\n".join(lines))
    told = zip(parts[1::2], parts[2::2], strict=True)
    return {key.lower(): " ".join(said.split()).removesuffix(".") for key, said in told}


@cache
def questions() -> tuple[Question, ...]:
    """Every question there is for analysts, by name."""
    names = (n for n in warehouse.sql_names("queries") if n.startswith(PREFIX))
    return tuple(_question(name) for name in names)


def _question(name: str) -> Question:
    text = warehouse.sql(f"queries/{name}")
    told = header(text)
    return Question(
        name=name.removeprefix(PREFIX),
        question=told["question"],
        purpose=told["purpose"],
        grain=told["grain"],
        reads=told["reads"],
        units=told["units"],
        caveat=told["caveat"],
        sql=text,
    )


@cache
def macros() -> Mapping[str, Mapping[str, str]]:
    """Every macro of the published file with what its header says."""
    names = warehouse.sql_names("macros")
    return MappingProxyType({name: header(warehouse.sql(f"macros/{name}")) for name in names})
