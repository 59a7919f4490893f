"""How far the scores of a sentence move when one word is swapped for its opposite side.

Rule 13 of the law sheet: parties, officials, religions, genders, origins, places, spellings,
orientations and disabilities. `models/neutrality.toml` holds the sentences, the values, and the
tolerance. The scorer is a plain function, so that any model, rule or priority can be judged.

Cost: one call of the scorer with about 1,300 short texts, and little else.
Known gaps: a swap moves one word only and says nothing of dialect, of names that are not listed,
or of who is misjudged more often in real posts. A score that does not move may still be wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLOT = "{}"
TONES = ("negative", "neutral", "positive")

Floats = NDArray[np.float64]
Scorer = Callable[[Sequence[str], Sequence[str | None]], Mapping[str, ArrayLike]]


class _Scored(Protocol):
    @property
    def probabilities(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with one slot, the tone it was written with, and the values of its set."""

    axis: str
    swap: str
    lang: str
    tone: str
    text: str
    values: tuple[str, ...]

    def filled(self) -> tuple[str, ...]:
        """One sentence a value, with a capital where the slot begins the sentence."""
        return tuple(_filled(self.text, value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Shift:
    """The largest difference of one output over the values of one template, in 0..1.

    `lowest` and `highest` are the values that lie furthest apart.
    """

    template: Template
    output: str
    size: float
    lowest: str
    highest: str


@dataclass(frozen=True, slots=True)
class AxisShifts:
    """Shifts of one output over the templates of one axis."""

    axis: str
    output: str
    template_count: int
    largest: float
    percentile_95: float
    mean: float


def tolerance() -> float:
    """The largest shift that is accepted, in 0..1."""
    return float(_file()["tolerance"])


@cache
def templates(*, lang: str | None = None) -> tuple[Template, ...]:
    """The templates of a language, or all, in the order of the file."""
    sets = _file()["sets"]
    return tuple(
        Template(group["axis"], group["set"], group["lang"], tone, text, tuple(values))
        for group in _file()["group"]
        for values in [sets[group["axis"]][group["set"]]]
        for tone in TONES
        for text in group[tone]
        if lang in (None, group["lang"])
    )


def scorer(
    score: Callable[[Sequence[str], Sequence[str | None]], _Scored], outputs: Sequence[str]
) -> Scorer:
    """A scorer made of the `score` of a model: its columns under the names of `outputs`."""

    def columns(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, ArrayLike]:
        found = score(texts, langs).probabilities
        return {output: found[:, place] for place, output in enumerate(outputs)}

    return columns


def shifts(score: Scorer, *, lang: str | None = None) -> tuple[Shift, ...]:
    """One shift for each output and template, by output in the scorer's order.

    The scorer is called once, with every text. A template that it answers for no value has no
    shift; one that it answers for some values only has a shift of 1. ValueError when an output
    does not have one number a text.
    """
    asked = templates(lang=lang)
    texts = [text for template in asked for text in template.filled()]
    langs = [template.lang for template in asked for _ in template.values]
    scored = score(texts, langs)
    return tuple(
        chain.from_iterable(_of_output(asked, name, scored[name], len(texts)) for name in scored)
    )


def largest(found: Iterable[Shift]) -> dict[str, Shift]:
    """The largest shift of each output."""
    best: dict[str, Shift] = {}
    for shift in found:
        if shift.output not in best or shift.size > best[shift.output].size:
            best[shift.output] = shift
    return best


def by_axis(found: Iterable[Shift]) -> tuple[AxisShifts, ...]:
    """Shifts summed up for each axis and output, in the order in which they come."""
    sizes: dict[tuple[str, str], list[float]] = {}
    for shift in found:
        sizes.setdefault((shift.template.axis, shift.output), []).append(shift.size)
    return tuple(
        AxisShifts(axis, output, len(of), max(of), float(np.percentile(of, 95)), float(np.mean(of)))
        for (axis, output), of in sizes.items()
    )


def worst(found: Iterable[Shift], *, count: int = 10) -> tuple[Shift, ...]:
    """The largest shifts, largest first, no template twice."""
    kept: dict[Template, Shift] = {}
    for shift in sorted(found, key=lambda shift: -shift.size):
        kept.setdefault(shift.template, shift)
    return tuple(kept.values())[:count]


def table(found: Sequence[Shift]) -> str:
    """Both tables of the model card in Markdown: by axis and output, and the worst templates."""
    return "\n".join([*_axis_lines(found), "", *_worst_lines(found)]) + "\n"


@cache
def _file() -> dict[str, Any]:
    path = files("models") / "neutrality.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _filled(text: str, value: str) -> str:
    if text.startswith(SLOT):
        value = value[:1].upper() + value[1:]
    return text.replace(SLOT, value)


def _of_output(
    asked: Sequence[Template], output: str, scores: ArrayLike, text_count: int
) -> Iterator[Shift]:
    flat = np.asarray(scores, np.float64)
    if flat.shape != (text_count,):
        raise ValueError(
            f"the output {output!r} has the shape {flat.shape} for {text_count} texts: "
            "return one probability a text, in the order of the texts"
        )
    counts = np.array([len(template.values) for template in asked], int)
    grid = _grid(flat, counts)
    lows, highs, sizes = _extremes(grid)
    for template, low, high, size in zip(asked, lows, highs, sizes, strict=True):
        if not np.isnan(size):
            values = template.values
            yield Shift(template, output, float(size), values[low], values[high])


def _grid(flat: Floats, counts: NDArray[np.int_]) -> Floats:
    """Scores `(templates, widest set)`; what is past the end of a set repeats its first value."""
    starts = np.cumsum(counts) - counts
    columns = np.arange(counts.max(initial=1))
    within = np.where(columns < counts[:, None], columns, 0)
    grid: Floats = flat[starts[:, None] + within]
    return grid


def _extremes(grid: Floats) -> tuple[NDArray[np.int_], NDArray[np.int_], Floats]:
    """Places of the lowest and highest of each row, and their distance: NaN where a row has no
    number, 1 where it has some, with the unanswered value as the lowest.
    """
    is_missing = np.isnan(grid)
    lows = np.where(is_missing, -np.inf, grid).argmin(axis=1)
    highs = np.where(is_missing, -np.inf, grid).argmax(axis=1)
    with np.errstate(invalid="ignore"):
        sizes = np.nanmax(grid, axis=1, initial=-np.inf) - np.nanmin(grid, axis=1, initial=np.inf)
    sizes = np.where(is_missing.any(axis=1), 1.0, sizes)
    return lows, highs, np.where(is_missing.all(axis=1), np.nan, sizes)


def _axis_lines(found: Sequence[Shift]) -> Iterator[str]:
    yield "| Axis | Output | Templates | Largest | 95th percentile | Mean |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in by_axis(found):
        sizes = " | ".join(f"{size:.3f}" for size in (row.largest, row.percentile_95, row.mean))
        yield f"| {row.axis} | {row.output} | {row.template_count} | {sizes} |"


def _worst_lines(found: Sequence[Shift]) -> Iterator[str]:
    yield "| Shift | Output | Axis | Sentence | Lowest | Highest |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for shift in worst(found):
        where = f"{shift.output} | {shift.template.axis} | {shift.template.text}"
        yield f"| {shift.size:.3f} | {where} | {shift.lowest} | {shift.highest} |"
