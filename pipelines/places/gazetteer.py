"""Every commune, arrondissement, department and region of France, by its code.

A place code is a level and an INSEE code: `arrondissement:69387`, `commune:37261`,
`departement:37`, `region:24`. A place lies within one of the next level up, so that a code is
enough to count by department or region: `rolled_up`.

The table ships as `gazetteer.parquet` (its licence and origin beside it); `pack` makes it again.
Cost: 0.1 s and 40 MB, once a process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import PlaceUnknown
from pipelines.places.spelling import folded_words

Level = Literal["arrondissement", "commune", "departement", "region"]
LEVELS: tuple[Level, ...] = ("arrondissement", "commune", "departement", "region")
FILE = "gazetteer.parquet"


@dataclass(frozen=True, slots=True)
class Place:
    """One place: its code, its name, the code of what it lies within, and its inhabitants.

    `population` is 0 where the source has none (Mayotte, communes that are no more).
    """

    code: str
    name: str
    within: str | None
    population: int

    @property
    def level(self) -> Level:
        """How fine it is."""
        return self.code.partition(":")[0]  # type: ignore[return-value]


@cache
def rows() -> pa.Table:
    """The packed table: a row a name of a place, so that merged communes keep their old names.

    Columns: `code`, `name`, `within`, `population`, `use` (how the name is used in running
    French: '', 'word', 'also_word', 'person'), `is_former` (a commune that is now a part of
    `code`).
    """
    with as_file(files("pipelines.places") / FILE) as path:
        return pq.ParquetFile(path).read(use_threads=False)


def names(level: Level) -> Iterator[tuple[str, str, int, str]]:
    """Code, name, population and use of every name of a level, in the order of the codes."""
    of = rows().filter(pc.starts_with(rows()["code"], f"{level}:"))
    columns = (of[name].to_pylist() for name in ("code", "name", "population", "use"))
    return zip(*columns, strict=True)


@cache
def places() -> Mapping[str, Place]:
    """Every place by its code."""
    now = rows().filter(pc.invert(rows()["is_former"]))
    columns = (now[name].to_pylist() for name in ("code", "name", "within", "population"))
    return {code: Place(code, *rest) for code, *rest in zip(*columns, strict=True)}


def table() -> pa.Table:
    """Every place with what holds it: the columns of the warehouse's table `place`."""
    held = [{up.partition(":")[0]: up for up in rolled_up(code)} for code in places()]
    columns = {
        "place_code": list(places()),
        "level": [found.level for found in places().values()],
        "name": [found.name for found in places().values()],
        "population": [found.population for found in places().values()],
        **{f"{level}_code": [ups.get(level) for ups in held] for level in LEVELS[1:]},
    }
    return pa.table(columns)


@cache
def version() -> str:
    """A fingerprint of the packed table: 16 hexadecimal digits."""
    packed = (files("pipelines.places") / FILE).read_bytes()
    return hashlib.blake2b(packed, digest_size=8).hexdigest()


def place(code: str) -> Place:
    """The place of a code; PlaceUnknown where there is none."""
    found = places().get(code)
    if found is None:
        raise PlaceUnknown(
            f"'{code}' is no place: write a level and an INSEE code, such as commune:37261, "
            "departement:37 or region:24 (https://www.insee.fr/fr/information/2560452)"
        )
    return found


@cache
def rolled_up(code: str) -> tuple[str, ...]:
    """A code and every code that it lies within, the finest first.

    `rolled_up("commune:37261")` is commune:37261, departement:37, region:24.
    """
    found = place(code)
    return (code, *(rolled_up(found.within) if found.within else ()))


def named(name: str, level: Level) -> tuple[str, ...]:
    """The codes of the places of a level that bear a name, whatever its accents and hyphens."""
    wanted = folded_words(name)
    return tuple(
        code
        for code, found in places().items()
        if code.startswith(f"{level}:") and folded_words(found.name) == wanted
    )


def lies_within(code: str, wider: str) -> bool:
    """Whether a place is another or a part of it."""
    return wider in rolled_up(code)


def finest(codes: frozenset[str]) -> tuple[str, ...]:
    """The codes without those that another of them lies within, sorted."""
    wider = {up for code in codes for up in rolled_up(code)[1:]}
    return tuple(sorted(codes - wider))
