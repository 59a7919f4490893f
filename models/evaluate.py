"""Measures: macro-F1 with its interval, calibration, ranking; and any labelled file.

`models.card` puts the figures of the shipped models into their cards. Intervals are percentiles
of 1,000 bootstrap samples of the texts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models import language, sentiment, topics
from models.calibrate import BINS, calibration_error
from models.taxonomy import Topic, Use, taxonomy

log = logging.getLogger(__name__)

CARDS = Path(__file__).parent / "cards"
SEED = 20261120
_SAMPLES = 1_000
_BEGIN, _END = "<!-- figures: written by models.card -->", "<!-- end of figures -->"
_READ_CHARS = 400  # of a written question: its first sentences, nearer to a post

# The headings of written questions that correspond to one topic, or nearly.
QUESTIONS = {
    "T01": ("economie_fiscalite",),
    "T03": ("social_travail",),
    "T06": ("sante",),
    "T07": ("education_formation",),
    "T08": ("logement_urbanisme",),
    "T09": ("transports",),
    "T10": ("environnement_energie", "agriculture_alimentation"),
    "T11": ("securite_justice",),
    "T13": ("immigration_discriminations",),
    "T18": ("international_defense",),
    "T19": ("culture_sport_medias",),
}

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a card: a line that says what it shows, headings, rows."""

    caption: str
    heads: Row
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.heads, tuple("---" for _ in self.heads), *self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{self.caption}\n\n{body}\n"


