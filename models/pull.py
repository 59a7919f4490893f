"""Fetches a checkpoint that somebody asked for: what it is first, then its files, checked.

`offer` asks the hub what a checkpoint is (licence, commit, files, sizes) and fetches nothing of
it; `fetch` downloads the few files that Vigie uses and compares each with the hub's own digest;
`install` exports it to ONNX where torch is there. The hub is huggingface.co, or HF_ENDPOINT.
Only weights in safetensors or ONNX are taken: never a pickle, never code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from models.checkpoint import SUMS
from models.errors import WeightsError
from models.export import Report, export
from models.hub.address import NOTE, card_languages, read_json, refuse_code
from models.hub.kind import kind_of
from models.hub.running import FP32, SAFE, file_sha256

Task = Literal["sentiment", "topics"]
# SPDX names as the hub writes them. All allow any use; CC BY asks that the authors be named.
FREE = ("apache-2.0", "mit", "cc-by-4.0", "bsd-3-clause", "cc0-1.0", "etalab-2.0")
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[0-9a-f]{40}))?")
_SETTINGS = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("modules.json", "1_Pooling/config.json", "README.md", "LICENSE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """A checkpoint of `recommended.toml`; without a revision the newest is found when pulled."""

    id: str
    task: Task
    languages: tuple[str, ...]
    licence: str
    size_mb: int
    why: str
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file on the hub: its size in bytes, its SHA-256 (large files) or its git blob id."""

    path: str
    size: int
    sha256: str | None
    blob_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a checkpoint is, before anything of it is fetched."""

    repo: str
    revision: str
    licence: str
    files: tuple[Remote, ...]
    languages: tuple[str, ...]

    @property
    def pinned(self) -> str:
        """Its id with the commit."""
        return f"{self.repo}@{self.revision}"

    @property
    def size_mb(self) -> float:
        """What would be downloaded, in megabytes."""
        return round(sum(file.size for file in self.files) / 1e6, 1)

    @property
    def folder_name(self) -> str:
        """The name of its folder on this machine."""
        return f"{self.repo.replace('/', '--')}-{self.revision[:12]}"


@cache
def recommended() -> tuple[Recommended, ...]:
    """The checkpoints of `recommended.toml`, in its order."""
    read = tomllib.loads((files("models") / "recommended.toml").read_text(encoding="utf-8"))
    return tuple(
        Recommended(**entry | {"languages": tuple(entry["languages"])})
        for entry in read["checkpoint"]
    )


def known(repo: str) -> Recommended | None:
    """The recommended checkpoint of that id, if it is one."""
    return next((each for each in recommended() if each.id == repo), None)


def offer(name: str, *, languages: Sequence[str] = (), accepted_licence: str = "") -> Offer:
    """What `org/name` or `org/name@<commit>` is; the network is asked, nothing is fetched.

    The commit is the one given, else the recommended one, else the newest. WeightsError when the
    hub has it not or cannot be reached, when a file is missing that Vigie needs, and when the
    licence is not in FREE, or not the one recommended, unless it is `accepted_licence`.
    """
    repo, revision = _parsed(name)
    info = _info(repo, revision)
    card: dict[str, Any] = info.card_data.to_dict() if info.card_data else {}
    found = Offer(
        repo=repo,
        revision=str(info.sha),
        licence=str(card.get("license") or "not stated").lower(),
        files=_chosen(repo, [_remote(each) for each in info.siblings or []]),
        languages=tuple(languages) or _languages(repo, card),
    )
    _check_licence(found, accepted_licence)
    return found


def _parsed(name: str) -> tuple[str, str | None]:
    found = _NAME.fullmatch(name)
    if not found:
        raise WeightsError(
            f"{name!r} is no id of a checkpoint: write org/name, or org/name@ and the 40 "
            "hexadecimal digits of a commit; `vigie models list` shows the recommended ones"
        )
    entry = known(found["repo"])
    return found["repo"], found["revision"] or (entry.revision if entry else None)


def _info(repo: str, revision: str | None) -> Any:
    from huggingface_hub import HfApi

    with _told(repo, revision):
        return HfApi(endpoint=_endpoint()).model_info(repo, revision=revision, files_metadata=True)


def _endpoint() -> str | None:
    """The hub that the environment names, None for the usual one."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _told(repo: str, revision: str | None) -> Iterator[None]:
    """What goes wrong with the hub, in our words."""
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub.errors import (
        GatedRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise WeightsError(
            f"{repo} is given only to those who accept its terms: accept them on its page and "
            "`hf auth login`, or choose another"
        ) from error
    except RepositoryNotFoundError as error:
        raise WeightsError(
            f"the hub has no checkpoint {repo!r}: check the id; `vigie models list` shows the "
            "recommended ones"
        ) from error
    except RevisionNotFoundError as error:
        raise WeightsError(
            f"{repo} has no commit {revision}: leave it out, and the newest is found and pinned"
        ) from error
    except OfflineModeIsEnabled as error:
        raise WeightsError(
            "HF_HUB_OFFLINE is set, so nothing may be fetched: unset it, or pull on another "
            "machine and copy the folder here"
        ) from error
    except (OSError, HTTPError) as error:
        raise WeightsError(
            f"the hub could not be reached for {repo} ({type(error).__name__}): try again, or "
            "pull on a machine with a network and copy the folder here"
        ) from error


def _remote(sibling: Any) -> Remote:
    return Remote(
        path=sibling.rfilename,
        size=int(sibling.size or 0),
        sha256=sibling.lfs.sha256 if sibling.lfs else None,
        blob_id=sibling.blob_id,
    )


def _chosen(repo: str, there: Sequence[Remote]) -> tuple[Remote, ...]:
    """The settings, and one file of weights: what can be used here, nothing else."""
    named = {remote.path: remote for remote in there}
    for name in ("config.json", "tokenizer.json"):
        if name not in named:
            raise WeightsError(
                f"{repo} has no {name}: choose a checkpoint that was saved with a fast tokenizer, "
                "or load and save it with transformers on a machine you trust"
            )
    weights = _weights(repo, named)
    return tuple(named[name] for name in (*_SETTINGS, weights) if name in named)


def _weights(repo: str, named: dict[str, Remote]) -> str:
    """Safetensors where they can be exported, else ONNX."""
    exported = next((name for name in (FP32, f"onnx/{FP32}") if name in named), None)
    if SAFE in named and can_export():
        return SAFE
    if exported:
        return exported
    if SAFE in named:
        raise WeightsError(
            f"{repo} has {SAFE} and no ONNX file, and what exports it is not installed here: "
            "`pip install -e '.[checkpoint]'`, or pull on another machine and copy the folder"
        )
    raise WeightsError(
        f"{repo} has neither {SAFE} nor {FP32}, only forms that may run code when they are read: "
        "choose another checkpoint"
    )


def can_export() -> bool:
    """Whether the extra `vigie[checkpoint]` is installed."""
    return all(find_spec(name) for name in ("torch", "onnx"))


def _languages(repo: str, card: dict[str, Any]) -> tuple[str, ...]:
    """The recommended languages, else those of the card; none when it says none."""
    entry = known(repo)
    if entry:
        return entry.languages
    said = card.get("language") or []
    codes = [said] if isinstance(said, str) else list(said)
    return tuple(str(code) for code in codes if re.fullmatch("[a-z]{2}", str(code)))


def _check_licence(found: Offer, accepted: str) -> None:
    if found.licence == accepted.lower():
        return
    entry = known(found.repo)
    if entry and entry.licence != found.licence:
        raise WeightsError(
            f"{found.repo} now has the licence {found.licence}, and was recommended under "
            f"{entry.licence}: read its page, then add --accept-licence {found.licence}"
        )
    if found.licence not in FREE:
        raise WeightsError(
            f"{found.repo} has the licence {found.licence}, which may not allow your use: read "
            f"it, then add --accept-licence '{found.licence}', or choose another"
        )


def fetch(found: Offer, into: Path) -> Path:
    """The folder of the files of an offer, each checked; a second call fetches what is missing.

    WeightsError when the hub fails, or when a file is not what the hub said; then it is removed.
    """
    from huggingface_hub import snapshot_download

    folder = into / f".{found.folder_name}.fetched"
    with _told(found.repo, found.revision):
        snapshot_download(
            found.repo,
            revision=found.revision,
            local_dir=folder,
            endpoint=_endpoint(),
            allow_patterns=[file.path for file in found.files],
        )
    for file in found.files:
        _check(folder / file.path, file, found.pinned)
    refuse_code(read_json(folder / "config.json"), found.pinned)
    return folder


def _check(path: Path, file: Remote, pinned: str) -> None:
    """WeightsError unless a file has the digest that the hub states."""
    said = file.sha256 or file.blob_id
    got = file_sha256(path) if file.sha256 else _blob_id(path)
    if path.stat().st_size != file.size or got != said:
        path.unlink()
        raise WeightsError(
            f"{file.path} of {pinned} has the digest {got[:12]}… and the hub states "
            f"{str(said)[:12]}…: it is removed; pull again, and if that fails tell its authors"
        )


def _blob_id(path: Path) -> str:
    """The id that git gives a file: SHA-1 of a head and its bytes."""
    data = path.read_bytes()
    head = f"blob {len(data)}\0".encode()
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A folder that `models.hub` reads, and what the export gave when there was one."""

    folder: Path
    report: Report | None


def install(found: Offer, fetched: Path, into: Path) -> Installed:
    """Put a fetched checkpoint where it is used from, exported if it is in safetensors.

    A second call replaces the folder. WeightsError when it is of no kind that Vigie uses.
    """
    out = into / found.folder_name
    languages = found.languages or card_languages(fetched / "README.md")
    if not languages:
        raise WeightsError(
            f"{found.pinned} does not say which languages it reads: add --languages fr,en"
        )
    kind_of(fetched, read_json(fetched / "config.json"), address=found.pinned)
    shutil.rmtree(fetched / ".cache", ignore_errors=True)
    if (fetched / SAFE).is_file():
        report = export(f"{fetched}#{','.join(languages)}", out, model_id=found.pinned)
        shutil.rmtree(fetched)
        return Installed(folder=out, report=report)
    _note(found, fetched, languages)
    shutil.rmtree(out, ignore_errors=True)
    fetched.rename(out)
    return Installed(folder=out, report=None)


def _note(found: Offer, folder: Path, languages: Sequence[str]) -> None:
    text = json.dumps({"model_id": found.pinned, "languages": list(languages)}, sort_keys=True)
    (folder / NOTE).write_text(f"{text}\n", encoding="utf-8")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def proposal(found: Offer, folder: Path, task: Task) -> str:
    """What to write into `vigie.toml` to use a checkpoint, with the pinned id beside it."""
    path = json.dumps(str(folder.resolve()), ensure_ascii=False)
    return f"[models]\n# {found.pinned} ({found.licence})\n{task} = {path}\n"


Asked = Callable[[Offer], bool]


def pull(found: Offer, into: Path, *, may_fetch: Asked) -> Installed | None:
    """Fetch, check and install an offer once `may_fetch` has agreed to it; None when it did not."""
    if not may_fetch(found):
        return None
    into.mkdir(parents=True, exist_ok=True)
    return install(found, fetch(found, into), into)
