"""`vigie models …`: checkpoints that are listed, pulled when asked for, exported and compared.

Nothing is fetched but by `pull`, once licence and size were shown and agreed to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models import (
    export as exporting,
    gold as gold_set,
    language,
    pull as pulling,
    sentiment,
    topics,
)
from models.errors import TaxonomyError, WeightsError as Unusable
from models.hub import trial
from models.hub.trial import Labelled, Line, Task, Trial
from pipelines import textfile
from pipelines.errors import VigieError, WeightsError

models_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Models: compare, train and watch them; checkpoints.",
)
out = Console(highlight=False)
Home = Annotated[
    Path,
    typer.Option("--home", "-H", envvar="VIGIE_HOME", help="The institution's folder."),
]
HERE = Path(".vigie/home")
LIMIT = 2_000  # texts of a set: some tens of seconds for a base model
SEED = 20261120


def _words(value: object, *, style: str = "") -> Text:
    """A value as it reads: never markup, and no control character of a stranger for a terminal."""
    signs = (c if c.isprintable() or c == "\n" else " " * c.isspace() for c in str(value))
    return Text("".join(signs), style=style)


@contextmanager
def _told() -> Iterator[None]:
    """Faults of models as faults that a person can act on."""
    try:
        yield
    except (Unusable, TaxonomyError) as error:
        raise WeightsError(str(error)) from error


@models_app.command("list")
def list_(home: Home = HERE) -> None:
    """The recommended checkpoints and those that are installed; no network."""
    for each in pulling.recommended():
        out.print(_words(each.id, style="bold"), soft_wrap=True)
        langs = " ".join(each.languages)
        out.print(_words(f"  {each.task} · {langs} · {each.licence} · {each.size_mb} MB"))
        out.print(_words(f"  {each.why}"))
    for folder in _installed(home):
        out.print(_words(f"installed: {folder}"))


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
        Path | None, typer.Option(help="CSV, JSON lines or Parquet with `text` and `label`.")
    ] = None,
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
    sets = _sets(wanted, gold, data, limit)  # a fault of the texts is told before a long download
    with _told():
        found = pulling.offer(
            name,
            languages=tuple(languages.split(",")) if languages else (),
            accepted_licence=accept_licence,
        )
        installed = pulling.pull(found, home / "models", may_fetch=lambda o: _agreed(o, yes=yes))
    if installed is None:
        out.print("Nothing was fetched.")
        raise typer.Exit(1)
    out.print(_words(f"{found.pinned} is in {installed.folder}"), soft_wrap=True)
    _print_report(installed.report)
    with _told():
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
    out.print(_words(offer.pinned, style="bold"))
    for line in (
        f"licence    {offer.licence}",
        f"languages  {' '.join(offer.languages) or 'as its card says'}",
        f"download   {offer.size_mb} MB, {len(offer.files)} files",
    ):
        out.print(_words(f"  {line}"))
    return yes or typer.confirm("Fetch it?", default=False)


def _print_report(report: exporting.Report | None) -> None:
    if report is None:
        out.print(_words("Its ONNX file is used as it came, not quantised."))
        return
    out.print(
        f"exported: {report.apart:.1e} from torch, {report.fp32_mb} MB; in 8 bits "
        f"{report.int8_mb} MB, {report.int8_agreement:.1%} of random texts judged alike"
    )


def _sets(task: Task, gold: Path | None, data: Path | None, limit: int) -> list[Labelled]:
    """The labelled texts to judge on: the institution's own first."""
    sets = [_gold(gold, task)] if gold else []
    if data and task == "sentiment":
        sets += _public(data)
    return [_drawn(each, limit) for each in sets]


def _gold(path: Path, task: Task) -> Labelled:
    """The institution's own texts; VigieError when a label is none of ours."""
    rows = [row for piece in textfile.opened(path, added=()).pieces for row in piece.to_pylist()]
    if not rows or "label" not in rows[0]:
        raise VigieError(
            f"{path.name} has no column 'label' with a row under it: give it `text` and `label`"
        )
    texts = [row["text"] or "" for row in rows]
    labels = [str(row["label"] or "").strip() for row in rows]
    if task == "sentiment":  # French names and signs too, as everywhere
        places = gold_set.classes(labels)
        both = zip(places, labels, strict=True)
        labels = [own if place is None else sentiment.LABELS[place] for place, own in both]
    found = trial.marks(labels, task=task)
    _check_labels(path, labels, [bool(row.any()) for row in found], task)
    given = [row.get("lang") for row in rows]
    langs = [own or seen for own, seen in zip(given, language.detect(texts), strict=True)]
    return Labelled(name=path.name, texts=texts, langs=langs, marks=found)


def _check_labels(path: Path, labels: list[str], is_known: list[bool], task: Task) -> None:
    """A text may be of no topic, and then its label is empty; a tone is never empty."""
    for number, (label, known) in enumerate(zip(labels, is_known, strict=True), start=1):
        if not known and (label or task == "sentiment"):
            names = sentiment.LABELS if task == "sentiment" else topics.LABELS
            raise VigieError(
                f"row {number} of {path.name} has the label {label[:40]!r}: use {', '.join(names)}"
            )


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
    return Labelled(
        name=labelled.name,
        texts=[labelled.texts[i] for i in places],
        langs=[labelled.langs[i] for i in places],
        marks=labelled.marks[places],
        is_seen=labelled.is_seen,
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
        out.print(_words(f"{each.name}, {each.count} texts{taught}"))
        heads = ("model", "F1", "95 % interval", "gain, 95 %", "texts/s")
        table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
        gain = f"{100 * each.gain[0]:+.1f} to {100 * each.gain[1]:+.1f}"
        table.add_row("embedded", *_figures(each.now, ""))
        table.add_row("checkpoint", *_figures(each.other, gain))
        out.print(table)


def _figures(line: Line, gain: str) -> tuple[str, ...]:
    """The cells of a model on a set, in points of 100."""
    interval = f"{100 * line.low:.1f} to {100 * line.high:.1f}"
    return f"{100 * line.f1:.1f}", interval, gain, f"{line.texts_per_second:.0f}"


def _propose(offer: pulling.Offer, folder: Path, task: Task, trials: list[Trial]) -> None:
    """Say which tier to use: on the institution's own texts, else on sets that neither learnt."""
    judged = [each for each in trials if not each.is_seen]
    if judged and not judged[0].is_better:
        name = judged[0].name
        out.print(_words(f"Keep the embedded model: the other is not better on {name}."))
        out.print("To use it nevertheless, write into vigie.toml:")
    elif judged:
        out.print("The checkpoint is better. To use it, write into vigie.toml:")
    else:
        out.print("Not judged: give --gold FILE with texts of your own. To use it, in vigie.toml:")
    out.print(_words(pulling.proposal(offer, folder, task)), soft_wrap=True)


@models_app.command()
def export(
    name: Annotated[str, typer.Argument(help="A folder, or org/name@commit; #fr,en after it.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; replaced if it is there.")],
    quantise: Annotated[bool, typer.Option(help="Also write the 8-bit file.")] = True,
) -> None:
    """Export a checkpoint to ONNX, so that it scores without torch."""
    with _told():
        report = exporting.export(name, folder, is_quantised=quantise)
    out.print(_words(f"{folder} is written ({report.kind}, {report.fp32_mb} MB)"), soft_wrap=True)
    out.print(f"at most {report.apart:.1e} from torch")
    if report.int8_agreement is not None:
        out.print(
            f"in 8 bits: {report.int8_mb} MB, at most {report.int8_apart:.3f} from torch, "
            f"{report.int8_agreement:.1%} of random texts judged alike"
        )
