"""Rule sets to replay: the product's, files of a folder beside or instead of them, tried numbers.

A number is tried as `rule.threshold=2.5`: a threshold of the rule's first CTE. `rule.level=1.2`
asks for 1.2 times as much of everything that the rule looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from pipelines import rules, warehouse
from pipelines.errors import VigieError

LEVEL = "level"
_BEGIN = "with thresholds as ("
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_THRESHOLD = re.compile(r"^(\s+)('[^'\n]*'|-?[\d.]+)( as (\w+),?)$", re.MULTILINE)
_MOST_BYTES = 200_000  # of a rule: the longest of ours has 6,000


def present() -> dict[str, str]:
    """The text of each rule of the product, by its name."""
    with warehouse.trying(None):
        return {name: warehouse.sql(f"alerts/{name}") for name in warehouse.sql_names("alerts")}


def tried(folder: Path | None, numbers: Sequence[str] = ()) -> dict[str, str]:
    """The product's rules with those of `folder`, and the `numbers` put in.

    VigieError, with the remedy, for a file that is no rule and a number that is none.
    """
    found = present() | (_of(folder) if folder else {})
    for each in numbers:
        name, threshold, value = _asked(each, found)
        found[name] = _with(name, found[name], threshold, value)
    return found


def only(texts: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The rules named, or all where none is."""
    wanted = tuple(names)
    if unknown := sorted(set(wanted) - set(texts)):
        raise VigieError(f"there is no rule {unknown[0]!r}: choose of {', '.join(sorted(texts))}")
    return {name: text for name, text in texts.items() if not wanted or name in wanted}


def _of(folder: Path) -> dict[str, str]:
    paths = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    if not paths:
        raise VigieError(f"--rules {folder} holds no .sql file: name a folder with rules in it")
    found = {path.stem: _read(path) for path in paths}
    with warehouse.trying(found):
        for name in found:
            rules.read(name)
    return found


def _read(path: Path) -> str:
    """The text of a rule's file: one query, and nothing that changes anything."""
    try:
        text = path.read_bytes()[:_MOST_BYTES].decode("utf-8")
        statements = duckdb.extract_statements(text)
    except (OSError, UnicodeDecodeError, duckdb.Error) as error:
        raise VigieError(f"{path.name} cannot be read as SQL ({_first_line(error)})") from error
    if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
        raise VigieError(f"{path.name} is not one select: a rule reads, and does nothing else")
    return text


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def _asked(text: str, found: Mapping[str, str]) -> tuple[str, str, str]:
    name, _, rest = text.partition(".")
    threshold, _, value = rest.partition("=")
    if not (threshold and _NUMBER.fullmatch(value)):
        raise VigieError(
            f"--set {text!r} names no number: write it as volume_surge.least_mentions=20"
        )
    if name not in found:
        raise VigieError(f"there is no rule {name!r}: choose of {', '.join(sorted(found))}")
    return name, threshold, value


def _with(name: str, text: str, threshold: str, value: str) -> str:
    """The text of a rule with one threshold changed."""
    if threshold == LEVEL:
        return _times(name, text, value)
    head, begin, rest = text.partition(_BEGIN)
    body, end, tail = rest.partition(")")
    places = {match[4]: match for match in _THRESHOLD.finditer(body)}
    if threshold not in places:
        raise VigieError(
            f"{name} has no threshold {threshold!r}: choose of {', '.join([*places, LEVEL])}"
        )
    found = places[threshold]
    if found[2].startswith("'"):
        raise VigieError(f"{name}.{threshold} is a word, {found[2]}: only numbers can be tried")
    body = f"{body[: found.start(2)]}{value}{body[found.end(2) :]}"
    return f"{head}{begin}{body}{end}{tail}"


def _times(name: str, text: str, value: str) -> str:
    """A rule that asks for so many times as much: its level is divided."""
    if float(value) <= 0:
        raise VigieError(f"{name}.level={value} is no factor: write one above 0, such as 1.2")
    head, begin, query = text.partition(_BEGIN)
    inner = query.rstrip().rstrip(";")
    return (
        f"{head}select * replace (level / {float(value)} as level)\nfrom (\n{begin}{inner}\n)"
        f" as asked\nwhere level >= {0.6 * float(value)};\n"
    )


_WRAPPED = re.compile(r"select \* replace \(level / ([\d.]+) as level\)\nfrom \(\n")
_VERSION = re.compile(r"'[^'\n]*' as rule_version")


def unwrapped(text: str) -> tuple[str, float]:
    """A rule as it was before `level` was tried, and the factor; 1 where it was not."""
    found = _WRAPPED.search(text)
    if found is None:
        return text, 1.0
    inner = text[found.end() :].rpartition("\n) as asked")[0]
    return f"{text[: found.start()]}{inner};\n", float(found[1])


def header(text: str) -> Mapping[str, str]:
    """What the header of a rule says, by its names."""
    return rules.header(text)


def thresholds(text: str) -> str:
    """The query of a rule's first CTE, which holds its numbers."""
    return text.partition(_BEGIN)[2].partition(")")[0]


def query(text: str) -> str:
    """A rule without its header, its thresholds and its version: what it does with its numbers."""
    rest = text.partition(_BEGIN)[2].partition(")")[2]
    return _VERSION.sub("", rest).rstrip().rstrip(";").rstrip()
