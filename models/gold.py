"""Learning from corrected labels: a light head on the shipped tone model, kept only if it helps.

The head adds to the logarithms of the shipped probabilities a correction that is linear in those
logarithms and in the units of the shared network: multinomial logistic regression whose ridge
pulls it to no correction at all, then a temperature, found on folds kept apart, since a ridge
leaves the head less sure than it is right. Both count only as far as the gold set knows the kind
of text: `n / (n + 50)` of n gold texts that are plainly of a register of French, or of another
language, so a text in a language that the gold set lacks keeps its shipped answer to the last
digit.

Judged by five folds against the shipped model, and written only where it is better beyond chance
and no less calibrated. Costs a few seconds for a thousand texts. Known gaps: labels are believed
as they are given; the figures are those of the gold set, and a gold set of one quarter says
nothing of the next. The file that is written holds no text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from models import checkpoint, datasets, evaluate, features, language, network, sentiment
from models.calibrate import softmax
from models.checkpoint import Checkpoint, Description, Training
from models.errors import WeightsError
from models.evaluate import Judgement
from models.hub.trial import f1
from models.reading import Batch
from models.sentiment import LABELS, REGISTERS, SentimentModel, Tones, tones
from models.stated import plain
from models.trunk import UNITS

TASK = NAME = "gold-sentiment"
GROUPS = (*REGISTERS, *(lang for lang in language.LANGUAGES if lang != "fr"))
LEAST_TEXTS = 100
LEAST_OF_LABEL = 10  # a label without texts would be unlearnt
CALIBRATION_RISE = 1.0  # of the calibration error in points, the most that is borne
_TRUST = 50.0  # texts of a group at which half of a correction counts
_RIDGE = {"logs": 20.0, "units": 10.0, "bias": 10.0, "heat": 5.0}  # in the unit of one text's loss
_LEAST, _LEAST_READ = 1e-7, 1e-3  # probabilities, as they are kept and as the head reads them
_SAMPLES = 2_000
_TENSORS = ("moved", "mean", "scale", "trust", "log_heat")
_SYNONYMS = {
    "negative": ("negative", "neg", "negatif", "defavorable", "insatisfait"),
    "neutral": ("neutral", "neu", "neutre"),
    "positive": ("positive", "pos", "positif", "favorable", "satisfait"),
}
_SIGNS = {"-1": 0, "0": 1, "1": 2, "+1": 2}

Floats = NDArray[Any]


def classes(labels: Sequence[str]) -> list[int | None]:
    """The place of each label in `sentiment.LABELS`, None for one that is not known.

    Case, accents and a feminine ending do not count, French and English words do. The numbers -1,
    0 and 1 count where -1 occurs; others are None, since sets disagree on what 0 and 1 mean.
    """
    known = {word: LABELS.index(label) for label, words in _SYNONYMS.items() for word in words}
    words = [plain(label) for label in labels]
    if "-1" in words:
        known |= _SIGNS
    return [known.get(word, known.get(_masculine(word))) for word in words]


def _masculine(label: str) -> str:
    return label.removesuffix("ve") + "f" if label.endswith("ve") else label.removesuffix("e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Texts, languages, classes `(n,)` (places in LABELS) and weights `(n,)`, each text once."""

    texts: list[str]
    langs: list[str | None]
    classes: NDArray[np.int64]
    weights: NDArray[np.float64]
    copies_count: int = 0

    def lesson(self) -> Lesson:
        """What a head learns from, with the fold of each text, by its letters."""
        folds = np.array([datasets.fold(text) for text in self.texts], np.int64)
        return Lesson(self.classes, self.weights, folds)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Classes, weights and folds of texts, each `(n,)`."""

    classes: NDArray[np.int64]
    weights: NDArray[np.float64]
    folds: NDArray[np.int64]

    def at(self, places: Any) -> Lesson:
        """Some of the texts."""
        return Lesson(self.classes[places], self.weights[places], self.folds[places])


def collected(
    texts: Sequence[str],
    langs: Sequence[str | None],
    places: Sequence[int],
    weights: Sequence[float] | None = None,
) -> Gold:
    """A gold set in which each text stands once, with its last label."""
    kept = sorted({datasets.key(text): place for place, text in enumerate(texts)}.values())
    return Gold(
        texts=[texts[i] for i in kept],
        langs=[langs[i] for i in kept],
        classes=np.array([places[i] for i in kept], np.int64),
        weights=np.array([1.0 if weights is None else weights[i] for i in kept]),
        copies_count=len(texts) - len(kept),
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a head reads of n texts: shipped probabilities `(n, 3)`, NaN where the model does not
    read the text; units `(n, UNITS)`, zeros without a network; how much each is of each of GROUPS.
    """

    chances: Floats
    units: Floats
    groups: Floats

    def at(self, places: Any) -> Seen:
        """Some of the texts."""
        return Seen(self.chances[places], self.units[places], self.groups[places])


