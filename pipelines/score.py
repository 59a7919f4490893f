"""Accepted mentions in, the same rows with tone, topics and lineage out; and any file of texts.

Models are read once, texts pass through in pieces, and each piece is read once for all models.
Scores hold no author: topics and people never meet in a file. Costs about 90 microseconds a
text on one core with the embedded models; a long file is shared among processes, at most WORKERS
unless more are asked for: each reads the models for itself, about 500 MB. Memory does not grow with
the file.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from models import acts, lineage, sentiment, stated, suite, topics
from models.errors import TaxonomyError, WeightsError as Unusable
from models.hub.running import processors
from models.lineage import Scorer
from models.sentiment import Tones
from models.suite import Scores, Suite
from pipelines import textfile
from pipelines.aside import written_aside
from pipelines.columns import lists, numbers, strings
from pipelines.errors import VigieError, WeightsError

if TYPE_CHECKING:
    from pipelines.settings import Models  # costs a fifth of a second

log = logging.getLogger(__name__)

WORKERS = 4  # processes of a long file: about 2 GB with what each reads
SCORE_SCHEMA = pa.schema(
    [
        pa.field("mention_id", pa.string(), nullable=False),
        pa.field("scorer_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("p_negative", pa.float32()),
        pa.field("p_neutral", pa.float32()),
        pa.field("p_positive", pa.float32()),
        pa.field("sentiment", pa.string(), nullable=False),
        pa.field("sentiment_score", pa.float32()),
        pa.field("topics", pa.list_(pa.string()), nullable=False),
        pa.field("topic_p", pa.list_(pa.float32()), nullable=False),
        pa.field("subtopics", pa.list_(pa.string()), nullable=False),
        pa.field("acts", pa.list_(pa.string()), nullable=False),
        pa.field("act_p", pa.list_(pa.float32()), nullable=False),
        pa.field("risk", pa.string()),
        pa.field("p_irony", pa.float32()),
        pa.field("p_political", pa.float32()),
        pa.field("aspects", pa.list_(pa.string()), nullable=False),
        pa.field("scored_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
_READ = ("mention_id", "text_hash", "lang", "title", "text")
_ADDED = (
    *("p_negative", "p_neutral", "p_positive", "sentiment", "sentiment_score"),
    *("p_irony", "p_political", "topics"),
    *(f"topic_p_{topic}" for topic in topics.LABELS),
    "acts",
    *(f"act_p_{act}" for act in acts.ACTS),
    *("risk", "aspects", "model_id"),
)

_LISTS = ("topics", "acts", "aspects")

Progress = Callable[[int, int | None], object]
Unknown = Counter[str]  # values of a column of languages that name none, and rows of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How many rows were scored, and by what."""

    row_count: int
    scorer: Scorer


def load_suite(*, tone: str, subject: str = "embedded") -> Suite:
    """The models of these names; WeightsError when one cannot be used."""
    try:
        return suite.load(tone=tone, subject=subject)
    except (Unusable, TaxonomyError) as error:
        raise WeightsError(str(error)) from error


def score(mentions: Path, out: Path, *, models: Models, scored_at: datetime) -> Scored:
    """Write the score of every mention of a Parquet file; how many, and who scored.

    The title of a press article is read with its text. A second call replaces the file.
    WeightsError when a model cannot be used.
    """
    own = load_suite(tone=models.sentiment, subject=models.topics)
    scorer = lineage.scorer(own.tone, own.subject, own.doing)
    count = 0
    with written_aside(out) as aside, pq.ParquetWriter(aside, SCORE_SCHEMA) as writer:
        for piece in pq.ParquetFile(mentions).iter_batches(
            batch_size=textfile.ROWS, columns=list(_READ)
        ):
            writer.write_batch(_scores(piece.to_pydict(), own, scorer.scorer_id, scored_at))
            count += piece.num_rows
    return Scored(row_count=count, scorer=scorer)


