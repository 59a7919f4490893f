"""Which column of an export is which field of a Post: presets, one file each, and the search.

A preset is `presets/<name>.toml`: the columns by which its exports are recognised, and for each
field the names that its column has been seen to bear, English and French.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pipelines.errors import SourceError

GENERIC = "generic"
# What a column may be mapped to: the fields of a Post that an export can hold, and two of ours,
# a clock that stands apart from its date, and the type by which private messages are known.
FIELDS = (
    "native_id", "text", "title", "url", "published_at", "published_time", "edited_at", "network",
    "content_type", "author_id", "author_handle", "lang_declared", "thread_id",
    "parent_native_id", "community", "like_count", "reply_count", "share_count", "quote_count",
    "view_count", "bookmark_count", "rating_value", "hashtags", "mentioned_handles",
    "geo_country", "geo_place",
)  # fmt: skip
_DATA = re.compile(r"\d{4}-\d\d|\d\d?/\d\d?/\d\d|://|@|<\w+>")  # a cell, not the name of a column
_NAME_LIMIT = 1_000  # characters; NFKC takes the square of a long run of combining marks
_NEEDED = ("text", "published_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of the exports of one tool; column names as `key` writes them.

    `month_first` and `unsure_order` are time columns whose 03/04 is known to be the 4th of March,
    or seen in both orders; `keep` gives the values of a column whose rows are taken (lower case).
    """

    name: str
    label: str
    recognise: tuple[frozenset[str], ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    month_first: frozenset[str] = frozenset()
    unsure_order: frozenset[str] = frozenset()
    keep: Mapping[str, frozenset[str]] = field(default_factory=dict)
    network: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which columns of a table hold each field; `text` may have several, the longest counts."""

    preset: str
    columns: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str | None:
        """The column of a field, None when the table has none."""
        return self.columns[name][0] if name in self.columns else None

    @property
    def read(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        return tuple(dict.fromkeys(c for names in self.columns.values() for c in names))


@cache
def key(name: str) -> str:
    """A column name as names are compared: case, accents' form, spaces and underscores aside."""
    plain = unicodedata.normalize("NFKC", name[:_NAME_LIMIT]).strip("\ufeff\"' \t\r\n").casefold()
    return re.sub(r"[_\s]+", " ", plain)


@cache
def names() -> tuple[str, ...]:
    """The presets there are, by their files."""
    folder = files(__package__) / "presets"
    found = (f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    return tuple(sorted(found))


@cache
def load(name: str) -> Preset:
    """The preset of a name; `none` is the one that knows no column."""
    if name == "none":
        return Preset(name="none", label="")
    raw = tomllib.loads((files(__package__) / "presets" / f"{name}.toml").read_text("utf-8"))
    return Preset(
        name=name,
        label=raw["label"],
        recognise=tuple(frozenset(map(key, group)) for group in raw.get("recognise", [])),
        columns={f: tuple(map(key, names)) for f, names in raw["columns"].items()},
        month_first=frozenset(map(key, raw.get("month_first", []))),
        unsure_order=frozenset(map(key, raw.get("unsure_order", []))),
        keep={key(c): frozenset(values) for c, values in raw.get("keep", {}).items()},
        network=raw.get("network"),
    )


def recognised(columns: Sequence[str]) -> str:
    """The preset whose exports bear these columns; `generic` when none is recognised."""
    present = {key(c) for c in columns}
    found = [
        (len(group), name) for name in names() for group in load(name).recognise if group <= present
    ]
    return max(found)[1] if found else GENERIC


def fit(
    columns: Sequence[str], *, preset: str, mapping: Mapping[str, str | Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """For each field the columns of a table that hold it: the mapping's, else the preset's."""
    by_key = {key(c): c for c in reversed(columns)}
    found = {f: _present(aliases, by_key) for f, aliases in load(preset).columns.items()}
    found |= {f: _present(_listed(wanted), by_key) for f, wanted in mapping.items()}
    return {f: columns for f, columns in found.items() if columns}


def _listed(wanted: str | Sequence[str]) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def _present(wanted: Sequence[str], by_key: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(by_key[key(w)] for w in wanted if key(w) in by_key))


def plan(
    columns: Sequence[str],
    *,
    preset: str,
    mapping: Mapping[str, str | Sequence[str]],
    where: Sequence[str] = (),
    place: str,
) -> Plan:
    """The plan of a table; SourceError naming every column that is missing, and what is there."""
    name = recognised(columns) if preset == "auto" else preset
    found = fit(columns, preset=name, mapping=mapping)
    by_key = {key(c) for c in columns}
    named = [w for wanted in mapping.values() for w in _listed(wanted)] + list(where)
    faults = [_missing(w, columns) for w in named if key(w) not in by_key]
    if not faults and "text" not in found and "title" in found:
        found["text"] = found.pop("title")
    if not faults:
        faults = [_unmapped(f, name) for f in _NEEDED if f not in found]
    if faults:
        raise SourceError(f"{place}: {'; '.join(faults)}. {_there(columns)}")
    return Plan(preset=name, columns=found)


def _there(columns: Sequence[str]) -> str:
    """The columns of a file in words, or that they are none: a post is not to be shown."""
    if any(_DATA.search(c) or len(c) > 60 for c in columns):
        return "Its first row is a post, not names of columns: add a row of names above it"
    names = ", ".join(repr(c) for c in columns[:60])
    return f"The file has {names or 'no column'}"


def _missing(column: str, columns: Sequence[str]) -> str:
    near = difflib.get_close_matches(key(column), [key(c) for c in columns], n=1, cutoff=0.6)
    meant = next((c for c in columns if near and key(c) == near[0]), None)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    return f"vigie.toml names the column {column!r}, which is not there{hint}"


def _unmapped(name: str, preset: str) -> str:
    what = {"text": "the text of a post", "published_at": "its time"}[name]
    return (
        f"no column is known to hold {what} (preset {preset!r}): name it in vigie.toml with "
        f'columns = {{ {name} = "…" }}'
    )
