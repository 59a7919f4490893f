"""`vigie models train | evaluate | card | drift | gold`: models made, judged, watched.

Importing this registers the commands on `models_cli.models_app`. Nothing here touches the network.
Texts of people are shown by `evaluate` only, on the operator's own terminal, from a file of theirs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.status import Status
from typer.core import TyperCommand

from models import (
    checkpoint,
    drift as drifting,
    evaluate as measures,
    gold as golden,
    heads,
    sentiment,
    stated,
    train as training,
)
from models.sentiment import LABELS, UNDETERMINED, SentimentModel, Tones
from pipelines import gold_commands
from pipelines.console import (
    HERE,
    Home,
    LabelName,
    LangName,
    TextName,
    bar,
    out,
    print_unknown,
    table,
    words,
)
from pipelines.errors import VigieError
from pipelines.explained import cut, moved_words
from pipelines.models_cli import (
    Columns,
    LabelledRows,
    Row,
    gained,
    interval,
    labelled,
    models_app,
    rows,
    texts_of,
    told,
    tones,
    weights,
)

__all__ = ["models_app"]  # with the commands of this file registered

WORK = Path(".vigie/training")
STORED = "@home"  # what `--gold` alone stands for; no file that anybody names so
WORST = 10
_PIECE = 2_000  # texts between two steps of the bar
_SHOWN = 240  # characters of a text that is shown
_NEEDS = ("torch", "floret")


def _model(name: str, home: Path) -> SentimentModel:
    with told():
        return golden.load_gold(home / "models") if name == "gold" else sentiment.load(name)


def _scored(model: SentimentModel, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
    """The tone of each text, with a bar."""
    pieces = []
    with bar("score") as moved, told():
        for first in range(0, len(texts), _PIECE):
            piece = slice(first, first + _PIECE)
            pieces.append(model.score(texts[piece], langs[piece]))
            moved(min(first + _PIECE, len(texts)), len(texts))
    return Tones(
        np.concatenate([own.probabilities for own in pieces]),
        [label for own in pieces for label in own.labels],
        np.concatenate([own.scores for own in pieces]),
    )


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
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head that step heads fits, such as T13: all others keep their bytes."),
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
    setting = training.Setting(data, out_folder, work, seed, _named(head or []))
    with out.status("train") as status, _telling(status):
        done = _trained(setting, steps, status)
    out.print(table(("step", "SHA-256 of its weights"), list(done.items())))
    out.print(words(f"{out_folder} is written. Next: vigie models card --data {data}"))


def _steps(only: Sequence[str]) -> list[str]:
    for name in only:
        if name not in training.STEPS:
            raise VigieError(f"--only {name!r} does not exist: use {', '.join(training.STEPS)}")
    return [step for step in training.STEPS if step in only or not only]


def _named(names: Sequence[str]) -> tuple[str, ...]:
    unknown = set(names) - {*heads.wanted()}
    if unknown:
        raise VigieError(f"--head {min(unknown)!r} is no head: use {', '.join(heads.wanted())}")
    return tuple(names)


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
            with told():
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
        self._status.update(words(record.getMessage().partition("\n")[0]))


class _BareGold(TyperCommand):
    """A command whose `--gold` may stand without a file: then it means the stored gold set."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `STORED` behind a `--gold` that nothing, or another option, follows."""
        told = [
            f"--gold={STORED}" if one == "--gold" and after.startswith("-") else one
            for one, after in pairwise([*args, "-"])
        ]
        return super().parse_args(ctx, told)


@models_app.command(cls=_BareGold)
def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled texts to judge on: CSV, JSON lines or Parquet. Not with --gold."
        ),
    ] = None,
    text: TextName = "text",
    label: LabelName = "label",
    lang: LangName = "",
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Without a file: the institution's own gold set (docs/labelling.md). With one: a "
            "gold set of `vigie models gold`, in the place of --data: it is said when the model "
            "has learnt from it."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="embedded, gold, a folder, or org/name@revision. Default: embedded; for the "
            "institution's own gold set the models in use."
        ),
    ] = "",
    home: Home = HERE,
) -> None:
    """Judge a model of tone on labelled texts of your own, or on the gold set."""
    path = _one_of(data, gold)
    if str(path) == STORED:
        gold_commands.evaluate(home, model=model)
        return
    found = labelled(path, Columns(text=text, label=label, lang=lang))
    classes, own = tones(found), _model(model or "embedded", home)
    if gold and model == "gold":
        out.print(
            "The gold head learnt from its gold set: what follows flatters it. "
            "`vigie models gold FILE` judges it by folds, on texts that it had not seen."
        )
    _judge(found, classes, own)


