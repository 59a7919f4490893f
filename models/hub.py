"""Transformers checkpoints by folder or by pinned id, through the interface of embedded models.

A name is a folder, or `org/name@<40 hexadecimal digits of a commit>`, with the languages it reads
after a `#` where the checkpoint does not state them: `org/name@0123…#fr,en`. Nothing is fetched
unless asked. An ONNX file is run with ONNX Runtime; else safetensors with torch, where it is
installed. Pickled weights and code that comes with a checkpoint are never run.

Costs on two cores, with texts sorted by length: about 470 texts a second for 6 layers of 384 in
8-bit ONNX, 30 for a base model in 32 bits. Known gap: no calibration of other people's models.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import sentiment, topics
from models.calibrate import sigmoid, softmax
from models.errors import WeightsError
from models.reading import Batch

_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")
_FETCHED = ("*.json", "*.safetensors", "*.onnx", "README.md")
_BATCH = 32
_MAX_TOKENS = 256
_NAMES = {
    "negative": ("negative", "neg", "négatif", "negatif", "négative"),
    "neutral": ("neutral", "neu", "neutre"),
    "positive": ("positive", "pos", "positif"),
}
_LINK, _HANDLE = re.compile(r"https?://\S+"), re.compile(r"@\w[\w.@-]*")

Ints = NDArray[np.int64]
Logits = Callable[[Ints, Ints], NDArray[np.float32]]  # ids and mask `(n, tokens)`


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A checkpoint that was read and checked: texts to logits in the order of our labels."""

    model_id: str
    weights_sha256: str
    languages: tuple[str, ...]
    tokens: Callable[[Sequence[str]], list[list[int]]]
    logits: Logits
    order: tuple[int, ...]
    pad_id: int

    def read(self, batch: Batch) -> NDArray[np.float32]:
        """Logits `(n, labels)`, NaN for empty texts and for languages it does not read."""
        found = np.full((len(batch), len(self.order)), np.nan, np.float32)
        places = [i for i, lang in enumerate(batch.langs) if self._reads(batch.texts[i], lang)]
        ids = self.tokens([_as_tweet(batch.texts[i]) for i in places])
        by_length = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(by_length), _BATCH):
            own = by_length[start : start + _BATCH]
            answers = self.logits(*_padded([ids[i] for i in own], self.pad_id))
            found[[places[i] for i in own]] = answers[:, list(self.order)]
        return found

    def _reads(self, text: str, lang: str | None) -> bool:
        return lang in self.languages and bool(text.strip())


def _as_tweet(text: str) -> str:
    """Links and handles as most published checkpoints for social media learnt them."""
    return _HANDLE.sub("@user", _LINK.sub("http", text))


def _padded(ids: Sequence[Sequence[int]], pad_id: int) -> tuple[Ints, Ints]:
    width = max(map(len, ids))
    filled = np.full((len(ids), width), pad_id, np.int64)
    mask = np.zeros((len(ids), width), np.int64)
    for row, own in enumerate(ids):
        filled[row, : len(own)] = own
        mask[row, : len(own)] = 1
    return filled, mask


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A checkpoint that judges tone."""

    encoder: Encoder

    @property
    def model_id(self) -> str:
        """Its id with the revision, or its folder's name."""
        return self.encoder.model_id

    @property
    def weights_sha256(self) -> str:
        """SHA-256 over weights, tokens and settings."""
        return self.encoder.weights_sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability under which it abstains."""
        return {"abstain_under": sentiment.ABSTAIN_UNDER}

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> sentiment.Tones:
        """The tone of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> sentiment.Tones:
        """As `score`."""
        chances = softmax(self.encoder.read(batch)).astype(np.float32)
        return sentiment.tones(chances, threshold=sentiment.ABSTAIN_UNDER)


@dataclass(frozen=True, slots=True)
class Topics:
    """A checkpoint that names topics, each with a probability of its own."""

    encoder: Encoder

    @property
    def model_id(self) -> str:
        """Its id with the revision, or its folder's name."""
        return self.encoder.model_id

    @property
    def weights_sha256(self) -> str:
        """SHA-256 over weights, tokens and settings."""
        return self.encoder.weights_sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which each topic counts."""
        return topics.thresholds()

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> topics.Found:
        """The topics of each text."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> topics.Found:
        """As `score`."""
        logits = self.encoder.read(batch)
        chances = np.where(np.isnan(logits), np.nan, sigmoid(np.nan_to_num(logits)))
        return topics.found(chances.astype(np.float32))


def load_sentiment(name: str, *, may_download: bool = False) -> Sentiment:
    """A checkpoint with the labels negative, neutral and positive, however it names them."""
    names = [_NAMES[label] for label in sentiment.LABELS]
    return Sentiment(_load(name, names, kind=None, may_download=may_download))


def load_topics(name: str, *, may_download: bool = False) -> Topics:
    """A multi-label checkpoint with one label a topic of `models/taxonomy`, named by its id."""
    names = [(label.lower(),) for label in topics.LABELS]
    kind = "multi_label_classification"
    return Topics(_load(name, names, kind=kind, may_download=may_download))


