"""`vigie models train | evaluate | card | drift | gold`: models made, judged, watched.

Importing this registers the commands on `models_cli.models_app`. Nothing here touches the network.
Texts of people are shown by `evaluate` only, on the operator's own terminal, from a file of theirs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table

from models import (
    checkpoint,
    drift as drifting,
    evaluate as measures,
    explain,
    gold as golden,
    language,
    sentiment,
    train as training,
)
from models.sentiment import LABELS, UNDETERMINED, SentimentModel, Tones
from pipelines import textfile
from pipelines.errors import VigieError
from pipelines.models_cli import HERE, Home, _told, _words, models_app, out

__all__ = ["models_app"]  # with the commands of this file registered

WORK = Path(".vigie/training")
WORST = 10
_PIECE = 2_000  # texts between two steps of the bar
_SHOWN = 240  # characters of a text that is shown
_NAMED = 20  # characters; a longer label is a text of somebody, in the wrong column
_NEEDS = ("torch", "floret")
_REMEDY = (
    "write negative, neutral or positive (or négatif, neutre, positif), and leave the label empty "
    "for a text that is not to be judged"
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts of a file with their languages, classes (places in LABELS) and weights."""

    name: str
    texts: list[str]
    langs: list[str | None]
    classes: list[int]
    weights: list[float]
    blank_count: int


