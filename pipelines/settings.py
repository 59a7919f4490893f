"""Reads `vigie.toml` and the environment once into frozen records.

Every fault is found before anything is said. Secrets never stand in the file: a source or the
mail server names the environment variable that holds its secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipelines import vigie_toml
from pipelines.errors import Fault, SettingsError
from pipelines.said import NOTHING, Said, say
from pipelines.vigie_toml import HIDDEN, MISSING, Document, Place, near

_ADDRESS = re.compile(r"[^\s@<>,;:\"'()]+@(?:[\w-]+(?:\.[\w-]+)+|localhost)")
_HOST = re.compile(r"(?!\d+(?:\.\d+)*$)[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")

_PLACE_CODE = re.compile(r"(?:arrondissement|commune|departement|region):[0-9AB]{2,5}")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(say("write one plain mail address, such as astreinte@ville.example"))
    return text


def _rare_word(text: str) -> str:
    if not re.fullmatch(r"[^\W_]{8,60}", text) or text.isdigit():
        told = say(
            "write one word of eight letters and digits or more that nobody else writes, such as "
            "veillevalbrume7f3k"
        )
        raise ValueError(told)
    return text.casefold()


def _zone(name: str) -> str:
    if name not in available_timezones():
        guess = near(name, available_timezones())
        raise ValueError(
            say("{guess}write a zone such as Europe/Paris, Indian/Reunion", guess=guess)
        )
    return name


def _sender(text: str) -> str:
    if text and not _ADDRESS.fullmatch(parseaddr(text)[1]):
        raise ValueError(say("write one mail address, such as vigie@ville.example"))
    return text


def _private(text: str) -> str:
    try:
        network = ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        if not _HOST.fullmatch(text):
            told = say("write a host name, an address or a network, such as 10.1.2.0/24")
            raise ValueError(told) from None
    else:
        if network.prefixlen < 8:
            told = say("so wide a network lets every address in: write the one that is read")
            raise ValueError(told)
    return text


def _place_code(text: str) -> str:
    if not _PLACE_CODE.fullmatch(text):
        told = say(
            "write a level and an INSEE code, such as commune:37261, departement:37 or region:24"
        )
        raise ValueError(told)
    return text


def _calendar(text: str) -> str:
    is_address = text.startswith("https://") and re.fullmatch(r"https://[^\s@/]+(?:/\S*)?", text)
    is_file = "://" not in text and text.endswith(".ics")
    if not (is_address or is_file):
        told = say(
            'write a file of the home, such as "astreinte.ics", or an https address without a '
            "password in it"
        )
        raise ValueError(told)
    return text


def _web_url(text: str) -> str:
    local = r"http://(?:localhost|127\.0\.0\.1)(?::\d+)?"
    if text and not re.fullmatch(rf"(?:https://[\w.-]+(?::\d+)?|{local})(?:/[\w./-]*)?", text):
        told = say(
            "write the https address by which this machine's proxy is reached, such as "
            "https://vigie.ville.example"
        )
        raise ValueError(told)
    return text.rstrip("/")


QUIET_FROM, QUIET_UNTIL = time(22), time(7)  # local; warnings wait for the morning
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Address = Annotated[str, AfterValidator(_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Sender = Annotated[str, AfterValidator(_sender)]
PlaceCode = Annotated[str, AfterValidator(_place_code)]
PrivatePlace = Annotated[str, AfterValidator(_private)]
Checked = TypeVar("Checked", bound=BaseModel)


class Part(BaseModel):
    """A table of `vigie.toml`: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Institution(Part):
    """Who listens, and by what right.

    `digest_editions`: which digests are made beside the daily one. `territory` holds the codes of
    its own places: "la ville" and "Saint-Denis" are read by it.
    """

    id: Identifier
    name: Label
    kind: Literal["commune", "departement", "region", "prefecture", "autre"]
    aliases: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    place: str | None = None
    territory: tuple[PlaceCode, ...] = ()
    legal_basis: Label
    locale: Literal["fr", "en"] = "fr"
    time_zone: Zone = "Europe/Paris"
    digest_hour: Annotated[int, Field(ge=0, le=23)] = 7
    digest_editions: tuple[Literal["week", "month"], ...] = ("week", "month")

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which a day of this institution begins and ends."""
        return ZoneInfo(self.time_zone)


class Subject(Part):
    """What is watched, and the mission that it serves (`purpose`).

    `names` count alone; `ambiguous` names count only with a word of `context` near by, and never
    where a word of `exclude` stands; with `places` (INSEE codes) they
    count too in a text that names one of these. `query` says the same and more in one expression
    (docs/queries.md); beside terms, either is enough.
    """

    id: Identifier
    label: Label
    purpose: Annotated[str, Field(min_length=10)]
    names: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    places: tuple[PlaceCode, ...] = ()
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    query: Annotated[str, Field(min_length=1)] | None = None


class SourceBlock(Part):
    """One `[[sources]]` block: a name of its own, the kind, and that kind's options.

    `monthly_cap` is the most that it may cost a month, in the currency of the source's prices.

    A block that is `live` is read by `vigie listen`, not every so many minutes. `recheck_posts` of
    its posts are looked up again in a quarter of an hour, at most.
    """

    name: Identifier
    kind: str
    live: bool = False
    recheck_posts: Annotated[int, Field(ge=0, le=10_000)] = 200
    every_minutes: Annotated[int, Field(ge=1, le=1440)] = 5
    silent_after_minutes: Annotated[int, Field(ge=5)] = 180
    first_days: Annotated[int, Field(ge=0, le=90)] = 7
    subject: Identifier | None = None
    monthly_cap: Annotated[float, Field(ge=0)] | None = None
    options: Any = None


class Relay(Part):
    """An institution, a medium or an elected official in office who may be shown by name."""

    id: Identifier
    label: Label
    kind: Literal["institution", "media", "official"]
    handles: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class Recipient(Part):
    """Who gets what, and by which channels: "email", or the name of a `[[channels]]` block."""

    name: Label
    email: Address
    role: Literal["director", "moderator", "analyst", "operator", "dpo"]
    gets: tuple[Literal["digest", "alerts", "failures"], ...]
    channels: Annotated[tuple[Identifier, ...], Field(min_length=1)] = ("email",)


class Shift(Part):
    """One span of the rota: who is on call from `from_on` to `to_on`, both included."""

    email: Address
    from_on: date
    to_on: date


class OnCall(Part):
    """A rota kept as a calendar, beside `[[rota]]`, and who is told when nobody else answers.

    `calendar` is a file in the home or an https address; an address that is itself a secret stands
    in the variable that `calendar_env` names.
    """

    calendar: Annotated[str, AfterValidator(_calendar)] | None = None
    calendar_env: str | None = None
    head: Address | None = None

    @property
    def has_calendar(self) -> bool:
        """Whether there is a calendar, whichever way it is named."""
        return bool(self.calendar or self.calendar_env)


class Channel(Part):
    """A way to a chat, a telephone or a program: its module, and the variable of its address.

    `quotes`: whether texts of people may go there; never to a telephone. `secret_env` signs what
    is posted to a program.
    """

    name: Identifier
    kind: Identifier
    address_env: str
    secret_env: str | None = None
    quotes: bool = False


class Web(Part):
    """Where `vigie serve` is reached from outside, through a proxy with TLS; none: no links."""

    url: Annotated[str, AfterValidator(_web_url)] = ""
    link_hours: Annotated[int, Field(ge=1, le=168)] = 48


def _issuer(text: str) -> str:
    local = r"http://(?:localhost|127\.0\.0\.1)(?::\d+)?"
    if not re.fullmatch(rf"(?:https://[\w.-]+(?::\d+)?|{local})(?:/[\w./-]*)?", text):
        told = say("write the https address of the provider, as its configuration says it")
        raise ValueError(told)
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        told = say("write an address or a network, such as 127.0.0.1")
        raise ValueError(told) from None
    return text


class Oidc(Part):
    """A provider of identities by OpenID Connect: ProConnect, a Keycloak of one's own.

    `role_claim` names the claim that says what somebody is (dots lead into it), `roles` what each
    of its values is here; `name_claim` the one by which the board's log calls them. A session
    lasts `session_hours`: what the provider takes away from somebody holds from the next one on.
    """

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Label
    client_secret_env: str
    label: Label = "ProConnect"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    session_hours: Annotated[int, Field(ge=1, le=24)] = 4
    name_claim: Label = "email"
    role_claim: Label = "groups"
    roles: Annotated[
        dict[str, Literal["director", "analyst", "moderator", "dpo"]], Field(min_length=1)
    ]


class Board(Part):
    """Who may log in on the board, and for how long. `trusted_proxies` may say whom they serve."""

    local_accounts: bool = True
    session_hours: Annotated[int, Field(ge=1, le=24)] = 12
    idle_minutes: Annotated[int, Field(ge=5, le=720)] = 120
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    oidc: Oidc | None = None


def _round_times(times: tuple[time, ...]) -> tuple[time, ...]:
    if any(not QUIET_UNTIL <= each < QUIET_FROM or each.tzinfo for each in times):
        told = say(
            "write times of the institution's clock from 07:00:00 on and before 22:00:00: at night "
            "warnings wait"
        )
        raise ValueError(told)
    return tuple(sorted(set(times)))


class Alerts(Part):
    """When whoever gets alerts hears where the warnings stand: times of the institution's clock;
    none: never."""

    warnings_at: Annotated[tuple[time, ...], AfterValidator(_round_times)] = (time(8), time(18))


class Labels(Part):
    """How many messages are drawn a day for people to label; 0: none but those drawn by hand."""

    daily_count: Annotated[int, Field(ge=0, le=200)] = 0


class Event(Part):
    """Something planned that explains much talk, such as an election night or a strike.

    From `start` to `end` no mail is sent about its `subjects` (all where none is named); what
    happens is still recorded. A moment without a zone is one of the institution's clock.
    """

    label: Label
    start: datetime
    end: datetime
    subjects: tuple[Identifier, ...] = ()

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether the event goes on at the instant `at`, by the clock of `zone`."""
        start, end = (m if m.tzinfo else m.replace(tzinfo=zone) for m in (self.start, self.end))
        return start <= at < end

    def concerns(self, subject_id: str) -> bool:
        """Whether talk of a subject is explained by it."""
        return not self.subjects or subject_id in self.subjects