def _load(
    name: str, labels: Sequence[tuple[str, ...]], *, kind: str | None, may_download: bool
) -> Encoder:
    address, _, stated = name.partition("#")
    folder = _folder(address, may_download=may_download)
    config = _json(folder / "config.json")
    if "auto_map" in config:
        raise WeightsError(
            f"{address} needs code of its own, which Vigie never runs: choose another"
        )
    if kind and config.get("problem_type") != kind:
        raise WeightsError(
            f"{address} has problem_type {config.get('problem_type')!r}, not {kind!r}"
        )
    order = _order(config, labels, address)
    weights, run = _backend(folder)
    return Encoder(
        model_id=address if "@" in address else folder.name,
        weights_sha256=_digest([weights, folder / "tokenizer.json", folder / "config.json"]),
        languages=_languages(stated, folder, address),
        tokens=_tokens(folder, config),
        logits=run,
        order=order,
        pad_id=int(config.get("pad_token_id") or 0),
    )


def _folder(address: str, *, may_download: bool) -> Path:
    """Where the files of a checkpoint are; fetched only if asked."""
    if Path(address).is_dir():
        return Path(address)
    found = _ID.fullmatch(address)
    if not found:
        raise WeightsError(
            f"{address!r} is neither 'embedded', nor a folder, nor an id with a pinned revision: "
            "write org/name@ and the 40 hexadecimal digits of a commit"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                found["repo"],
                revision=found["revision"],
                local_files_only=not may_download,
                allow_patterns=list(_FETCHED),
            )
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsError(
            f"{address} is not on this machine: fetch it first with "
            f"`hf download {found['repo']} --revision {found['revision']}`, or give its folder"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as JSON ({type(error).__name__})") from error
    return read if isinstance(read, dict) else {}


def _order(
    config: dict[str, Any], labels: Sequence[tuple[str, ...]], address: str
) -> tuple[int, ...]:
    """The place of each of our labels among the checkpoint's; all of them and no other."""
    named = {str(label).lower(): int(i) for i, label in config.get("id2label", {}).items()}
    places = [named.get(next((n for n in names if n in named), "")) for names in labels]
    known = [place for place in places if place is not None]
    if len(known) != len(labels) or len(named) != len(labels):
        raise WeightsError(
            f"{address} names its labels {sorted(named)} and Vigie needs "
            f"{[names[0] for names in labels]}: set id2label in its config.json, in their order"
        )
    return tuple(known)


def _languages(stated: str, folder: Path, address: str) -> tuple[str, ...]:
    """The languages that a checkpoint reads, as the name, `vigie.json` or its card says."""
    if stated:
        return tuple(stated.split(","))
    if (folder / "vigie.json").is_file():
        return tuple(_json(folder / "vigie.json").get("languages", ()))
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8").split("\n---")[0] if card.is_file() else ""
    found = re.search(r"^languages?:\s*((?:\n?- ?[a-z]{2}\b|[a-z]{2}$)+)", head, re.MULTILINE)
    if not found:
        raise WeightsError(
            f"{address} does not say which languages it reads: write them after its name, for "
            f"example {address}#fr,en"
        )
    return tuple(re.findall(r"\b[a-z]{2}\b", found[1]))


def _tokens(folder: Path, config: dict[str, Any]) -> Callable[[Sequence[str]], list[list[int]]]:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise WeightsError(f"{path} is missing: save the checkpoint with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    positions = int(config.get("max_position_embeddings", _MAX_TOKENS + 2)) - 2
    tokenizer.no_padding()
    tokenizer.enable_truncation(max(1, min(positions, _MAX_TOKENS)))
    return lambda texts: [each.ids or [0] for each in tokenizer.encode_batch(list(texts))]


def _digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the SHA-256 of each file, in order."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _backend(folder: Path) -> tuple[Path, Logits]:
    """The file of weights and what runs it."""
    for path in (folder / "model.onnx", folder / "onnx" / "model.onnx"):
        if path.is_file():
            return path, _onnx(path)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        raise WeightsError(
            f"{folder} has no model.onnx and no model.safetensors"
            + (f" but {pickled[0]}, a pickle, which may run anything" if pickled else "")
            + ": convert it to safetensors or ONNX on a machine you trust"
        )
    if find_spec("torch") is None:
        raise WeightsError(
            f"{folder} holds safetensors, which need torch: `pip install 'vigie[checkpoint]'`, or "
            "put an exported model.onnx beside them"
        )
    return weights, _torch(folder)


def _onnx(path: Path) -> Logits:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        raise WeightsError(f"{path} cannot be run: {str(error)[:200]}") from error
    wanted = {each.name for each in session.get_inputs()}

    def run(ids: Ints, mask: Ints) -> NDArray[np.float32]:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        used = {key: value for key, value in given.items() if key in wanted}
        return np.asarray(session.run(None, used)[0], np.float32)

    return run


def _torch(folder: Path) -> Logits:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
    ).eval()

    def run(ids: Ints, mask: Ints) -> NDArray[np.float32]:
        with torch.inference_mode():
            given = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
            return np.asarray(model(**given).logits.float().numpy(), np.float32)

    return run
