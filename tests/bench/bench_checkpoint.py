"""A base model side by side with what others do: `python tests/bench/bench_checkpoint.py [texts]`.

12 layers of 768 with random weights (the arithmetic of CamemBERT), texts as long as citizens' posts
are (lognormal, median 26 tokens). Compared: a loop of one message at a time (what obsei does),
the pipeline of transformers at several sizes of batch in the order of arrival, and Vigie in
32 and 8 bits. Rounds alternate and the best counts, since other work on the machine slows some.
Needs the extra `vigie[checkpoint]`; takes some minutes and 2 GB.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from models.export import export
from models.hub import Hosted, load_sentiment
from models.hub.running import INT8, threads
from models.sentiment import Tones

SEED, WORDS, LONGEST, ROUNDS = 7, 32_000, 128, 3
SIZES = (1, 2, 4, 8, 16, 32)
Scored = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to score all texts."""

    name: str
    run: Callable[[], Scored]


def texts(count: int) -> list[str]:
    """Posts of invented words, as many as tokens less the two that frame them."""
    random = np.random.default_rng(SEED)
    lengths = np.clip(np.round(random.lognormal(np.log(26), 0.6, count)), 4, LONGEST)
    return [" ".join(f"w{word}" for word in random.integers(0, WORDS, int(n) - 2)) for n in lengths]


def checkpoint(folder: Path) -> None:
    """Write the model and its tokenizer as `save_pretrained` does."""
    import torch
    from transformers import CamembertConfig, CamembertForSequenceClassification

    special = ("<s>", "<pad>", "</s>", "<unk>")
    words = {word: i for i, word in enumerate((*special, *(f"w{i}" for i in range(WORDS))))}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    made.save(str(folder / "tokenizer.json"))
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(kind), encoding="utf-8")
    torch.manual_seed(SEED)
    labels = dict(enumerate(("negative", "neutral", "positive")))
    config = CamembertConfig(
        vocab_size=len(words), max_position_embeddings=514, pad_token_id=1, id2label=labels
    )
    CamembertForSequenceClassification(config).save_pretrained(folder)


def ways(folder: Path, posts: list[str]) -> Iterator[Way]:
    """The loop, the pipelines, and ours."""
    from transformers import pipeline

    pipe = pipeline("text-classification", model=str(folder), top_k=None, device=-1)
    yield Way("one message at a time", lambda: _table([pipe(post)[0] for post in posts]))
    for size in SIZES:
        yield Way(f"pipeline, batches of {size}", lambda n=size: _table(pipe(posts, batch_size=n)))
    out = folder.parent / "exported"
    export(f"{folder}#fr", out)
    whole = folder.parent / "fp32"
    shutil.copytree(out, whole, ignore=shutil.ignore_patterns(INT8))
    for name, own in (("Vigie, 32 bits", whole), ("Vigie, 8 bits", out)):
        model = load_sentiment(str(own))
        yield Way(name, lambda model=model: _ours(model, posts))


def _table(answers: list[Any]) -> Scored:
    order = ("negative", "neutral", "positive")
    by_name = [{each["label"]: each["score"] for each in answer} for answer in answers]
    return np.array([[own[label] for label in order] for own in by_name], np.float32)


def _ours(model: Hosted[Tones], posts: list[str]) -> Scored:
    return model.score(posts, ["fr"] * len(posts)).probabilities


@dataclass(slots=True)
class Spent:
    """The best wall time and processor time of a way, and what it answered."""

    wall: float = float("inf")
    cpu: float = float("inf")
    scored: Scored | None = None


def measured(all_ways: list[Way]) -> dict[str, Spent]:
    """Each way in turn, `ROUNDS` times; the first round also warms up."""
    found = {way.name: Spent() for way in all_ways}
    for _ in range(ROUNDS):
        for way in all_ways:
            wall, cpu = time.perf_counter(), time.process_time()
            scored = way.run()
            own = found[way.name]
            own.wall = min(own.wall, time.perf_counter() - wall)
            own.cpu = min(own.cpu, time.process_time() - cpu)
            own.scored = scored
    return found


def report(found: dict[str, Spent], count: int) -> None:
    """Print the table: speed, and how many times the loop's and the best pipeline's it is."""
    loop = found["one message at a time"]
    best = min((own for name, own in found.items() if "pipeline" in name), key=lambda own: own.wall)
    print(f"{'way':28} {'texts/s':>8} {'x loop':>7} {'x pipeline':>10} {'CPU ms/text':>12} apart")
    for name, own in found.items():
        assert own.scored is not None
        assert loop.scored is not None
        apart = float(np.abs(own.scored - loop.scored).max())
        print(
            f"{name:28} {count / own.wall:8.1f} {loop.wall / own.wall:7.1f} "
            f"{best.wall / own.wall:10.1f} {1000 * own.cpu / count:12.1f} {apart:.1e}"
        )


def main() -> None:
    """Make the model, measure every way, print the table and the machine."""
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    posts = texts(count)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "base"
        folder.mkdir()
        checkpoint(folder)
        found = measured(list(ways(folder, posts)))
    report(found, count)
    load = os.getloadavg()[0]
    print(f"{count} texts, {threads()} threads, {platform.machine()}, load {load:.1f} at the end")


if __name__ == "__main__":
    main()