def seen(batch: Batch, base: SentimentModel) -> Seen:
    """What the shipped model and network make of texts."""
    units, groups = np.zeros((len(batch), UNITS)), np.zeros((len(batch), len(GROUPS)))
    for lang, (places, read) in batch.by_lang.items():
        if lang in network.LANGUAGES:
            units[places] = read.views.units
        if lang == "fr":
            groups[places, : len(REGISTERS)] = softmax(read.views.of("register"))
        elif lang in GROUPS:
            groups[places, GROUPS.index(lang)] = 1.0
    return Seen(base.score_batch(batch).probabilities.astype(np.float64), units, groups)


@dataclass(frozen=True, slots=True)
class Head:
    """A correction: `moved` (3 + UNITS + 1, 3), the `mean` (UNITS,) and `scale` (1,) of units, the
    `trust` (groups,) that each group has earned, in 0..1, and the logarithm (1,) of a temperature.
    """

    moved: Floats
    mean: Floats
    scale: Floats
    trust: Floats
    log_heat: Floats

    def chances(self, own: Seen) -> Floats:
        """Corrected probabilities `(n, 3)`; the shipped ones where no group has any trust."""
        trust = (own.groups @ self.trust)[:, None]
        moved = softmax(self.logits(own) / np.exp(trust * self.log_heat))
        return np.asarray(np.where(trust > 0, moved, own.chances))

    def logits(self, own: Seen) -> Floats:
        """The logarithms of the shipped probabilities, corrected."""
        return np.asarray(_logs(own.chances) + self.inputs(own) @ self.moved)

    def inputs(self, own: Seen) -> Floats:
        """What the correction is linear in, by how much the text is trusted."""
        logs = _logs(own.chances, least=_LEAST_READ)
        parts = [
            logs - logs.mean(axis=1, keepdims=True),
            (own.units - self.mean) / self.scale,
            np.ones((len(logs), 1)),
        ]
        return np.asarray(np.concatenate(parts, axis=1) * (own.groups @ self.trust)[:, None])


def _logs(chances: Floats, *, least: float = _LEAST) -> Floats:
    return np.asarray(np.log(np.maximum(chances, least)))


def fit(own: Seen, lesson: Lesson) -> Head:
    """The head of some texts, which all have probabilities; the same texts give the same head."""
    heads = [
        (lesson.folds == fold, _bare(own.at(lesson.folds != fold), lesson.at(lesson.folds != fold)))
        for fold in np.unique(lesson.folds)
        if (lesson.folds != fold).any()
    ]
    logits = _logs(own.chances)
    for is_held, head in heads:
        logits[is_held] = head.logits(own.at(is_held))
    whole = _bare(own, lesson)
    return replace(whole, log_heat=_log_heat(logits, own.groups @ whole.trust, lesson))


def _log_heat(logits: Floats, trust: Floats, lesson: Lesson) -> Floats:
    """The logarithm of the temperature that makes unseen texts likeliest, pulled to 0."""

    def loss(log_heat: float) -> float:
        chances = softmax(logits / np.exp(trust * log_heat)[:, None])
        likely = np.log(chances[np.arange(len(chances)), lesson.classes] + 1e-12)
        return float(-(lesson.weights * likely).sum() + _RIDGE["heat"] * log_heat**2 / 2)

    return np.array([minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x])


def _bare(own: Seen, lesson: Lesson) -> Head:
    """A head without a temperature."""
    counts = (own.groups**2).sum(axis=0)  # a text that may be of any register proves little of each
    mean = own.units.mean(axis=0)
    spread = float(np.sqrt(((own.units - mean) ** 2).sum(axis=1).mean()))
    scale, trust = np.array([max(spread, 1e-6)]), counts / (counts + _TRUST)
    bare = Head(np.zeros((0, 3)), mean, scale, trust, np.zeros(1))
    truth, weights = np.eye(len(LABELS))[lesson.classes], lesson.weights * _balance(own.groups)
    return replace(bare, moved=_moved(bare.inputs(own), _logs(own.chances), truth, weights))


