"""What a person should know of an alert rule, read from the header of its SQL file.

A header is lines of `-- Name: value`; a line that begins with more space goes on with the value
above. What people read stands there in both languages (`Label fr`, `Label en`), so that a new
rule is one new file. A headline may name {observed}, {expected}, {low}, {high}, {share}, {authors},
{window}, and {observed_span} and {expected_span} for minutes told as a length of time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal, cast, get_args

from pipelines import warehouse
from pipelines.errors import WarehouseError

LOCALES = ("fr", "en")
SPOKEN = ("Label", "Window", "Headline", "Resolves", "Procedure", "Owner")
FACTS = ("Rule", "Version", "Severity", "Purpose", "Grain", "Reads")
Brings = Literal["more", "danger", "threat"]
_ENTRY = re.compile(r"^-- ([A-Z][A-Za-z]*(?: [a-z]+)*): (\S.*)$")
_MORE = re.compile(r"^--   +(\S.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as its header describes it. `spoken` is by name and locale: `("Label", "fr")`.

    `inhibited_by` names rules of the same subject, or source, that tell the same trouble better;
    `tells` is 'on_call' or 'operators'. Within `joins` of a letter, more of the same is no news.
    `counts` is 'mentions' or 'reactions': what its mail draws a curve of. `is_drop`: it tells that
    a source brings less (scope is its name), and says nothing while that source is late or cut
    short. `is_legal`: it asks for legal advice, whatever was said. `brings` is 'danger' or
    'threat' where that is what its critical alerts tell of, else 'more'. `sha256` is that of the
    file, 64 hex digits: what was asked, to the letter.
    """

    rule_id: str
    version: str
    severity: str
    purpose: str
    inhibited_by: tuple[str, ...]
    tells: str
    joins: timedelta
    sha256: str
    spoken: Mapping[tuple[str, str], str]
    counts: str = "mentions"
    is_drop: bool = False
    is_legal: bool = False
    brings: Brings = "more"

    def say(self, name: str, locale: str) -> str:
        """What the header says under `name` in `locale`."""
        return self.spoken[name, locale]


def names() -> list[str]:
    """The rules there are."""
    return warehouse.sql_names("alerts")


def is_known(name: str) -> bool:
    """Whether there is a rule of that name."""
    return name in names()


def read(name: str) -> Rule:
    """The rule of `sql/alerts/<name>.sql`; WarehouseError names what its header lacks."""
    return _read(name, warehouse.sql(f"alerts/{name}"))


@lru_cache(maxsize=256)
def _read(name: str, text: str) -> Rule:
    found = header(text)
    wanted = [*FACTS, *(f"{part} {locale}" for part in SPOKEN for locale in LOCALES)]
    if missing := [part for part in wanted if part not in found]:
        raise WarehouseError(
            f"sql/alerts/{name}.sql has no '{missing[0]}' in its header: add '-- {missing[0]}: …'"
        )
    if found["Rule"] != name:
        raise WarehouseError(
            f"sql/alerts/{name}.sql calls itself {found['Rule']!r}: give file and rule one name"
        )
    return Rule(
        rule_id=name,
        version=found["Version"],
        severity=found["Severity"],
        purpose=found["Purpose"],
        inhibited_by=tuple(found.get("Inhibited by", "").replace(",", " ").split()),
        tells=found.get("Tells", "on_call").replace(" ", "_"),
        joins=_minutes(name, found.get("Joins", "0 minutes")),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        spoken={(p, locale): found[f"{p} {locale}"] for p in SPOKEN for locale in LOCALES},
        counts=found.get("Counts", "mentions"),
        is_drop=found.get("Drop", "no") == "yes",
        is_legal=found.get("Legal", "no") == "yes",
        brings=_brings(name, found.get("Brings", "more")),
    )


def _brings(name: str, text: str) -> Brings:
    if text in get_args(Brings):
        return cast("Brings", text)
    raise WarehouseError(
        f"sql/alerts/{name}.sql says 'Brings: {text}': write danger, threat, or leave the line out"
    )


def _minutes(name: str, text: str) -> timedelta:
    number, _, unit = text.partition(" ")
    if not (number.isdecimal() and unit == "minutes"):
        raise WarehouseError(
            f"sql/alerts/{name}.sql says 'Joins: {text}': write a number of minutes, as "
            "'-- Joins: 60 minutes'"
        )
    return timedelta(minutes=int(number))


def header(text: str) -> dict[str, str]:
    """The entries of a rule's header, by their names."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if entry := _ENTRY.match(line):
            name, value = entry.groups()
            found[name] = value
        elif name and (more := _MORE.match(line)):
            found[name] += f" {more[1]}"
        elif not line.startswith("--"):
            break
    return found