def _scores(
    read: dict[str, list[Any]], own: Suite, scorer_id: str, scored_at: datetime
) -> pa.RecordBatch:
    texts = [_whole(*both) for both in zip(read["title"], read["text"], strict=True)]
    said = own.score(texts, read["lang"])
    count = len(texts)
    columns = {
        "mention_id": read["mention_id"],
        "scorer_id": [scorer_id] * count,
        "text_hash": read["text_hash"],
        "lang": read["lang"],
        **_tone_columns(said.tone),
        "topics": said.found.topics,
        "topic_p": _chances(said.found.probabilities),
        "subtopics": said.subtopics,
        "acts": said.done.acts,
        "act_p": _chances(said.done.probabilities),
        "risk": said.done.risks,
        "p_irony": numbers(said.p_irony),
        "p_political": numbers(said.p_political),
        "aspects": said.services,
        "scored_at": [scored_at] * count,
    }
    arrays = [pa.array(columns[field.name], field.type) for field in SCORE_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCORE_SCHEMA)


def _whole(title: str | None, text: str) -> str:
    return text if not title or text.startswith(title) else f"{title}. {text}"


def _tone_columns(tone: Tones) -> dict[str, Any]:
    chances = {
        f"p_{label}": numbers(tone.probabilities[:, place])
        for place, label in enumerate(sentiment.LABELS)
    }
    return {**chances, "sentiment": tone.labels, "sentiment_score": numbers(tone.scores)}


def _chances(chances: np.ndarray[Any, Any]) -> list[list[float]]:
    """Probabilities by row; an empty list where no model reads the text."""
    unknown = np.isnan(chances[:, 0])
    return [
        [] if is_unknown else row for is_unknown, row in zip(unknown, chances.tolist(), strict=True)
    ]


def score_file(
    source: Path,
    out: Path,
    *,
    text: str = "text",
    lang: str = "",
    model: str = "embedded",
    spreadsheet_safe: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    unknown: Callable[[Unknown], object] | None = None,
) -> int:
    """Score a file with a column `text`; how many rows. The endings say CSV, JSONL or Parquet.

    Rows keep their order and columns; the column `lang` (by default `lang`, where there is one) is
    respected where it names a language, and languages are found where it is empty. What is added
    stands in `docs/models.md`: numbers are null where no model reads the text, lists (topics, acts,
    aspects) are JSON text in CSV. Texts are written as they were read: a spreadsheet may take one
    that begins with `=` for a formula, unless `spreadsheet_safe` puts a ' before it (CSV only). A
    model other than the embedded one judges tone; the rest stays with the embedded ones. A file of
    several pieces is shared among `workers` processes, one a core and at most WORKERS unless said.

    `progress` gets the rows done and the rows in all (None when the form does not say), first once
    nothing is wrong with the arguments. `unknown` gets, at the end, the values that name no
    language; such rows have no tone. VigieError names what is wrong with the file; then nothing is
    written.
    """
    _keep_little()
    texts = _opened(source, text, lang)
    write = textfile.writer(out, spreadsheet_safe=spreadsheet_safe)
    own, work = load_suite(tone=model), _Work(model, text, lang or "lang")
    shown = progress or (lambda _done, _total: None)
    shown(0, texts.row_count)
    done, strange = 0, Unknown()
    with written_aside(out) as aside, write(aside) as writer:
        for piece, nameless in _widened(texts.pieces, own, work, workers=workers):
            writer.write(piece)
            strange += nameless
            done += piece.num_rows
            shown(done, texts.row_count)
    if strange:
        (unknown or _log_unknown)(strange)
    return done


def _opened(source: Path, text: str, lang: str) -> textfile.Texts:
    """A file to score; VigieError where a column that is named is missing."""
    added = (*_ADDED, "lang") if lang not in ("", "lang") else _ADDED
    texts = textfile.opened(source, added=added, text=text, hint=", or name it with --text")
    first = next(texts.pieces)
    if lang:
        check_column(source, first.column_names, lang, option="--lang")
    return textfile.Texts(chain([first], texts.pieces), texts.row_count)


