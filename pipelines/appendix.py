"""The SQL behind a digest's figures, with its bounds put in: ready to run on the warehouse.

A query that ran more than once stands here with the bounds of its first call. Only our own values
are put in (days, moments, names of settings), each as a literal; hashes of texts stay a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from pipelines import warehouse

_PARAMETER = re.compile(r"\$([a-z_]+)")
_PURPOSE = re.compile(r"^-- (?:Purpose|Question): (.*?)(?=^-- [A-Z][a-z ]+:|\Z)", re.M | re.S)
_LONG = 300  # characters of a literal; a longer one stays a parameter


@dataclass(frozen=True, slots=True)
class Ran:
    """A query of `sql/queries` and the parameters that it was run with."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A query as it can be run again: what it is for, and its text."""

    name: str
    purpose: str
    sql: str


def shown(names: Sequence[str], ran: Sequence[Ran], bounds: Mapping[str, Any]) -> list[Shown]:
    """The queries named, each with the parameters of its first run, or with the day's bounds."""
    first = {each.name: each.parameters for each in reversed(ran)}
    return [_shown(name, {**bounds, **first.get(name, {})}) for name in names]


def _shown(name: str, parameters: Mapping[str, Any]) -> Shown:
    header, text = _parted(warehouse.sql(f"queries/{name}"))
    found = _PURPOSE.search(header)
    purpose = " ".join(found[1].replace("--", " ").split()) if found else ""
    return Shown(name=name, purpose=purpose, sql=filled(text, parameters))


def _parted(text: str) -> tuple[str, str]:
    """The comment at the head of a query, and the query."""
    lines = text.splitlines(keepends=True)
    end = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "".join(lines[:end]), "".join(lines[end:]).strip()


def filled(text: str, parameters: Mapping[str, Any]) -> str:
    """A query with its parameters as literals; one that is long or unknown stays as it is."""

    def _put(found: re.Match[str]) -> str:
        if found[1] not in parameters:
            return found[0]
        said = literal(parameters[found[1]])
        return said if len(said) <= _LONG else found[0]

    return _PARAMETER.sub(_put, text)


def literal(value: Any) -> str:
    """A value of ours as SQL writes it; TypeError for a kind that no query takes."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "null"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return f"timestamptz '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, time):
        return f"time '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    raise TypeError(f"no query takes a {type(value).__name__}")