class Mail(Part):
    """The mail server. The password stands in the variable that `password_env` names."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password_env: str = "VIGIE_SMTP_PASSWORD"  # noqa: S105 - a name, not a secret
    sender: Sender = ""


class Retention(Part):
    """How long each kind is kept; the defaults are those of `docs/law.md`."""

    payload_days: Annotated[int, Field(ge=1, le=30)] = 7
    text_days: Annotated[int, Field(ge=1, le=180)] = 30
    score_days: Annotated[int, Field(ge=7, le=365)] = 183
    aggregate_days: Annotated[int, Field(ge=30, le=1830)] = 1095


class Models(Part):
    """Which models score: `embedded`, or a checkpoint's folder or hub id with a revision.

    `sentiment` may be `gold`: the embedded model as this home's own corrections taught it.
    """

    sentiment: str = "embedded"
    topics: str = "embedded"

    def at(self, home: Path) -> Models:
        """The same with `gold` as the file of that home."""
        if self.sentiment != "gold":
            return self
        path = home / "models" / "gold-sentiment.safetensors"
        return self.model_copy(update={"sentiment": str(path)})


class Caps(Part):
    """The most that all sources together may cost a month; none where only their own caps hold."""

    monthly_cap_eur: Annotated[float, Field(ge=0)] | None = None
    monthly_cap_usd: Annotated[float, Field(ge=0)] | None = None


class Canary(Part):
    """A post that the institution plants to see whether it is heard, and how late.

    It is known by `word`, which nobody else writes, or by its address `url`. It is planted
    at `planted_at`, or every day at `daily_at` by the institution's clock; `sources` are the blocks
    that should hear it, within `within_minutes`.
    """

    id: Identifier
    word: Annotated[str, AfterValidator(_rare_word)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    planted_at: tuple[datetime, ...] = ()
    daily_at: time | None = None
    sources: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    within_minutes: Annotated[int, Field(ge=5, le=10080)] = 60


class Engagement(Part):
    """With whom own posts are compared: relays that are public institutions, never a person."""

    compare: Annotated[tuple[Identifier, ...], Field(max_length=20)] = ()


class Net(Part):
    """Where the HTTP client may go beyond public addresses, and whom to contact about it."""

    contact: str = ""
    allow_private: tuple[PrivatePlace, ...] = ()


class Settings(Part):
    """All of `vigie.toml`, and the home it belongs to."""

    home: Path
    institution: Institution
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1)]
    sources: tuple[SourceBlock, ...] = ()
    relays: tuple[Relay, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    rota: tuple[Shift, ...] = ()
    on_call: OnCall = OnCall()
    alerts: Alerts = Alerts()
    channels: tuple[Channel, ...] = ()
    web: Web = Web()
    board: Board = Board()
    labels: Labels = Labels()
    events: tuple[Event, ...] = ()
    canaries: tuple[Canary, ...] = ()
    mail: Mail = Mail()
    retention: Retention = Retention()
    models: Models = Models()
    budget: Caps = Caps()
    engagement: Engagement = Engagement()
    net: Net = Net()


def read(
    home: Path,
    *,
    environ: Mapping[str, str],
    source_options: Mapping[str, type[BaseModel]],
    needs_secrets: bool = True,
) -> Settings:
    """The settings of the institution that lives in `home`, each source's options checked.

    `source_options` gives the model of options of each kind of source. Raises SettingsError with
    every fault of the file, and with each variable of the environment that it names in vain: not
    where nothing `needs_secrets`, since nobody outside will be asked.
    """
    document = vigie_toml.read(home / vigie_toml.FILE)
    blocks = {i: _split(document, i, source_options) for i, _ in document.tables("sources")}
    found: list[Fault] = [fault for *_, wrong in blocks.values() for fault in wrong]
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(
            {**document.raw, "home": home.resolve(), "sources": _own(document, blocks)}
        )
    except ValidationError as error:
        found += _faults(document, error, (), Settings)
    found += vigie_toml.faults(document)
    found += _unset(document, environ, blocks) if needs_secrets else ()
    if found or settings is None:
        raise SettingsError(str(document.path), _in_order(found))
    filled = (
        block.model_copy(update={"options": options})
        for block, (_, options, _) in zip(settings.sources, blocks.values(), strict=True)
    )
    return settings.model_copy(update={"sources": tuple(filled)})


def checked(document: Document, model: type[Checked]) -> Checked:
    """Another file of the home as a record of `model`; SettingsError with every fault of it."""
    try:
        return model.model_validate(document.raw)
    except ValidationError as error:
        found = _faults(document, error, (), model)
        raise SettingsError(str(document.path), _in_order(found)) from None


def secrets_for(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that the settings name and the environment holds, by variable; never logged."""
    options = [block.options for block in settings.sources]
    parts = (*options, settings.mail, settings.on_call, settings.board.oidc, *settings.channels)
    names = {name for part in parts for name in env_names(part)}
    return {name: environ[name] for name in sorted(names) if environ.get(name)}


