"""`vigie models …`: checkpoints that are listed, pulled when asked for, exported and compared.

Nothing is fetched but by `pull`, once licence and size were shown and agreed to. How these
commands read somebody's file stands here too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from models import (
    export as exporting,
    gold as gold_set,
    language,
    pull as pulling,
    sentiment,
    stated,
    topics,
)
from models.errors import TaxonomyError, WeightsError as Unusable
from models.hub import trial
from models.hub.trial import Labelled, Line, Task, Trial
from models.stated import Langs
from pipelines import textfile
from pipelines.commands import Commands
from pipelines.console import (
    HERE,
    Home,
    LabelName,
    LangName,
    TextName,
    named,
    out,
    print_unknown,
    table,
    words,
)
from pipelines.errors import VigieError, WeightsError
from pipelines.score import check_column

models_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Models: compare, train and watch them; checkpoints.",
)
LIMIT = 2_000  # texts of a set: some tens of seconds for a base model
SEED = 20261120
_TONES = (
    "write negative, neutral or positive (or négatif, neutre, positif), and leave the label empty "
    "for a text that is not to be judged"
)
_TOPICS = "write ids of topics (T01 to T20), several parted by `;`, nothing for a text of no topic"


def interval(low: float, high: float) -> str:
    """The two ends of an interval as a table shows them, short: 80 columns must hold it."""
    return f"{low:.1f}–{high:.1f}"


def gained(low: float, high: float) -> str:
    """The two ends of the interval of a gain, with their signs."""
    return f"{low:+.1f} to {high:+.1f}"


@contextmanager
def told() -> Iterator[None]:
    """Faults of models as faults that a person can act on."""
    try:
        yield
    except (Unusable, TaxonomyError) as error:
        raise WeightsError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of somebody's file; without `lang` one of that name is used if it is there."""

    text: str = "text"
    label: str = "label"
    lang: str = ""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Texts of a file with their languages, labels, the numbers of their rows, and the weights as
    they are written.
    """

    name: str
    texts: list[str]
    langs: list[str | None]
    labels: list[str]
    weights: list[str]
    numbers: list[int]
    blank_count: int


Row = dict[str, Any]


def rows(path: Path, columns: Columns) -> Iterator[Row]:
    """The rows of a file of texts as dictionaries; VigieError where a column is missing."""
    pieces = textfile.opened(
        path, added=(), text=columns.text, hint=", or name it with --text"
    ).pieces
    for piece in pieces:
        if columns.lang:
            check_column(path, piece.column_names, columns.lang, option="--lang")
        yield from piece.to_pylist()


def texts_of(found: Sequence[Row], columns: Columns) -> tuple[list[str], Langs]:
    """The texts of rows and their languages, as stated or found."""
    texts = [_cell(row, columns.text) for row in found]
    return texts, stated.langs(texts, [row.get(columns.lang or "lang") for row in found])


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def labelled(path: Path, columns: Columns, *, keeps_blank: bool = False) -> LabelledRows:
    """A labelled file; rows without a label are left out unless `keeps_blank`."""
    every = list(rows(path, columns))
    if not every:
        raise VigieError(f"{path.name} has no row: give it texts with labels")
    check_column(path, list(every[0]), columns.label, option="--label")
    numbers = [
        number
        for number, row in enumerate(every, 1)
        if keeps_blank or _cell(row, columns.label).strip()
    ]
    kept = [every[number - 1] for number in numbers]
    texts, langs = texts_of(kept, columns)
    print_unknown(langs.unknown)
    return LabelledRows(
        name=path.name,
        texts=texts,
        langs=langs.codes,
        labels=[_cell(row, columns.label).strip() for row in kept],
        weights=[_cell(row, "weight") for row in kept],
        numbers=numbers,
        blank_count=len(every) - len(kept),
    )


def weights(own: LabelledRows) -> list[float]:
    """What each text counts, 1 where nothing is written; VigieError for what is no weight."""
    return [_weight(own.name, *each) for each in zip(own.numbers, own.weights, strict=True)]


def _weight(name: str, number: int, value: str) -> float:
    try:
        weight = float(value.replace(",", ".")) if value else 1.0
    except ValueError:
        weight = math.nan
    if not 0.0 < weight <= 100.0:
        raise VigieError(
            f"row {number} of {name} has the weight {named(value)}: "
            "write a number over 0 and up to 100, or nothing for 1"
        )
    return weight


def tones(own: LabelledRows) -> list[int]:
    """The place in `sentiment.LABELS` of each label; VigieError names those that are none."""
    if not own.labels:
        raise VigieError(f"{own.name} has no label in any row: {_TONES}")
    found = gold_set.classes(own.labels)
    wrong = [place for place, known in enumerate(found) if known is None]
    _refuse(own, wrong, _TONES)
    return [place for place in found if place is not None]


def _refuse(own: LabelledRows, wrong: Sequence[int], remedy: str) -> None:
    """VigieError that names the first label of `wrong` and some others."""
    if not wrong:
        return
    first, *rest = dict.fromkeys(named(own.labels[place]) for place in wrong)
    also = f" (and others hold {', '.join(sorted(rest)[:5])})" if rest else ""
    raise VigieError(
        f"row {own.numbers[wrong[0]]} of {own.name} has the label {first}{also}, "
        f"{len(wrong)} rows in all: {remedy}"
    )


@models_app.command("list")
def list_(home: Home = HERE) -> None:
    """The recommended checkpoints and those that are installed; no network."""
    for each in pulling.recommended():
        out.print(words(each.id, style="bold"), soft_wrap=True)
        langs = " ".join(each.languages)
        out.print(words(f"  {each.task} · {langs} · {each.licence} · {each.size_mb} MB"))
        out.print(words(f"  {each.why}"))
    for folder in _installed(home):
        out.print(words(f"installed: {folder}"))


def _installed(home: Path) -> list[Path]:
    return sorted(path.parent for path in (home / "models").glob("[!.]*/vigie.json"))


@models_app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="org/name or org/name@commit; `vigie models list` names some.")
    ],
    home: Home = HERE,
    task: Annotated[
        str, typer.Option(help="sentiment or topics. Default: as recommended, else sentiment.")
    ] = "",
    languages: Annotated[str, typer.Option(help="What it reads, for example fr,en.")] = "",
    gold: Annotated[
        Path | None, typer.Option(help="Labelled texts of your own: CSV, JSON lines or Parquet.")
    ] = None,
    text: TextName = "text",
    label: LabelName = "label",
    lang: LangName = "",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the public sets (models/datasets.py).")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most texts of a set, drawn by chance.")] = LIMIT,
    accept_licence: Annotated[
        str, typer.Option(help="A licence that you have read and may work under.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Fetch without asking.")] = False,
) -> None:
    """Fetch a checkpoint, check it, compare it with the embedded model, propose the better."""
    wanted = _task(task, name)
    # A fault of the texts is told before a long download.
    own = [_own(gold, Columns(text=text, label=label, lang=lang), wanted)] if gold else []
    sets = _sets(wanted, own, data, limit)
    with told():
        found = pulling.offer(
            name,
            languages=tuple(languages.split(",")) if languages else (),
            accepted_licence=accept_licence,
        )
        installed = pulling.pull(found, home / "models", may_fetch=lambda o: _agreed(o, yes=yes))
    if installed is None:
        out.print("Nothing was fetched.")
        raise typer.Exit(1)
    out.print(words(f"{found.pinned} is in {installed.folder}"), soft_wrap=True)
    _print_report(installed.report)
    with told():
        trials = _trials(wanted, installed.folder, sets)
    _print_trials(trials)
    _propose(found, installed.folder, wanted, trials)


def _task(said: str, name: str) -> Task:
    entry = pulling.known(name.partition("@")[0])
    task = said or (entry.task if entry else "sentiment")
    tasks: dict[str, Task] = {"sentiment": "sentiment", "topics": "topics"}
    if task in tasks:
        return tasks[task]
    raise VigieError(f"--task {task!r} does not exist: write sentiment or topics")


def _agreed(offer: pulling.Offer, *, yes: bool) -> bool:
    """Whether a download is wanted, once its licence and size were shown."""
    out.print(words(offer.pinned, style="bold"))
    for line in (
        f"licence    {offer.licence}",
        f"languages  {' '.join(offer.languages) or 'as its card says'}",
        f"download   {offer.size_mb} MB, {len(offer.files)} files",
    ):
        out.print(words(f"  {line}"))
    return yes or typer.confirm("Fetch it?", default=False)


def _print_report(report: exporting.Report | None) -> None:
    if report is None:
        out.print(words("Its ONNX file is used as it came, not quantised."))
        return
    out.print(
        f"exported: {report.apart:.1e} from torch, {report.fp32_mb} MB; in 8 bits "
        f"{report.int8_mb} MB, {report.int8_agreement:.1%} of random texts judged alike"
    )


def _sets(task: Task, own: list[Labelled], data: Path | None, limit: int) -> list[Labelled]:
    """The labelled texts to judge on: the institution's own first."""
    public = _public(data) if data and task == "sentiment" else []
    return [_drawn(each, limit) for each in own + public]


