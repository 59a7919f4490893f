"""Texts in, what a checkpoint answers out: tokens, batches by length, several runs at a time.

Memory is bounded: at most `_CHUNK` sequences are held as tokens, whatever the number of texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.hub.address import Found
from models.hub.batching import Ints, Tokens, batches, padded
from models.hub.kind import Kind
from models.hub.running import Backend, Run, backend, digest

Floats = NDArray[np.float32]
Pool = Callable[[Floats, Ints], Floats]  # what a run gives and its mask, to one row a text

_CHUNK = 8_192
_MAX_TOKENS = 256
_LINK, _HANDLE = re.compile(r"https?://\S+"), re.compile(r"@\w[\w.@-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A checkpoint that was read and checked."""

    model_id: str
    weights_sha256: str
    languages: tuple[str, ...]
    tokenizer: Any
    run: Run
    workers: int
    pad_id: int
    pool: Pool | None = None

    def texts(self, texts: Sequence[str]) -> Floats:
        """One row a text, in their order: logits, or what `pool` makes."""
        return np.concatenate([self._answers(part) for part in self._singles(texts)])

    def pairs(self, texts: Sequence[str], seconds: Sequence[str]) -> Floats:
        """Logits `(texts, seconds, labels)` of each text with each second one."""
        whole = np.concatenate([self._answers(part) for part in self._pairs(texts, seconds)])
        return whole.reshape(len(texts), len(seconds), -1)

    def _singles(self, texts: Sequence[str]) -> Iterator[list[Tokens]]:
        for start in range(0, len(texts), _CHUNK):
            part = [as_tweet(text) for text in texts[start : start + _CHUNK]]
            yield [_tokens(each) for each in self.tokenizer.encode_batch(part)]

    def _pairs(self, texts: Sequence[str], seconds: Sequence[str]) -> Iterator[list[Tokens]]:
        """Each text and each second one is cut into tokens once."""
        tails = self.tokenizer.encode_batch(list(seconds), add_special_tokens=False)
        step = max(1, _CHUNK // len(seconds))
        join = self.tokenizer.post_process
        for start in range(0, len(texts), step):
            part = [as_tweet(text) for text in texts[start : start + step]]
            heads = self.tokenizer.encode_batch(part, add_special_tokens=False)
            yield [_tokens(join(head, tail, True)) for head in heads for tail in tails]

    def _answers(self, sequences: list[Tokens]) -> Floats:
        groups = list(batches([len(each.ids) for each in sequences]))
        with ThreadPoolExecutor(self.workers) as pool:
            answers = list(pool.map(lambda own: self._answer([sequences[i] for i in own]), groups))
        found = np.empty((len(sequences), *answers[0].shape[1:]), np.float32)
        for own, answer in zip(groups, answers, strict=True):
            found[own] = answer
        return found

    def _answer(self, sequences: Sequence[Tokens]) -> Floats:
        ids, mask, types = padded(sequences, pad_id=self.pad_id)
        answer = self.run(ids, mask, types)
        return self.pool(answer, mask) if self.pool else answer


def as_tweet(text: str) -> str:
    """Links and handles as most published checkpoints for social media learnt them."""
    return _HANDLE.sub("@user", _LINK.sub("http", text))


def _tokens(encoding: Any) -> Tokens:
    return Tokens(encoding.ids or [0], encoding.type_ids or [0])


def encoder(found: Found, kind: Kind, *, pool: Pool | None = None) -> Encoder:
    """The encoder of a checkpoint; WeightsError when something of it is missing or altered."""
    own: Backend = backend(found.folder, kind)
    files = [own.weights, found.folder / "tokenizer.json", found.folder / "config.json"]
    tokenizer = _tokenizer(found)
    return Encoder(
        model_id=found.model_id,
        weights_sha256=digest(files),
        languages=found.languages,
        tokenizer=tokenizer,
        run=own.run,
        workers=own.workers,
        pad_id=int(found.config.get("pad_token_id") or 0),
        pool=pool,
    )


def _tokenizer(found: Found) -> Any:
    from tokenizers import Tokenizer

    path = found.folder / "tokenizer.json"
    if not path.is_file():
        raise WeightsError(f"{path} is missing: save the checkpoint with a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises the bare class
        raise WeightsError(
            f"{path} is no tokenizer ({str(error)[:200]}): save the checkpoint again"
        ) from error
    positions = int(found.config.get("max_position_embeddings", _MAX_TOKENS + 2)) - 2
    tokenizer.no_padding()
    # Of a pair, the text is cut and never the hypothesis.
    tokenizer.enable_truncation(max(1, min(positions, _MAX_TOKENS)), strategy="only_first")
    return tokenizer