_Block = tuple[dict[str, Any], BaseModel | None, list[Fault]]
_OWN = frozenset(SourceBlock.model_fields) - {"options"}


def _own(document: Document, blocks: Mapping[int, _Block]) -> Any:
    """The sources with the keys that every block has; what is no block stays, to be refused."""
    listed = document.raw.get("sources", [])
    if not isinstance(listed, list):
        return listed
    return [blocks[i][0] if i in blocks else entry for i, entry in enumerate(listed)]


def _split(document: Document, index: int, source_options: Mapping[str, type[BaseModel]]) -> _Block:
    """A `[[sources]]` block as the keys of every block, its kind's options, and what is wrong."""
    entry = dict(document.tables("sources"))[index]
    own = {k: v for k, v in entry.items() if k in _OWN}
    rest = {k: v for k, v in entry.items() if k not in _OWN}
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in source_options:
        guess = near(kind, source_options) if isinstance(kind, str) else NOTHING
        names = ", ".join(sorted(source_options))
        remedy = say("{guess}choose one of {names}", guess=guess, names=names)
        shown = MISSING if kind is None else kind
        return own, None, [document.fault(("sources", index, "kind"), shown, remedy)]
    model = source_options[kind]
    zone = document.table("institution").get("time_zone")
    if "time_zone" in model.model_fields and zone in available_timezones():
        rest.setdefault("time_zone", zone)
    try:
        return own, model.model_validate(rest), []
    except ValidationError as error:
        return own, None, _faults(document, error, ("sources", index), model)