def _rows(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """The rows of a file whose texts stand in the column `text`, as dictionaries."""
    for piece in textfile.opened(path, added=(), text=text, hint=", or name it with --text").pieces:
        yield from piece.to_pylist()


def _check_column(path: Path, names: Sequence[str], wanted: str, option: str) -> None:
    if wanted not in names:
        raise VigieError(
            f"{path.name} has no column {wanted!r} but {', '.join(names[:20]) or 'none'}: "
            f"name it with {option}, or rename it"
        )


def _text(row: dict[str, Any], column: str) -> str:
    value = row[column]
    return "" if value is None else str(value)


def _langs(texts: Sequence[str], given: Sequence[object]) -> list[str | None]:
    """The language of each text as given ("fr-FR" is "fr"), found where none is."""
    said = [str(own or "").lower().replace("_", "-").split("-")[0] or None for own in given]
    blank = [place for place, own in enumerate(said) if own is None]
    for place, own in zip(blank, language.detect([texts[i] for i in blank]), strict=True):
        said[place] = own
    return said


def _labelled(path: Path, *, text: str, label: str, lang: str) -> Labelled:
    """A labelled file, rows without a label left out; VigieError names what is wrong with it."""
    rows = list(_rows(path, text))
    if not rows:
        raise VigieError(f"{path.name} has no row: give it texts with labels")
    _check_column(path, list(rows[0]), label, "--label")
    if lang:
        _check_column(path, list(rows[0]), lang, "--lang")
    numbered = [(number, row) for number, row in enumerate(rows, 1) if _text(row, label).strip()]
    classes = _classes(path, [(number, _text(row, label)) for number, row in numbered])
    texts = [_text(row, text) for _, row in numbered]
    return Labelled(
        name=path.name,
        texts=texts,
        langs=_langs(texts, [row.get(lang or "lang") for _, row in numbered]),
        classes=classes,
        weights=[_weight(path, number, row.get("weight")) for number, row in numbered],
        blank_count=len(rows) - len(numbered),
    )


def _classes(path: Path, numbered: Sequence[tuple[int, str]]) -> list[int]:
    if not numbered:
        raise VigieError(f"{path.name} has no label in any row: {_REMEDY}")
    found = golden.classes([label for _, label in numbered])
    unknown = [own for own, place in zip(numbered, found, strict=True) if place is None]
    if unknown:
        number, label = unknown[0]
        others = sorted({_named(each) for _, each in unknown} - {_named(label)})[:5]
        also = f" (and others hold {', '.join(others)})" if others else ""
        raise VigieError(
            f"row {number} of {path.name} has the label {_named(label)}{also}, "
            f"{len(unknown)} rows in all: {_REMEDY}"
        )
    return [place for place in found if place is not None]


def _named(label: str) -> str:
    """A label as an error may show it: never a person's text."""
    own = label.strip()
    return repr(own) if len(own) <= _NAMED else f"a value of {len(own)} characters"


def _weight(path: Path, number: int, value: object) -> float:
    if value is None or value == "":
        return 1.0
    try:
        weight = float(str(value).replace(",", "."))
    except ValueError:
        weight = math.nan
    if not 0.0 < weight <= 100.0:
        raise VigieError(
            f"row {number} of {path.name} has the weight {_named(str(value))}: "
            "write a number over 0 and up to 100, or nothing for 1"
        )
    return weight


def _model(name: str, home: Path) -> SentimentModel:
    with _told():
        return golden.load_gold(home / "models") if name == "gold" else sentiment.load(name)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Any]:
    """A function that moves a bar on by some texts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _scored(model: SentimentModel, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
    """The tone of each text, with a bar."""
    pieces = []
    with _bar("score", len(texts)) as done, _told():
        for first in range(0, len(texts), _PIECE):
            piece = slice(first, first + _PIECE)
            pieces.append(model.score(texts[piece], langs[piece]))
            done(len(texts[piece]))
    return Tones(
        np.concatenate([own.probabilities for own in pieces]),
        [label for own in pieces for label in own.labels],
        np.concatenate([own.scores for own in pieces]),
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(_words, row))
    return table


@models_app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder of the data sets (models/datasets.py).")],
    out_folder: Annotated[
        Path, typer.Option("--out", help="Where weights go. Default: those that Vigie uses.")
    ] = checkpoint.WEIGHTS,
    work: Annotated[
        Path, typer.Option(help="What steps leave for each other; a stopped run goes on from it.")
    ] = WORK,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(training.STEPS)}; give it again for several."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = (
        training.SEED
    ),
) -> None:
    """Train the embedded models from a folder of data; about an hour on one core."""
    steps = _steps(only or [])
    if not data.is_dir():
        raise VigieError(f"--data {data} is not a folder: give the one with the data sets")
    if "network" in steps:
        _check_libraries()
    setting = training.Setting(data=data, out=out_folder, work=work, seed=seed)
    with out.status("train") as status, _telling(status):
        done = _trained(setting, steps, status)
    out.print(_table(("step", "SHA-256 of its weights"), list(done.items())))
    out.print(_words(f"{out_folder} is written. Next: vigie models card --data {data}"))


def _steps(only: Sequence[str]) -> list[str]:
    for name in only:
        if name not in training.STEPS:
            raise VigieError(f"--only {name!r} does not exist: use {', '.join(training.STEPS)}")
    return [step for step in training.STEPS if step in only or not only]


def _check_libraries() -> None:
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise VigieError(
            f"training needs {' and '.join(missing)}, which this environment lacks: "
            "pip install -e '.[train]'"
        )


def _trained(setting: training.Setting, steps: Sequence[str], status: Status) -> dict[str, str]:
    done: dict[str, str] = {}
    for number, step in enumerate(steps, 1):
        status.update(f"{step} ({number} of {len(steps)})")
        try:
            with _told():
                done |= training.train(setting, only=(step,))
        except FileNotFoundError as error:
            raise VigieError(
                f"step {step} lacks a file ({error.filename or error}): put it into {setting.data},"
                f" or run the steps before it ({', '.join(training.STEPS)}) with the same --work"
            ) from error
    return done


@contextmanager
def _telling(status: Status) -> Iterator[None]:
    """What models log, beside the spinner: names, counts and losses, never a text."""
    logger, own = logging.getLogger("models"), _Shown(status)
    before = logger.level
    logger.addHandler(own)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(own)
        logger.setLevel(before)


class _Shown(logging.Handler):
    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status

    def emit(self, record: logging.LogRecord) -> None:
        """Show the first line of an event."""
        self._status.update(_words(record.getMessage().partition("\n")[0]))


@models_app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="CSV, JSON lines or Parquet with labelled texts.")
    ] = None,
    text: Annotated[str, typer.Option(help="Its column of texts.")] = "text",
    label: Annotated[str, typer.Option(help="Its column of labels.")] = "label",
    lang: Annotated[
        str, typer.Option(help="Its column of languages. Default: `lang`, else they are found.")
    ] = "",
    gold: Annotated[
        Path | None, typer.Option(help="A gold set: columns `text`, `label`, perhaps `lang`.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="embedded, gold, a folder, or org/name@revision")
    ] = "embedded",
    home: Home = HERE,
) -> None:
    """Judge a model of tone on labelled texts of your own."""
    sets = []
    if data:
        sets.append(_labelled(data, text=text, label=label, lang=lang))
    if gold:
        sets.append(_labelled(gold, text="text", label="label", lang=""))
    if not sets:
        raise VigieError("there is nothing to judge on: give --data FILE or --gold FILE")
    own = _model(model, home)
    for each in sets:
        _judge(each, own)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Texts that a model reads, with what people and the model said of them."""

    texts: list[str]
    langs: list[str | None]
    truth: NDArray[np.int64]
    chances: NDArray[np.float64]
    is_unsure: NDArray[np.bool_]