def _balance(groups: Floats) -> Floats:
    """What each text weighs, 1 on average: a group counts by the square root of its texts."""
    counts = np.maximum(groups.sum(axis=0), 1.0)
    each = groups @ (1.0 / np.sqrt(counts))
    return np.asarray(each / max(float(each.mean()), 1e-9))


def _moved(inputs: Floats, logs: Floats, truth: Floats, weights: Floats) -> Floats:
    sizes = (len(LABELS), inputs.shape[1] - len(LABELS) - 1, 1)
    ridge = np.repeat([_RIDGE["logs"], _RIDGE["units"], _RIDGE["bias"]], sizes)[:, None]

    def loss(values: Floats) -> tuple[float, Floats]:
        moved = values.reshape(-1, len(LABELS))
        chances = softmax(logs + inputs @ moved)
        unlikely = -(weights * np.log((chances * truth).sum(axis=1) + 1e-12)).sum()
        slope = inputs.T @ (weights[:, None] * (chances - truth)) + ridge * moved
        return float(unlikely + (ridge * moved**2).sum() / 2), slope.ravel()

    start = np.zeros(inputs.shape[1] * len(LABELS))
    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return np.asarray(found.x).reshape(-1, len(LABELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A head against the shipped model on a gold set, each text judged by a head that had not seen
    it. `gain` is the paired 90 % interval of macro-F1 in points of 100. `reasons` say why it may
    not be promoted.
    """

    count: int
    unread_count: int
    copies_count: int
    now: Judgement
    then: Judgement
    gain: tuple[float, float]
    changed_share: float
    groups: dict[str, int]
    reasons: tuple[str, ...]

    @property
    def may_promote(self) -> bool:
        """Whether it is better beyond chance and no less calibrated."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Tried:
    """A report, and the head of the whole gold set."""

    report: Report
    head: Head


def tried(gold: Gold, base: SentimentModel) -> Tried:
    """A head fitted and judged; ValueError when the shipped model reads no text of the set."""
    whole = seen(Batch(gold.texts, gold.langs), base)
    is_read = ~np.isnan(whole.chances[:, 0])
    if not is_read.any():
        raise ValueError("the shipped model reads none of these texts")
    own, lesson = whole.at(is_read), gold.lesson().at(is_read)
    report = _report(own, lesson.classes, _unseen(own, lesson), gold)
    return Tried(report, fit(own, lesson))


def _unseen(own: Seen, lesson: Lesson) -> Floats:
    """Probabilities of each text by the head of the other folds."""
    chances = own.chances.copy()
    for fold in np.unique(lesson.folds):
        is_held = lesson.folds == fold
        if not is_held.all():
            head = fit(own.at(~is_held), lesson.at(~is_held))
            chances[is_held] = head.chances(own.at(is_held))
    return chances


def _report(own: Seen, truth: NDArray[np.int64], then: Floats, gold: Gold) -> Report:
    judged = [evaluate.judgement(truth, each, threshold=0.0) for each in (own.chances, then)]
    said = [each.argmax(axis=1) for each in (own.chances, then)]
    gain = _gain(truth, *said)
    counts = np.rint(own.groups.sum(axis=0)).astype(int).tolist()
    return Report(
        count=len(truth),
        unread_count=len(gold.texts) - len(truth),
        copies_count=gold.copies_count,
        now=judged[0],
        then=judged[1],
        gain=gain,
        changed_share=float((said[0] != said[1]).mean()),
        groups={name: count for name, count in zip(GROUPS, counts, strict=True) if count},
        reasons=_reasons(truth, (judged[0].calibration, judged[1].calibration), gain),
    )


def _gain(truth: NDArray[np.int64], now: NDArray[Any], then: NDArray[Any]) -> tuple[float, float]:
    """The 5th and 95th percentiles of the gain in macro-F1 over bootstrap samples, in points."""
    random = np.random.default_rng(evaluate.SEED)
    draws = random.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=_SAMPLES)
    marks = np.eye(len(LABELS), dtype=np.bool_)
    each = [f1(marks[truth], marks[said], draws, is_macro=True) for said in (now, then)]
    low, high = np.percentile(100 * (each[1] - each[0]), [5, 95])
    return float(low), float(high)


def _reasons(
    truth: NDArray[np.int64], calibration: tuple[float, float], gain: tuple[float, float]
) -> tuple[str, ...]:
    found = []
    if len(truth) < LEAST_TEXTS:
        found.append(f"{len(truth)} texts are too few: label at least {LEAST_TEXTS}")
    counts = np.bincount(truth, minlength=len(LABELS)).tolist()
    for label, count in zip(LABELS, counts, strict=True):
        if count < LEAST_OF_LABEL:
            found.append(f"{count} texts are {label}: label at least {LEAST_OF_LABEL} of each")
    if gain[0] <= 0:
        found.append(
            f"the gain in macro-F1 may be chance ({gain[0]:+.1f} to {gain[1]:+.1f} points, 90 %): "
            "label more texts, those first that the model judges wrongly and those it is unsure of"
        )
    before, after = calibration
    if after - before > CALIBRATION_RISE:
        found.append(
            f"the calibration error would rise from {before:.1f} to {after:.1f} points, more "
            f"than {CALIBRATION_RISE:.0f}: label more texts, drawn by chance from "
            "what you read"
        )
    return tuple(found)


def promote(folder: Path, own: Tried, base: SentimentModel) -> str:
    """Write the head into a folder as the next number; its SHA-256. The one before is replaced.

    ValueError when its report forbids it, WeightsError when the head before cannot be read.
    """
    if not own.report.may_promote:
        raise ValueError("; ".join(own.report.reasons))
    tensors = {name: getattr(own.head, name).astype(np.float32) for name in _TENSORS}
    return checkpoint.write(folder, NAME, _described(folder, own.report, base), tensors)


def _described(folder: Path, report: Report, base: SentimentModel) -> Description:
    licence = "the institution's own"
    langs = {"fr" if name in REGISTERS else name for name in report.groups}
    return Description(
        model_id="gold",
        version=str(_number(folder) + 1),
        task=TASK,
        labels=LABELS,
        languages=tuple(lang for lang in language.LANGUAGES if lang in langs),
        features_version=features.VERSION,
        seed=evaluate.SEED,
        training=(Training(name="gold set", rows=report.count, licence=licence),),
        thresholds=dict(base.thresholds),
        calibration={"stands_on": _stands_on(base)},
    )


def _number(folder: Path) -> int:
    """The number of the head that is there, 0 for none."""
    return int(_read(folder).description.version) if _path(folder).is_file() else 0


def _path(folder: Path) -> Path:
    return folder / f"{NAME}.safetensors"


def _read(folder: Path) -> Checkpoint:
    return checkpoint.read(folder, NAME, task=TASK, labels=LABELS)


def _stands_on(base: SentimentModel) -> dict[str, str]:
    """The SHA-256 of the weights that a head was fitted on."""
    return {"sentiment": base.weights_sha256, "network": network.read_weights().sha256}


def load_gold(folder: Path, *, base: SentimentModel | None = None) -> SentimentModel:
    """The shipped model with the head that was promoted into a folder (`<home>/models`).

    WeightsError when there is none, when it was altered, or when it stands on other weights.
    """
    remedy = "run `vigie models gold FILE --promote`"
    if not _path(folder).is_file():
        raise WeightsError(f"{folder} has no {NAME}.safetensors: {remedy}")
    own = base or sentiment.load()
    read = _read(folder)
    for name, digest in _stands_on(own).items():
        stated = str(read.description.calibration["stands_on"].get(name))
        if stated != digest:
            raise WeightsError(
                f"{_path(folder)} stands on {name} weights {stated[:12]}… and those here are "
                f'{digest[:12]}…: {remedy} again, or write `sentiment = "embedded"` in vigie.toml'
            )
    return Corrected(own, read)


class Corrected:
    """The shipped model, corrected by a head of the institution's own labels."""

    def __init__(self, base: SentimentModel, weights: Checkpoint) -> None:
        self._base, self._weights = base, weights
        self._head = Head(*(weights.tensors[name] for name in _TENSORS))

    @property
    def model_id(self) -> str:
        """The shipped model's name, and the number of the head."""
        return f"{self._base.model_id}+gold-{self._weights.description.version}"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the head's file, which names those of the shipped weights."""
        return self._weights.sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability under which the model abstains: the shipped ones."""
        return self._base.thresholds

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
        """The tone of each text in its language."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Tones:
        """As `score`, of texts that may have been read already."""
        chances = self._head.chances(seen(batch, self._base)).astype(np.float32)
        limits = [self.thresholds.get(f"abstain_under.{lang}", 1.0) for lang in batch.langs]
        return tones(chances, threshold=np.array(limits))