def env_names(options: Any) -> Iterator[str]:
    """The variables that a source's options, or another table, name, written or by default."""
    if isinstance(options, BaseModel):
        for name in type(options).model_fields:
            value = getattr(options, name)
            if name.endswith("_env") and isinstance(value, str) and value:
                yield value


def _unset(
    document: Document, environ: Mapping[str, str], blocks: Mapping[int, _Block]
) -> Iterator[Fault]:
    """The variables that the file names and the environment lacks."""
    for index, (_, options, _) in blocks.items():
        for name in options.model_fields_set if options else ():
            value = getattr(options, name)
            place = ("sources", index, name)
            if not name.endswith("_env") or document.is_secret(place):
                continue
            if isinstance(value, str) and not environ.get(value):
                yield document.fault(place, _safe_name(value), _SET_IT)
    mail, oidc = document.table("mail"), document.table("board").get("oidc")
    named: list[tuple[Place, Any]] = [
        (("on_call", "calendar_env"), document.table("on_call").get("calendar_env"))
    ]
    if mail.get("username"):
        default = Mail.model_fields["password_env"].default
        named.append((("mail", "password_env"), mail.get("password_env", default)))
    for index, channel in document.tables("channels"):
        places: list[Place] = [("channels", index, k) for k in ("address_env", "secret_env")]
        named += [(place, channel.get(str(place[-1]))) for place in places]
    if isinstance(oidc, dict):
        named.append((("board", "oidc", "client_secret_env"), oidc.get("client_secret_env")))
    for at, name in named:
        if isinstance(name, str) and not environ.get(name) and not document.is_secret(at):
            yield document.fault(at, _safe_name(name), _SET_IT)