def _judge(labelled: Labelled, model: SentimentModel) -> None:
    """Print every figure of a model on a set."""
    own = _judged(labelled, model)
    unread = len(labelled.texts) - len(own.texts)
    out.print(_words(f"{labelled.name}, {model.model_id}", style="bold"))
    out.print(
        f"{len(own.texts)} texts judged, {unread} not read (empty, or in a language without a "
        f"model), {labelled.blank_count} rows without a label"
    )
    out.print(_table(_HEADS, _lines(own)))
    table = measures.confusion(own.truth, own.chances.argmax(axis=1), caption="")
    out.print(_table(table.heads, table.rows))
    _print_worst(own, model)


def _judged(labelled: Labelled, model: SentimentModel) -> _Judged:
    said = _scored(model, labelled.texts, labelled.langs)
    read = np.flatnonzero(~np.isnan(said.probabilities[:, 0])).tolist()
    if not read:
        raise VigieError(
            f"the model {model.model_id} reads no text of {labelled.name}: check the languages"
        )
    return _Judged(
        texts=[labelled.texts[i] for i in read],
        langs=[labelled.langs[i] for i in read],
        truth=np.array(labelled.classes)[read],
        chances=said.probabilities[read].astype(float),
        is_unsure=np.array([said.labels[i] == UNDETERMINED for i in read]),
    )


def _lines(own: _Judged) -> list[tuple[str, ...]]:
    """Figures of all texts, then of each language where there are several."""
    langs = np.array([lang or "none" for lang in own.langs])
    names = sorted(set(langs.tolist()))
    lines = [_figures("all" if len(names) > 1 else names[0], own, np.ones(len(langs), np.bool_))]
    return lines + [_figures(name, own, langs == name) for name in names if len(names) > 1]


_HEADS = (
    "language", "texts", "macro-F1", "95 % interval", "macro-recall", "accuracy",
    "calibration error", "undetermined",
)  # fmt: skip


