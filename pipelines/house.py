"""One institution: its home, its settings, its secrets, and what its sources may search for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import places, settings as reading, sources, subjects, vigie_toml
from pipelines.errors import Fault, SettingsError
from pipelines.said import say
from pipelines.settings import Settings, SourceBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One institution's home, its settings and the secrets that they name."""

    settings: Settings
    secrets: Mapping[str, str]
    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        """The folder that holds everything of this institution."""
        return self.settings.home

    def block(self, name: str) -> SourceBlock:
        """The source block of that name, which there is."""
        return next(block for block in self.settings.sources if block.name == name)

    @property
    def live_blocks(self) -> tuple[SourceBlock, ...]:
        """The source blocks that `vigie listen` reads."""
        return tuple(block for block in self.settings.sources if block.live)


def house(
    home: Path, *, environ: Mapping[str, str] | None = None, needs_secrets: bool = True
) -> House:
    """The institution that lives in `home`; SettingsError with every fault of its file.

    What only looks at the warehouse, or writes to it, goes without the secrets of sources and mail:
    whoever is on call may have a shell that lacks them.
    PlaceUnknown where its territory, or a place of a subject, is none.
    """
    environ = os.environ if environ is None else environ
    settings = read(home, environ=environ, needs_secrets=needs_secrets)
    places.check(settings.institution.territory)
    for subject in settings.subjects:
        places.check(subject.places, where=f"[[subjects]] {subject.id}, places")
    secrets = reading.secrets_for(settings, environ)
    return House(settings=settings, secrets=secrets, environ=environ)


def read(home: Path, *, environ: Mapping[str, str], needs_secrets: bool = True) -> Settings:
    """The settings of a home, whose places nobody has looked up; SettingsError as `house`."""
    settings = reading.read(
        home,
        environ=environ,
        source_options=sources.options_by_kind(),
        needs_secrets=needs_secrets,
    )
    if deaf := tuple(_deaf(settings)):
        raise SettingsError(str(home / vigie_toml.FILE), deaf)
    return settings


def _deaf(settings: Settings) -> Iterator[Fault]:
    """The blocks that say `live` of a kind that cannot be listened to."""
    able = [kind for kind in sources.names() if isinstance(sources.load(kind), sources.Listening)]
    for number, block in enumerate(settings.sources, 1):
        if block.live and block.kind not in able:
            remedy = say(
                "kind {kind!r} cannot be listened to, only {names} can: take it out",
                kind=block.kind,
                names=", ".join(able),
            )
            yield Fault(f"sources.{number}.live", "true", remedy)


def terms(settings: Settings, block: SourceBlock) -> sources.Terms:
    """What a source may search for: the terms of its subject, or of every subject."""
    allowed = subjects.allow_list(settings.institution, settings.relays)
    chosen = [s for s in settings.subjects if block.subject in (None, s.id)]
    wanted = [subjects.wanted(subject, allowed) for subject in chosen]
    return sources.Terms(
        names=_once(name for each in wanted for name in each.names),
        hashtags=_once(tag for each in wanted for tag in each.hashtags),
        handles=_once(handle for each in wanted for handle in each.handles),
        wild=_once(word for each in wanted for word in each.wild),
    )


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