def _safe_name(name: str) -> str:
    """The name of a variable; hidden when it looks like a key that was put in its place."""
    return name if "_" in name or len(name) <= 12 else HIDDEN


_SET_IT = say(
    "this environment variable is not set: set it where `vigie` and Airflow run, to the secret "
    "that it stands for"
)


def _in_order(found: list[Fault]) -> tuple[Fault, ...]:
    """Each fault once, a place's first, in the order of the file."""
    once = {(fault.key, fault.line, fault.value): fault for fault in reversed(found)}
    return tuple(sorted(once.values(), key=lambda f: (f.line or 0, f.key)))


# --- pydantic's findings in words


def _faults(
    document: Document, error: ValidationError, prefix: Place, model: type[BaseModel]
) -> list[Fault]:
    found = []
    items = [(item, (*prefix, *_without_unions(item["loc"]))) for item in error.errors()]
    slips = {place for item, place in items if item["type"] == "extra_forbidden"}
    for item, place in items:
        if document.is_secret(place) or _is_echo(item, place, slips):
            continue
        value = MISSING if item["type"] == "missing" else item.get("input")
        is_table = isinstance(value, dict | list)
        shown = HIDDEN if is_table else value
        found.append(document.fault(place, shown, _remedy(item, place, model)))
    return found


def _is_echo(item: Any, place: Place, slips: set[Place]) -> bool:
    """Whether a finding only repeats another: a key missing because it is misspelt beside, a list
    empty because its entries are wrong."""
    if item["type"] == "too_short":
        return bool(item["input"])
    beside = [str(p[-1]) for p in slips if p[:-1] == place[:-1]]
    return item["type"] == "missing" and bool(near(str(place[-1]), beside))


def _without_unions(place: tuple[int | str, ...]) -> Place:
    """A place of the file: pydantic adds the branch of a union, such as `tuple[str, ...]`."""
    return tuple(p for p in place if isinstance(p, int) or re.fullmatch(r"[\w-]+", p))