def _figures(name: str, judged: _Judged, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    """A line of figures in points of 100."""
    truth, chances = judged.truth[chosen], judged.chances[chosen]
    own = measures.judgement(truth, chances, threshold=0.0)
    right = 100 * float((chances.argmax(axis=1) == truth).mean())
    figures = (own.macro_f1, own.macro_recall, right, own.calibration)
    f1, recall, accuracy, calibration = (f"{value:.1f}" for value in figures)
    interval = f"{own.low:.1f} to {own.high:.1f}"
    unsure = f"{100 * judged.is_unsure[chosen].mean():.1f} %"
    return (name, str(own.count), f1, interval, recall, accuracy, calibration, unsure)


def _print_worst(own: _Judged, model: SentimentModel) -> None:
    """The texts that are judged most surely otherwise than by people, and which words did it."""
    said = own.chances.argmax(axis=1)
    apart = own.chances.max(axis=1) - own.chances[np.arange(len(said)), own.truth]
    worst = [int(i) for i in np.argsort(-apart, kind="stable")[:WORST] if apart[i] > 0]
    if not worst:
        out.print("No text is judged otherwise than by people.")
        return
    rows = []
    with out.status("explain"):
        for place in worst:
            text, verdict = own.texts[place], LABELS[said[place]]
            moved = _moved(text, own.langs[place], int(said[place]), model)
            sure = f"{verdict} {own.chances[place].max():.2f}"
            rows.append((LABELS[own.truth[place]], sure, moved, _cut(text)))
    out.print(f"The {len(rows)} worst errors:")
    out.print(_table(("people said", "model said", "words that moved it", "text"), rows))


def _moved(text: str, lang: str | None, place: int, model: SentimentModel) -> str:
    """The three strongest words for and against what the model said, with their effect."""
    found = explain.effects(
        text, lambda texts: model.score(texts, [lang] * len(texts)).probabilities[:, place]
    )
    strongest = explain.strongest(found, count=3)
    return ", ".join(f"{_cut(each.word, 30)} {each.effect:+.2f}" for each in strongest)


def _cut(text: str, limit: int = _SHOWN) -> str:
    """A text on one line, its end left out when it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


@models_app.command("card")
def card_(
    data: Annotated[Path, typer.Option(help="Folder of the data sets (models/datasets.py).")],
    work: Annotated[Path, typer.Option(help="The folder of work of the training.")] = WORK,
) -> None:
    """Measure the models that ship and write the figures into models/cards."""
    from models import card

    for folder, option in ((data, "--data"), (work, "--work")):
        if not folder.is_dir():
            raise VigieError(f"{option} {folder} is not a folder: `vigie models train` makes both")
    try:
        with out.status("measure") as status, _telling(status), _told():
            names = card.write(data, work)
    except FileNotFoundError as error:
        raise VigieError(
            f"a file is missing ({error.filename or error}): give --data with every data set and "
            "--work of a whole training"
        ) from error
    out.print(_words(f"written: {', '.join(names)} (models/cards)"))


@models_app.command()
def drift(
    source: Annotated[
        Path, typer.Argument(help="CSV, JSON lines or Parquet with a column `text`.")
    ],
) -> None:
    """Say whether texts still look like those that the models learnt from."""
    with _told():
        tone = sentiment.load()
        trained = drifting.read_reference(tone)
    here, count = drifting.nothing(), 0
    with _bar("read", None) as done, _told():
        for piece in _pieces(_rows(source, "text")):
            texts = [_text(row, "text") for row in piece]
            langs = _langs(texts, [row.get("lang") for row in piece])
            here = drifting.added(here, drifting.measured(texts, langs, tone=tone))
            count += len(piece)
            done(len(piece))
    if not count:
        raise VigieError(f"{source.name} has no row: give it texts")
    _print_drift(drifting.compared(here, trained), count)


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


_COLOURS = {"ok": "green", "look": "yellow", "drifted": "red"}


def _print_drift(lines: Sequence[drifting.Line], count: int) -> None:
    table = Table(
        *("figure", "here", "in training", "PSI", "verdict"), box=box.SIMPLE_HEAD, pad_edge=False
    )
    for line in lines:
        table.add_row(
            *map(_words, (line.title, line.here, line.trained, f"{line.psi:.2f}")),
            _words(line.verdict, style=_COLOURS[line.verdict]),
        )
        if line.verdict != "ok":
            for name, own, then in line.parts:
                shares = (f"  {name}", f"{100 * own:.0f} %", f"{100 * then:.0f} %", "", "")
                table.add_row(*map(_words, shares))
    out.print(table)
    for line in lines:
        if line.advice:
            out.print(_words(f"{line.title}: {line.advice}"))
    if count < drifting.LEAST_TEXTS:
        out.print(
            f"{count} texts are few: under {drifting.LEAST_TEXTS} the figures move by chance alone"
        )


@models_app.command("gold")
def gold_(
    source: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSON lines or Parquet: `text`, `label`, perhaps `lang`, `weight`."
        ),
    ],
    promote: Annotated[
        bool, typer.Option("--promote", help="Use it if it is better; else nothing changes.")
    ] = False,
    home: Home = HERE,
) -> None:
    """Learn from corrected labels: a light head on the embedded model, judged before it is used."""
    labelled = _labelled(source, text="text", label="label", lang="")
    own = golden.collected(labelled.texts, labelled.langs, labelled.classes, labelled.weights)
    with _told():
        base = sentiment.load()
        with out.status(f"learn from {len(own.texts)} texts, five folds"):
            try:
                tried = golden.tried(own, base)
            except ValueError as error:
                raise VigieError(f"{source.name}: {error}: check its languages") from error
    _print_report(tried.report)
    if tried.report.may_promote and promote:
        with _told():
            digest = golden.promote(home / "models", tried, base)
        path = home / "models" / f"{golden.NAME}.safetensors"
        out.print(_words(f"{path} is written ({digest[:12]}…)"), soft_wrap=True)
        out.print(_words('To use it, write into vigie.toml, under [models]: sentiment = "gold"'))


def _print_report(report: golden.Report) -> None:
    rows = [
        (
            name,
            f"{own.macro_f1:.1f}",
            f"{own.low:.1f} to {own.high:.1f}",
            f"{own.macro_recall:.1f}",
            f"{100 * error:.1f}",
        )
        for name, own, error in (
            ("embedded", report.now, report.calibration[0]),
            ("with the gold set", report.then, report.calibration[1]),
        )
    ]
    heads = ("model", "macro-F1", "95 % interval", "macro-recall", "calibration error")
    out.print(_table(heads, rows))
    groups = ", ".join(f"{name} {count}" for name, count in report.groups.items())
    out.print(
        _words(
            f"{report.count} texts ({groups}), {report.unread_count} not read, "
            f"{report.copies_count} copies left out; gain in macro-F1 {report.gain[0]:+.1f} to "
            f"{report.gain[1]:+.1f} points (paired, 90 %); {report.changed_share:.1%} of answers "
            "change"
        )
    )
    if report.may_promote:
        out.print("It is better: `--promote` writes it; without, nothing changes.")
        return
    out.print("Not better enough to be used; nothing has changed:")
    for reason in report.reasons:
        out.print(_words(f"  - {reason}"))