def _one_of(data: Path | None, gold: Path | None) -> Path:
    if data and gold:
        raise VigieError(
            "--data and --gold are both given, and one file is judged at a time: leave one out, "
            "and run the command again for the other"
        )
    if found := data or gold:
        return found
    raise VigieError(
        "there is nothing to judge on: give --data FILE or --gold FILE, or --gold alone"
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """Texts that a model reads, with what people and the model said of them."""

    texts: list[str]
    langs: list[str | None]
    truth: NDArray[np.int64]
    chances: NDArray[np.float64]
    is_unsure: NDArray[np.bool_]


def _judge(found: LabelledRows, classes: Sequence[int], model: SentimentModel) -> None:
    """Print every figure of a model on a set."""
    own = _judged(found, classes, model)
    unread = len(found.texts) - len(own.texts)
    out.print(words(f"{found.name}, {model.model_id}", style="bold"))
    out.print(
        f"{len(own.texts)} texts judged, {unread} not read (empty, or in a language without a "
        f"model), {found.blank_count} rows without a label"
    )
    out.print(table(_HEADS, _lines(own)))
    both = measures.confusion(own.truth, own.chances.argmax(axis=1), caption="")
    out.print(table(both.heads, both.rows))
    _print_worst(own, model)


def _judged(found: LabelledRows, classes: Sequence[int], model: SentimentModel) -> _Judged:
    said = _scored(model, found.texts, found.langs)
    read = np.flatnonzero(~np.isnan(said.probabilities[:, 0])).tolist()
    if not read:
        raise VigieError(
            f"the model {model.model_id} reads no text of {found.name}: check the languages"
        )
    return _Judged(
        texts=[found.texts[i] for i in read],
        langs=[found.langs[i] for i in read],
        truth=np.array(classes)[read],
        chances=said.probabilities[read].astype(float),
        is_unsure=np.array([said.labels[i] == UNDETERMINED for i in read]),
    )


def _lines(own: _Judged) -> list[tuple[str, ...]]:
    """Figures of all texts, then of each language where there are several."""
    langs = np.array([lang or "none" for lang in own.langs])
    names = sorted(set(langs.tolist()))
    lines = [_figures("all" if len(names) > 1 else names[0], own, np.ones(len(langs), np.bool_))]
    return lines + [_figures(name, own, langs == name) for name in names if len(names) > 1]


# In two lines, so that 80 columns hold every line of figures whole.
_HEADS = (
    "lang", "texts", "macro\nF1", "95 %\ninterval", "macro\nrecall", "accuracy",
    "calibration\nerror", "undeter-\nmined",
)  # fmt: skip


def _figures(name: str, judged: _Judged, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    """A line of figures in points of 100."""
    truth, chances = judged.truth[chosen], judged.chances[chosen]
    own = measures.judgement(truth, chances, threshold=0.0)
    right = 100 * float((chances.argmax(axis=1) == truth).mean())
    figures = (own.macro_f1, own.macro_recall, right, own.calibration)
    f1, recall, accuracy, calibration = (f"{value:.1f}" for value in figures)
    unsure = f"{100 * judged.is_unsure[chosen].mean():.1f} %"
    ends = interval(own.low, own.high)
    return (name, str(own.count), f1, ends, recall, accuracy, calibration, unsure)


def _print_worst(own: _Judged, model: SentimentModel) -> None:
    """The texts that are judged most surely otherwise than by people, and which words did it."""
    said = own.chances.argmax(axis=1)
    apart = own.chances.max(axis=1) - own.chances[np.arange(len(said)), own.truth]
    worst = [int(i) for i in np.argsort(-apart, kind="stable")[:WORST] if apart[i] > 0]
    if not worst:
        out.print("No text is judged otherwise than by people.")
        return
    lines = []
    with out.status("explain"):
        for place in worst:
            text = own.texts[place]
            moved = _moved(text, own.langs[place], int(said[place]), model)
            sure = f"{LABELS[said[place]]} {100 * own.chances[place].max():.0f} %"
            lines.append((LABELS[own.truth[place]], sure, moved, cut(text, _SHOWN)))
    out.print(f"The {len(lines)} worst errors, with the words that moved each, in points:")
    out.print(table(("people said", "model said", "words", "text"), lines))


def _moved(text: str, lang: str | None, place: int, model: SentimentModel) -> str:
    """The three strongest words for and against what the model said, with their effect."""

    def chances(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.score(texts, [lang] * len(texts)).probabilities[:, place]

    return moved_words(text, chances, count=3)


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
        with out.status("measure") as status, _telling(status), told():
            names = card.write(data, work)
    except FileNotFoundError as error:
        raise VigieError(
            f"a file is missing ({error.filename or error}): give --data with every data set and "
            "--work of a whole training"
        ) from error
    out.print(words(f"written: {', '.join(names)} (models/cards)"))


@models_app.command()
def drift(
    source: Annotated[Path, typer.Argument(help="Texts: CSV, JSON lines or Parquet.")],
    text: TextName = "text",
    lang: LangName = "",
) -> None:
    """Say whether texts still look like those that the models learnt from, by language."""
    columns = Columns(text=text, lang=lang)
    pieces = _pieces(rows(source, columns))
    first = next(pieces, None)  # what is wrong with the file is told before models are read
    if first is None:
        raise VigieError(f"{source.name} has no row: give it texts")
    with told():
        tone = sentiment.load()
        trained = drifting.read_reference(tone)
    _print_drift(_measured(chain([first], pieces), columns, tone), trained)


def _pieces(left: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(islice(left, _PIECE)):
        yield piece


def _measured(
    pieces: Iterable[list[Row]], columns: Columns, tone: SentimentModel
) -> drifting.ByLang:
    """The figures of a file by language, with a bar; languages that are none are told."""
    here: drifting.ByLang = {}
    done, unknown = 0, Counter[str]()
    with bar("read") as moved, told():
        for piece in pieces:
            texts, langs = texts_of(piece, columns)
            here = drifting.added(here, drifting.measured(texts, langs.codes, tone=tone))
            unknown += langs.unknown
            done += len(piece)
            moved(done, None)
    print_unknown(unknown)
    return here


_COLOURS = {"ok": "green", "look": "yellow", "drifted": "red", "few texts": ""}


def _print_drift(here: drifting.ByLang, trained: drifting.ByLang) -> None:
    every = drifting.compared(here, trained)
    if lines := [line for line in every if line.verdict != "few texts"] or every:
        out.print(
            table(
                ("lang", "figure", "here", "in training", "PSI", "verdict"),
                [row for line in lines for row in _drift_rows(line)],
            )
        )
    for line in lines:
        if line.advice:
            out.print(words(f"{line.lang}, {line.title}: {line.advice}"))
    _print_languages(drifting.counts(here), trained)
    if kinds := [f"{name} {100 * share:.0f} %" for name, share in drifting.mix(here)]:
        out.print(
            "French is compared with training text of the same kinds of writing: "
            f"{', '.join(kinds)}."
        )


def _drift_rows(line: drifting.Line) -> Iterator[tuple[object, ...]]:
    """A figure, and the shares of its bins where it has moved."""
    verdict = words(line.verdict, style=_COLOURS[line.verdict])
    yield line.lang, line.title, line.here, line.trained, f"{line.psi:.2f}", verdict
    if line.verdict in ("look", "drifted"):
        for name, own, then in line.parts:
            yield "", f"  {name}", f"{100 * own:.0f} %", f"{100 * then:.0f} %", "", ""


def _print_languages(counts: dict[str, int], trained: drifting.ByLang) -> None:
    """What was not compared, and where there are too few texts for a verdict."""
    others = Counter[str]()
    for lang, count in counts.items():
        if lang not in trained:  # what names no language may be a text, from the wrong column
            others[lang if stated.code(lang) else "none or unknown"] += count
    if others:
        told_of = ", ".join(f"{lang} {count}" for lang, count in others.most_common())
        out.print(f"Not compared, since training text has none of it: {told_of} texts.")
    least = drifting.LEAST_TEXTS
    few = [f"{n} texts are {lang}" for lang, n in counts.items() if lang in trained and n < least]
    if few:
        out.print(
            words(f"{', '.join(few)}: under {least} the figures move by chance, without a verdict.")
        )


@models_app.command("gold")
def gold_(
    source: Annotated[
        Path,
        typer.Argument(
            help="Labelled texts: CSV, JSON lines or Parquet; a column `weight` counts if there is "
            "one."
        ),
    ],
    text: TextName = "text",
    label: LabelName = "label",
    lang: LangName = "",
    promote: Annotated[
        bool, typer.Option("--promote", help="Use it if it is better; else nothing changes.")
    ] = False,
    home: Home = HERE,
) -> None:
    """Learn from corrected labels: a light head on the embedded model, judged before it is used."""
    found = labelled(source, Columns(text=text, label=label, lang=lang))
    own = golden.collected(found.texts, found.langs, tones(found), weights(found))
    with told():
        base = sentiment.load()
        with out.status(f"learn from {len(own.texts)} texts, five folds"):
            try:
                tried = golden.tried(own, base)
            except ValueError as error:
                raise VigieError(f"{source.name}: {error}: check its languages") from error
    _print_report(tried.report)
    if tried.report.may_promote and promote:
        with told():
            digest = golden.promote(home / "models", tried, base)
        path = home / "models" / f"{golden.NAME}.safetensors"
        out.print(words(f"{path} is written ({digest[:12]}…)"), soft_wrap=True)
        out.print(words('To use it, write into vigie.toml, under [models]: sentiment = "gold"'))


def _print_report(report: golden.Report) -> None:
    lines = [
        (
            name,
            f"{own.macro_f1:.1f}",
            interval(own.low, own.high),
            f"{own.macro_recall:.1f}",
            f"{own.calibration:.1f}",
        )
        for name, own in (("embedded", report.now), ("with the gold set", report.then))
    ]
    heads = ("model", "macro F1", "95 % interval", "macro recall", "calibration error")
    out.print(table(heads, lines))
    groups = ", ".join(f"{name} {count}" for name, count in report.groups.items())
    out.print(
        words(
            f"{report.count} texts ({groups}), {report.unread_count} not read, "
            f"{report.copies_count} copies left out; gain in macro-F1 "
            f"{gained(*report.gain)} points (paired, 90 %); "
            f"{report.changed_share:.1%} of answers change"
        )
    )
    if report.may_promote:
        out.print("It is better: `--promote` writes it; without, nothing changes.")
        return
    out.print("Not better enough to be used; nothing has changed:")
    for reason in report.reasons:
        out.print(words(f"  - {reason}"))
