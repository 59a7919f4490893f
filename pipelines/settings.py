"""Reads `vigie.toml` and the environment once into frozen records.

Every fault is found before anything is said. Secrets never stand in the file: a source or the
mail server names the environment variable that holds its secret.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class Part(BaseModel):
    """A table of `vigie.toml`: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Institution(Part):
    """Who listens, and by what right."""

    id: Identifier
    name: Label
    kind: Literal["commune", "departement", "region", "prefecture", "autre"]
    aliases: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    place: str | None = None
    legal_basis: Label
    locale: Literal["fr", "en"] = "fr"
    time_zone: str = "Europe/Paris"
    digest_hour: Annotated[int, Field(ge=0, le=23)] = 7

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which a day of this institution begins and ends."""
        return ZoneInfo(self.time_zone)


class Subject(Part):
    """What is watched, and the mission that it serves (`purpose`).

    `names` count alone; `ambiguous` names count only with a word of `context` near by, and never
    where a word of `exclude` stands.
    """

    id: Identifier
    label: Label
    purpose: Annotated[str, Field(min_length=10)]
    names: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()


class SourceBlock(Part):
    """One `[[sources]]` block: a name of its own, the kind, and that kind's options."""

    name: Identifier
    kind: str
    every_minutes: Annotated[int, Field(ge=1, le=1440)] = 5
    silent_after_minutes: Annotated[int, Field(ge=5)] = 180
    first_days: Annotated[int, Field(ge=0, le=90)] = 7
    subject: Identifier | None = None
    options: Any = None


class Relay(Part):
    """An institution, a medium or an elected official in office who may be shown by name."""

    id: Identifier
    label: Label
    kind: Literal["institution", "media", "official"]
    handles: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class Recipient(Part):
    """Who gets what by mail."""

    name: Label
    email: str
    role: Literal["director", "moderator", "analyst", "operator", "dpo"]
    gets: tuple[Literal["digest", "alerts", "failures"], ...]


class Shift(Part):
    """One span of the rota: who is on call from `from_on` to `to_on`, both included."""

    email: str
    from_on: date
    to_on: date


class Mail(Part):
    """The mail server. The password stands in the variable that `password_env` names."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password_env: str = "VIGIE_SMTP_PASSWORD"  # noqa: S105 - a name, not a secret
    sender: str = ""


class Retention(Part):
    """How long each kind is kept; the defaults are those of `docs/law.md`."""

    payload_days: Annotated[int, Field(ge=1, le=30)] = 7
    text_days: Annotated[int, Field(ge=1, le=180)] = 30
    score_days: Annotated[int, Field(ge=7, le=365)] = 183
    aggregate_days: Annotated[int, Field(ge=30, le=1830)] = 1095


class Models(Part):
    """Which models score: `embedded`, or a checkpoint's folder or hub id with a revision."""

    sentiment: str = "embedded"
    topics: str = "embedded"


class Net(Part):
    """Where the HTTP client may go beyond public addresses, and whom to contact about it."""

    contact: str = ""
    allow_private: tuple[str, ...] = ()


class Settings(Part):
    """All of `vigie.toml`, and the home it belongs to."""

    home: Path
    institution: Institution
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1)]
    sources: tuple[SourceBlock, ...] = ()
    relays: tuple[Relay, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    rota: tuple[Shift, ...] = ()
    mail: Mail = Mail()
    retention: Retention = Retention()
    models: Models = Models()
    net: Net = Net()
