"""Checkpoints as the hub holds them, each of a few kilobytes, made where a test needs them."""

from __future__ import annotations

import importlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

NEEDS_TORCH = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("onnx")),
    reason="needs the extra vigie[checkpoint]: `make test-training`",
)
TONES = ("negative", "neutral", "positive")
FAMILIES = ("Bert", "Camembert", "Roberta", "XLMRoberta", "DebertaV2")
_SENTENCES = (
    "la mairie est fermée honte bravo merci encore une panne rue école bus propre sale",
    "Ce message est négatif. neutre. positif. parle de ceci :",
)
WORDS = " ".join(_SENTENCES).split()
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
    "pad_token_id": 1,
}
_DEBERTA: dict[str, Any] = {  # as mDeBERTa-v3 has them
    "relative_attention": True,
    "position_buckets": 8,
    "max_relative_positions": -1,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}


def tokenizer(folder: Path) -> int:
    """Write a tokenizer that frames texts and pairs as BERT does; the size of its vocabulary."""
    special = ("<s>", "<pad>", "</s>", "<unk>")
    words = {word: place for place, word in enumerate(dict.fromkeys((*special, *WORDS)))}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B:1 </s>:1",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(kind), encoding="utf-8")
    return len(words)


def classifier(folder: Path, family: str, *, labels: tuple[str, ...] = TONES) -> Path:
    """A folder as `save_pretrained` leaves it, with random weights; needs torch."""
    return _saved(
        folder,
        family,
        "ForSequenceClassification",
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
    )


def embedder(folder: Path) -> Path:
    """A folder as sentence-transformers leaves it, with random weights; needs torch."""
    _saved(folder, "Bert", "Model")
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    mean = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(mean), encoding="utf-8")
    return folder


def _saved(folder: Path, family: str, head: str, **settings: Any) -> Path:
    import torch

    torch.manual_seed(20261120)
    transformers = importlib.import_module("transformers")
    size = tokenizer(folder)
    extra = _DEBERTA if family == "DebertaV2" else {}
    # Wider weights than usual, so that answers differ from text to text.
    config = getattr(transformers, f"{family}Config")(
        vocab_size=size, initializer_range=0.5, **_SIZES, **extra, **settings
    )
    getattr(transformers, f"{family}{head}")(config).save_pretrained(folder)
    return folder