def _own(path: Path, columns: Columns, task: Task) -> Labelled:
    """The institution's own texts; VigieError when a label is none of ours."""
    found = labelled(path, columns, keeps_blank=task == "topics")
    labels = found.labels
    if task == "sentiment":
        labels = [sentiment.LABELS[place] for place in tones(found)]
    marks = trial.marks(labels, task=task)
    nameless = [i for i, row in enumerate(marks) if labels[i] and not row.any()]
    _refuse(found, nameless, _TOPICS)
    return Labelled(name=path.name, texts=found.texts, langs=found.langs, marks=marks)


def _public(folder: Path) -> list[Labelled]:
    """The public sets of tone that are in a folder, in their languages."""
    from models import datasets

    sets = []
    for source in datasets.SENTIMENT:
        if not (folder / f"{source.file}.parquet").is_file():
            continue
        for lang in language.LANGUAGES:
            read = datasets.sentiment(folder, lang=lang, sources=[source])
            if read.texts:
                labels = [sentiment.LABELS[place] for place in read.classes]
                sets.append(
                    Labelled(
                        name=f"{source.file} ({lang})",
                        texts=read.texts,
                        langs=[lang] * len(labels),
                        marks=trial.marks(labels, task="sentiment"),
                        is_seen=source.may_train,
                    )
                )
    if not sets:
        raise VigieError(
            f"{folder} holds no public set: it needs files such as "
            f"{datasets.SENTIMENT[0].file}.parquet"
        )
    return sets


