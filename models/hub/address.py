"""Where a checkpoint is, what its config says, and which languages it reads.

A name is a folder, or `org/name@<40 hexadecimal digits of a commit>`, with the languages after a
`#` where the checkpoint does not state them: `org/name@0123…#fr,en`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import WeightsError

_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")
# Never every ONNX file: some checkpoints hold ten of them, half a gigabyte each.
FETCHED = (
    *("*.json", "README.md", "model.safetensors"),
    *("model.onnx", "model.int8.onnx", "onnx/model.onnx"),
)
NOTE = "vigie.json"  # beside weights that Vigie exported: `{"languages": […], "model_id": …}`


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A checkpoint on this machine: its folder, how to speak of it, its config and languages."""

    folder: Path
    address: str
    model_id: str
    config: dict[str, Any]
    languages: tuple[str, ...]


def find(name: str, *, may_download: bool = False) -> Found:
    """The checkpoint of that name; WeightsError when it is not here, or needs code of its own."""
    address, _, stated = name.partition("#")
    folder = folder_of(address, may_download=may_download)
    config = read_json(folder / "config.json")
    refuse_code(config, address)
    note = read_json(folder / NOTE) if (folder / NOTE).is_file() else {}
    return Found(
        folder=folder,
        address=address,
        model_id=address if "@" in address else str(note.get("model_id") or folder.name),
        config=config,
        languages=_languages(stated, note, folder, address),
    )


def refuse_code(config: dict[str, Any], address: str) -> None:
    """WeightsError when a checkpoint brings code, which is never run."""
    if "auto_map" in config:
        raise WeightsError(
            f"{address} needs code of its own, which Vigie never runs: choose another"
        )


def folder_of(address: str, *, may_download: bool) -> Path:
    """Where the files of a checkpoint are; fetched only if asked."""
    if Path(address).is_dir():
        return Path(address)
    found = _ID.fullmatch(address)
    if not found:
        raise WeightsError(
            f"{address!r} is neither 'embedded', nor a folder, nor an id with a pinned revision: "
            "write org/name@ and the 40 hexadecimal digits of a commit (`vigie models pull` "
            "finds them)"
        )
    return _snapshot(found["repo"], found["revision"], may_download=may_download)


def _snapshot(repo: str, revision: str, *, may_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repo,
                revision=revision,
                local_files_only=not may_download,
                allow_patterns=list(FETCHED),
            )
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsError(
            f"{repo}@{revision} is not on this machine: fetch it first with `vigie models pull "
            f"{repo}@{revision}`, or give its folder"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file, empty when it holds something else; WeightsError if unreadable."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read as JSON ({type(error).__name__}): fetch or save the "
            "checkpoint again"
        ) from error
    return read if isinstance(read, dict) else {}


def _languages(stated: str, note: dict[str, Any], folder: Path, address: str) -> tuple[str, ...]:
    """The languages that a checkpoint reads, as the name, `vigie.json` or its card says."""
    found = tuple(stated.split(",")) if stated else tuple(note.get("languages", ()))
    found = found or card_languages(folder / "README.md")
    if not found:
        raise WeightsError(
            f"{address} does not say which languages it reads: write them after its name, for "
            f"example {address}#fr,en"
        )
    return found


_LIST = re.compile(r"^languages?:[ \t]*(\[[^\]]*\]|[^\n]*)((?:\n[ \t]*-[^\n]*)*)", re.MULTILINE)


def card_languages(card: Path) -> tuple[str, ...]:
    """The two-letter codes under `language` at the head of a model card; none without a card.

    Cards of the hub say "multilingual" beside them, which is no language.
    """
    head = card.read_text(encoding="utf-8").split("\n---")[0] if card.is_file() else ""
    found = _LIST.search(head)
    said = re.findall(r"[\w-]+", found[1] + found[2]) if found else []
    return tuple(code for code in said if re.fullmatch("[a-z]{2}", code))