_LEGAL = {
    "purpose": say(
        "write the mission that this watching serves, in ten characters or more: without a "
        "purpose nothing may be collected (GDPR art. 5-1-b)"
    ),
    "legal_basis": say(
        "write by what right the institution listens, for example \"mission d'intérêt "
        'public (RGPD art. 6-1-e), délibération n° 2026-14": without it nothing may be collected'
    ),
}
_TABLES = {
    "institution": say("write an [institution] table: `vigie init` makes a file with one"),
    "subjects": say("write a [[subjects]] block for each thing to watch: `vigie init` makes one"),
}
_WORDS = {
    "missing": partial(say, "write it: it is needed"),
    "string_type": partial(say, "write text between quotes"),
    "int_type": partial(say, "write a whole number, without quotes"),
    "int_parsing": partial(say, "write a whole number, without quotes"),
    "int_from_float": partial(say, "write a whole number"),
    "bool_type": partial(say, "write true or false, without quotes"),
    "bool_parsing": partial(say, "write true or false, without quotes"),
    "tuple_type": partial(say, 'write a list, such as ["one", "two"]'),
    "list_type": partial(say, 'write a list, such as ["one", "two"]'),
    "dict_type": partial(say, "write a table"),
    "model_type": partial(say, "write a table"),
    "string_pattern_mismatch": partial(say, "write it as asked: {pattern}"),
    "string_too_short": partial(say, "write {min_length} characters or more"),
    "string_too_long": partial(say, "write {max_length} characters at most"),
    "too_short": partial(say, "write at least {min_length}"),
    "greater_than_equal": partial(say, "write {ge} or more"),
    "less_than_equal": partial(say, "write {le} or less"),
    "literal_error": partial(say, "choose one of {expected}"),
}


def _remedy(item: Any, place: Place, model: type[BaseModel]) -> Said:
    kind, context = item["type"], item.get("ctx", {})
    name = str(place[-1])
    if name in _LEGAL and kind in ("missing", "string_too_short", "string_type"):
        return _LEGAL[name]
    if kind in ("missing", "too_short") and len(place) == 1 and name in _TABLES:
        return _TABLES[name]
    if kind == "extra_forbidden" and name == "options" and place[0] == "sources":
        return say("write the options in the [[sources]] block itself, without [sources.options]")
    if kind == "extra_forbidden":
        known = _siblings(place, model)
        guess, names = near(name, known), ", ".join(known)
        return say("no such key here: {guess}there is {names}", guess=guess, names=names)
    if kind == "value_error":
        error = context["error"]
        return next((told for told in error.args if isinstance(told, Said)), Said(error))
    if kind.startswith("date_"):
        return say("write a day such as 2026-11-20, without quotes")
    if str(context.get("pattern")).startswith("^https?://"):
        return say("write a whole address, such as https://journal.example/rss")
    if "^[a-z][a-z0-9_]{0,39}$" in str(context.get("pattern")):
        return say(
            "write a short name: a lower-case letter, then letters, digits and _ (40 at most)"
        )
    if name.endswith("_days") and kind == "less_than_equal":
        return say("keep this for {le} days at most, as docs/law.md says", le=context["le"])
    found = _WORDS.get(kind)
    return found(**_spoken(context)) if found else Said(item["msg"])


def _spoken(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """What pydantic tells of a value, with the English "or" of its list in a sentence of ours."""
    names, is_list, last = str(context.get("expected", "")).rpartition(" or ")
    listed = say("{names} or {last}", names=names, last=last)
    return {**context, "expected": listed} if is_list else context


def _siblings(place: Place, model: type[BaseModel]) -> list[str]:
    """The keys that may stand at a place of the model."""
    if place[0] == "sources" and model is not Settings:
        return sorted({*model.model_fields, *_OWN})
    if model is not Settings:
        return _keys(place, model)
    parts: dict[str, type[BaseModel]] = {
        "institution": Institution, "subjects": Subject, "sources": SourceBlock, "relays": Relay,
        "recipients": Recipient, "rota": Shift, "mail": Mail, "retention": Retention,
        "models": Models, "net": Net, "budget": Caps, "canaries": Canary, "on_call": OnCall,
        "channels": Channel, "web": Web, "events": Event, "board": Board,
        "engagement": Engagement, "alerts": Alerts, "labels": Labels,
    }  # fmt: skip
    if len(place) == 1:
        return sorted(parts)
    if tuple(place[:2]) == ("board", "oidc") and len(place) > 2:
        return sorted(Oidc.model_fields)
    return sorted(parts[str(place[0])].model_fields)


def _keys(place: Place, model: type[BaseModel]) -> list[str]:
    """The keys of the table of a record in which `place` stands."""
    for name in (part for part in place[:-1] if isinstance(part, str)):
        model = next(_records(model.model_fields[name].annotation), model)
    return sorted(model.model_fields)


def _records(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _records(part)