def macro_f1(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Mean F1 of the classes that occur in `truth`, in 0..1."""
    scores = []
    for place in np.unique(truth):
        right = np.sum((truth == place) & (said == place))
        either = np.sum(truth == place) + np.sum(said == place)
        scores.append(2.0 * right / either)
    return float(np.mean(scores))


def interval(
    measure: Callable[[NDArray[Any], NDArray[Any]], float],
    truth: NDArray[Any],
    said: NDArray[Any],
    *,
    seed: int = SEED,
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentiles of a measure over bootstrap samples."""
    random = np.random.default_rng(seed)
    draws = (random.integers(0, len(truth), len(truth)) for _ in range(_SAMPLES))
    values = [measure(truth[draw], said[draw]) for draw in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model of tone is worth on one set: points of 100, shares 0..1."""

    count: int
    macro_f1: float
    low: float
    high: float
    macro_recall: float
    f1_answered: float
    f1_surest: float
    abstained_share: float
    calibration: float


def judgement(truth: NDArray[Any], chances: NDArray[Any], *, threshold: float) -> Judgement:
    """Figures of classes 0..2 from probabilities without NaN.

    `f1_surest` is over the 80 % of texts whose likeliest class is most probable.
    """
    said, sure = chances.argmax(axis=1), chances.max(axis=1)
    low, high = interval(macro_f1, truth, said)
    is_kept = sure >= threshold
    top = np.argsort(-sure, kind="stable")[: int(np.ceil(0.8 * len(sure)))]
    return Judgement(
        count=len(truth),
        macro_f1=100 * macro_f1(truth, said),
        low=100 * low,
        high=100 * high,
        macro_recall=100 * macro_recall(truth, said),
        f1_answered=100 * macro_f1(truth[is_kept], said[is_kept]) if is_kept.any() else 0.0,
        f1_surest=100 * macro_f1(truth[top], said[top]),
        abstained_share=float(1 - is_kept.mean()),
        calibration=100 * calibration_error(sure, said == truth),
    )


def macro_recall(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Mean recall of the classes that occur in `truth`, in 0..1."""
    return float(np.mean([(said[truth == place] == place).mean() for place in np.unique(truth)]))


TONE_HEADS = (
    "Set", "Language", "Texts", "Macro-F1", "95 % interval", "Macro-recall",
    "Macro-F1 when it answers", "on the 80 % surest", "Abstains",
    f"Calibration error ({BINS} bins)",
)  # fmt: skip


def tone_row(name: str, lang: str, own: Judgement) -> Row:
    """One line of a table of tone."""
    return (
        name,
        lang,
        str(own.count),
        f"{own.macro_f1:.1f}",
        f"{own.low:.1f} to {own.high:.1f}",
        f"{own.macro_recall:.1f}",
        f"{own.f1_answered:.1f}",
        f"{own.f1_surest:.1f}",
        f"{100 * own.abstained_share:.1f} %",
        f"{own.calibration:.1f}",
    )


def confusion(truth: NDArray[Any], said: NDArray[Any], *, caption: str) -> Table:
    """Rows: what people said; columns: what the model said."""
    rows = tuple(
        (label, *(str(int(((truth == i) & (said == j)).sum())) for j in range(3)))
        for i, label in enumerate(sentiment.LABELS)
    )
    return Table(caption, ("People said", *sentiment.LABELS), rows)


def risk_coverage(truth: NDArray[Any], chances: NDArray[Any], *, caption: str) -> Table:
    """Share of wrong answers among the surest texts, by how many are answered."""
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    order = np.argsort(-sure, kind="stable")
    rows = []
    for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3):
        top = order[: max(1, int(share * len(order)))]
        wrong, least = 1 - right[top].mean(), sure[top].min()
        rows.append((f"{100 * share:.0f} %", f"{100 * wrong:.1f} %", f"{least:.2f}"))
    return Table(caption, ("Answered", "Wrong", "from a probability of"), tuple(rows))


def binary_row(name: str, truth: NDArray[Any], chances: NDArray[Any], limit: float) -> Row:
    """One line on a yes-or-no output: texts, of it, macro-F1 with interval, ranking."""
    said = (chances >= limit).astype(int)
    low, high = interval(macro_f1, truth, said)
    ranked = ranking(truth == 1, chances) if 0 < truth.sum() < len(truth) else float("nan")
    return (
        name,
        str(len(truth)),
        str(int(truth.sum())),
        f"{100 * macro_f1(truth, said):.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{100 * ranked:.1f}",
    )


BINARY_HEADS = ("What", "Texts", "Of it", "Macro-F1", "95 % interval", "Ranking (AUC)")


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs of a sentence and a topic: sentences, and per topic which judge and which are of it."""

    texts: list[str]
    is_of: NDArray[np.bool_]
    judges: NDArray[np.bool_]


def judged(*, lang: str, use: Use) -> Judged:
    """The invented sentences of every topic as `(sentences, topics)` tables.

    A sentence of a topic that is near another judges neither way for that other; one that only
    looks like a topic judges that topic alone.
    """
    known = taxonomy()
    own = [(topic, text, True) for topic in known for text in topic.yes(lang=lang, use=use)]
    own += [(topic, text, False) for topic in known for text in topic.no(lang=lang, use=use)]
    is_of = np.array([[yes and topic is other for other in known] for topic, _, yes in own])
    judges = np.array(
        [
            [topic is other or (yes and not are_near(topic, other)) for other in known]
            for topic, _, yes in own
        ]
    )
    return Judged([text for _, text, _ in own], is_of, judges)


def are_near(one: Topic, other: Topic) -> bool:
    """Whether a sentence of one may well be of the other too."""
    return one.id in other.near or other.id in one.near


def topic_table(*, lang: str) -> Table:
    """Precision, recall and F1 by topic on the sentences kept apart, at the topics' thresholds."""
    sentences = judged(lang=lang, use="held_out")
    found = topics.load().score(sentences.texts, [lang] * len(sentences.texts))
    said = np.array([[topic in own for topic in topics.LABELS] for own in found.topics])
    rows, counts = [], np.zeros(3, int)
    for place, topic in enumerate(taxonomy()):
        judges = sentences.judges[:, place]
        own = counted(sentences.is_of[judges, place], said[judges, place])
        counts += own
        rows.append((f"{topic.id} {topic.label_fr}", *rates(own)))
    return Table(
        f"Topics, sentences kept apart ({lang}), {len(sentences.texts)} in all.",
        ("Topic", "Of it", "Named", "Precision", "Recall", "F1"),
        (*rows, ("all", *rates(counts))),
    )


def question_table(folder: Path) -> Table:
    """How well topics find written questions by their one official heading."""
    table = pq.read_table(folder / "topic_qe_fr.parquet", columns=["text", "label"])
    texts = [text[:_READ_CHARS] for text in table.column("text").to_pylist()]
    headings = np.array(table.column("label").to_pylist())
    found = topics.load().score(texts, ["fr"] * len(texts))
    rows, counts = [], np.zeros(3, int)
    for topic, own in QUESTIONS.items():
        said = np.array([topic in each for each in found.topics])
        is_of = np.isin(headings, own)
        counts += counted(is_of, said)
        chance = found.probabilities[:, topics.LABELS.index(topic)]
        ranked = f"{100 * ranking(is_of, chance):.1f}"
        rows.append((topic, ", ".join(own), *rates(counted(is_of, said)), ranked))
    return Table(
        "Topics on written questions to the government (first 400 characters), one heading each: "
        "a question that is of two topics counts as an error for the second.",
        ("Topic", "Heading", "Of it", "Named", "Precision", "Recall", "F1", "Ranking (AUC)"),
        (*rows, ("all", "", *rates(counts), "")),
    )


def ranking(is_of: NDArray[np.bool_], chances: NDArray[Any]) -> float:
    """The chance that a text of the topic is ranked over one that is not (AUC)."""
    places = np.argsort(np.argsort(chances, kind="stable"), kind="stable") + 1
    yes = int(is_of.sum())
    return float((places[is_of].sum() - yes * (yes + 1) / 2) / (yes * (len(is_of) - yes)))


def counted(is_of: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are of the topic, are named, and are both."""
    return np.array([is_of.sum(), said.sum(), (is_of & said).sum()], np.int64)


def rates(counts: NDArray[np.int64]) -> Row:
    of_it, named, both = (int(count) for count in counts)
    precision, recall = both / max(named, 1), both / max(of_it, 1)
    f1 = 2 * both / max(of_it + named, 1)
    return (str(of_it), str(named), *(f"{100 * value:.1f}" for value in (precision, recall, f1)))


def language_table(folder: Path) -> Table:
    """How often the language of tweets is right, undetermined or wrong, whole and cut short."""
    table = pq.read_table(folder / "sent_umsab.parquet", columns=["text", "lang"])
    texts, langs = table.column("text").to_pylist(), np.array(table.column("lang").to_pylist())
    rows: list[Row] = []
    for words in (None, 8, 4):
        said = np.array([lang or "" for lang in language.detect([_cut(t, words) for t in texts])])
        for lang in language.LANGUAGES:
            own = said[langs == lang]
            shares = (own == lang, own == "", (own != lang) & (own != ""))
            size = "whole" if words is None else f"{words} words"
            rows.append(
                (size, lang, str(len(own)), *(f"{100 * share.mean():.1f}" for share in shares))
            )
    heads = ("Read", "Language", "Texts", "Right", "Undetermined", "Wrong")
    return Table("Tweets of UMSAB; some of its German tweets are in English.", heads, tuple(rows))


def _cut(text: str, words: int | None) -> str:
    said = [word for word in text.split() if not word.startswith(("@", "http"))]
    return text if words is None else " ".join(said[:words])


def write_card(name: str, tables: Iterable[Table]) -> None:
    """Put tables between the marks of `cards/<name>.md`; what stands around them is kept."""
    path = CARDS / f"{name}.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {name}\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    body = "\n".join(table.markdown() for table in tables)
    path.write_text(f"{before}{_BEGIN}\n\n{body}\n{_END}{after}", encoding="utf-8")
    log.info("models.card_written name=%s\n%s", name, body)