def _drawn(labelled: Labelled, limit: int) -> Labelled:
    """At most `limit` texts of a set, the same at each call."""
    count = len(labelled.texts)
    if count <= limit:
        return labelled
    places = sorted(random.Random(SEED).sample(range(count), limit))  # noqa: S311
    return replace(
        labelled,
        texts=[labelled.texts[i] for i in places],
        langs=[labelled.langs[i] for i in places],
        marks=labelled.marks[places],
    )


def _trials(task: Task, folder: Path, sets: list[Labelled]) -> list[Trial]:
    """The embedded model and the checkpoint on each set."""
    load = sentiment.load if task == "sentiment" else topics.load
    other = load(str(folder))  # also when there is nothing to judge on: it must load
    if not sets:
        return []
    now = load()
    with out.status("compare") as status:
        trials = []
        for labelled in sets:
            status.update(f"compare on {len(labelled.texts)} texts")
            trials.append(trial.compare(now, other, labelled))
    return trials


def _print_trials(trials: list[Trial]) -> None:
    """A small table a set: both models, in points of 100."""
    for each in trials:
        taught = ", which taught the embedded model" if each.is_seen else ""
        out.print(words(f"{each.name}, {each.count} texts{taught}"))
        heads = ("model", "F1", "95 % interval", "gain, 95 %", "texts/s")
        gain = gained(*(100 * end for end in each.gain))
        lines = [("embedded", *_figures(each.now, "")), ("checkpoint", *_figures(each.other, gain))]
        out.print(table(heads, lines))


def _figures(line: Line, gain: str) -> tuple[str, ...]:
    """The cells of a model on a set, in points of 100."""
    ends = interval(100 * line.low, 100 * line.high)
    return f"{100 * line.f1:.1f}", ends, gain, f"{line.texts_per_second:.0f}"


def _propose(offer: pulling.Offer, folder: Path, task: Task, trials: list[Trial]) -> None:
    """Say which tier to use: on the institution's own texts, else on sets that neither learnt."""
    judged = [each for each in trials if not each.is_seen]
    if judged and not judged[0].is_better:
        name = judged[0].name
        out.print(words(f"Keep the embedded model: the other is not better on {name}."))
        out.print("To use it nevertheless, write into vigie.toml:")
    elif judged:
        out.print("The checkpoint is better. To use it, write into vigie.toml:")
    else:
        out.print("Not judged: give --gold FILE with texts of your own. To use it, in vigie.toml:")
    out.print(words(pulling.proposal(offer, folder, task)), soft_wrap=True)


@models_app.command()
def export(
    name: Annotated[str, typer.Argument(help="A folder, or org/name@commit; #fr,en after it.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; replaced if it is there.")],
    quantise: Annotated[bool, typer.Option(help="Also write the 8-bit file.")] = True,
) -> None:
    """Export a checkpoint to ONNX, so that it scores without torch."""
    with told():
        report = exporting.export(name, folder, is_quantised=quantise)
    out.print(words(f"{folder} is written ({report.kind}, {report.fp32_mb} MB)"), soft_wrap=True)
    out.print(f"at most {report.apart:.1e} from torch")
    if report.int8_agreement is not None:
        out.print(
            f"in 8 bits: {report.int8_mb} MB, at most {report.int8_apart:.3f} from torch, "
            f"{report.int8_agreement:.1%} of random texts judged alike"
        )