def check_column(source: Path, names: Sequence[str], wanted: str, *, option: str) -> None:
    """VigieError unless a file has the column that is wanted, which `option` names."""
    if wanted not in names:
        raise VigieError(
            f"{source.name} has no column {wanted!r} but {', '.join(names[:20]) or 'none'}: "
            f"rename it, or name it with {option}"
        )


def _log_unknown(unknown: Unknown) -> None:
    """A count alone: a value may be a text of somebody, from the wrong column."""
    log.warning("score.unknown_languages rows=%d values=%d", unknown.total(), len(unknown))


@dataclass(frozen=True, slots=True)
class _Work:
    """What a process must know: the model of tone, and the columns of texts and of languages, the
    second of which may not be there.
    """

    model: str
    text: str
    lang: str


Widened = tuple[pa.Table, Unknown]


def _widened(
    pieces: Iterator[pa.Table], own: Suite, work: _Work, *, workers: int | None
) -> Iterator[Widened]:
    """Each piece with the columns that scoring adds, in order; processes start with the second."""
    count = workers or min(WORKERS, processors())
    first = next(pieces)
    second = next(pieces, None)
    every = chain([first], [] if second is None else [second], pieces)
    # A checkpoint uses every core itself.
    if second is None or count < 2 or work.model != "embedded":
        yield from (_with_scores(each, own, work) for each in every)
    else:
        yield from _shared(every, count, work)


def _shared(pieces: Iterator[pa.Table], count: int, work: _Work) -> Iterator[Widened]:
    """As `_widened`, by processes; at most one piece more than processes waits in memory."""
    waiting: deque[Future[Widened]] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (work.model,)) as pool:
        for piece in pieces:
            waiting.append(pool.submit(_in_process, piece, work))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _keep_little() -> None:
    """Give back what Arrow has freed: its own pool would hold some forty megabytes."""
    pa.set_memory_pool(pa.system_memory_pool())


_OWN: list[Suite] = []  # of a worker process, read once when it starts


def _begin(model: str) -> None:
    """Read the models in a worker, which keeps to one core."""
    threadpool_limits(1)
    _keep_little()
    _OWN.append(load_suite(tone=model))


def _in_process(piece: pa.Table, work: _Work) -> Widened:
    return _with_scores(piece, _OWN[0], work)


def _with_scores(piece: pa.Table, own: Suite, work: _Work) -> Widened:
    """A piece with the columns that scoring adds, and the values that name no language."""
    texts = [text or "" for text in piece[work.text].to_pylist()]
    has_lang = work.lang in piece.column_names
    given = piece[work.lang].to_pylist() if has_lang else [None] * len(texts)
    langs = stated.langs(texts, given)
    columns = _columns(own.score(texts, langs.codes), langs.codes, own.model_id)
    kept = piece.drop_columns(["lang"]) if "lang" in piece.column_names else piece
    for name, values in columns.items():
        kept = kept.append_column(name, pa.chunked_array([_array(name, values)]))
    return kept, langs.unknown


def _columns(said: Scores, langs: Sequence[str | None], model_id: str) -> dict[str, Any]:
    """The columns that scoring adds, in their order."""
    columns: dict[str, Any] = {
        "lang": langs,
        **_tone_columns(said.tone),
        "p_irony": numbers(said.p_irony),
        "p_political": numbers(said.p_political),
        "topics": said.found.topics,
    }
    for place, topic in enumerate(topics.LABELS):
        columns[f"topic_p_{topic}"] = numbers(said.found.probabilities[:, place])
    columns["acts"] = said.done.acts
    for place, act in enumerate(acts.ACTS):
        columns[f"act_p_{act}"] = numbers(said.done.probabilities[:, place])
    return columns | {
        "risk": said.done.risks,
        "aspects": said.services,
        "model_id": [model_id] * len(langs),
    }


def _array(name: str, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return lists(values) if name in _LISTS else strings(values)
