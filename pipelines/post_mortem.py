"""A look back at one alert: what happened, who was told when, what each letter showed.

Everything stands in the warehouse as it was when the letters were made (`alert_record`); texts are
shown only where the message is still kept, live and not expired, and are else told by their
numbers. The page has no script and fetches nothing.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import duckdb
import msgspec

from pipelines import alert_letter, rules, warehouse
from pipelines.alert import Alert
from pipelines.settings import Settings
from pipelines.templating import template
from pipelines.wording import Words, plain, safe_link, typeset, words

Row = dict[str, Any]
_MOMENT = timedelta(microseconds=1)
_WHY = re.compile(r"(?P<rule>\w+) (?P<severity>warning|critical) level=(?P<level>\d+(?:\.\d+)?)")
_HIDDEN = ("message_ids", "parameters")  # of an alert: shown elsewhere, or one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortem:
    """What the warehouse holds of an incident: rows of sql/queries/alert_*.sql.

    `texts` has the messages that may still be shown, by mention id; `seen` is what the rule last
    saw, None where another version of Vigie wrote it. `company` has the mails about other
    incidents in which this one stood.
    """

    mails: Sequence[Row]
    letters: Sequence[Row]
    texts: Mapping[str, Row]
    seen: Row | None = None
    company: Sequence[Row] = ()


def gather(connection: duckdb.DuckDBPyConnection, incident_id: str) -> PostMortem:
    """All that is kept of an incident's letters; changes nothing."""
    letters = _rows(connection, "alert_evidence", incident_id=incident_id)
    for row in letters:
        row |= {name: json.loads(row[name]) for name in ("messages", "networks", "tone")}
    return PostMortem(
        mails=_rows(connection, "alert_mails", incident_id=incident_id),
        letters=letters,
        texts=_texts(connection, [m for row in letters for m in row["messages"]]),
        seen=last_seen(connection, incident_id),
        company=_rows(connection, "alert_company", incident_id=incident_id),
    )


def last_seen(connection: duckdb.DuckDBPyConnection, incident_id: str) -> Row | None:
    """What the rule last saw of an incident: its `alert`, and when it was looked at."""
    for row in _rows(connection, "alert_seen", incident_id=incident_id):
        try:
            alert = msgspec.json.decode(row["alert"] or "", type=Alert)
        except msgspec.MsgspecError:  # of another version
            return None
        return {"alert": alert, "evaluated_at": row["evaluated_at"]}
    return None


def _texts(
    connection: duckdb.DuckDBPyConnection, messages: Sequence[Mapping[str, Any]]
) -> dict[str, Row]:
    if not messages:
        return {}
    times = [datetime.fromisoformat(m["published_at"]) for m in messages]
    keys = sorted({m["mention_id"] for m in messages})
    rows = _rows(connection, "alert_texts", keys=keys, since=min(times), until=max(times) + _MOMENT)
    return {row["mention_id"]: row for row in rows}


def _rows(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> list[Row]:
    found = warehouse.run(connection, f"queries/{name}", parameters)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def page(
    found: PostMortem,
    *,
    what: str,
    facts: Sequence[tuple[str, str]],
    changes: Sequence[Sequence[str]],
    settings: Settings,
    as_of: datetime,
) -> str:
    """The page as HTML, in the institution's language.

    `what`, `facts` and `changes` are what `vigie alerts show` prints of the incident.
    """
    who = settings.institution
    spoken = words(who.locale, who.zone, name="alerts")
    moment = spoken.moment(as_of)
    return template("incident.html.j2").render(
        w=spoken,
        what=plain(what),
        facts=facts,
        changes=changes,
        mails=[mail(row, settings, spoken) for row in found.mails],
        letters=[letter(row, found, settings, spoken) for row in found.letters],
        named=named_in(found, settings, spoken),
        footer=spoken.say("page.footer", moment=moment, institution=plain(who.name)),
    )


def mail(row: Row, settings: Settings, spoken: Words) -> tuple[str, ...]:
    """A mail as a line: when, when sent, to whom, what kind, why; of `PostMortem.mails`."""
    names = {r.email: r.name for r in settings.recipients}
    sent = spoken.text("page.failing")
    if row["sent_at"]:
        sent = spoken.say("page.sent", moment=spoken.moment(row["sent_at"]))
    return (
        spoken.moment(row["created_at"]),
        sent,
        plain(names.get(row["recipient"]) or row["recipient"]),
        named("kind", row["kind"], spoken),
        named("reason", row["reason"], spoken),
    )


def named(table: str, name: str, spoken: Words) -> str:
    """What people call a kind, a reason or a figure; as it stands where it has no such name.

    The reason of a change of state is a rule, a severity and a level, which are told apart.
    """
    key = f"{table}.{name}"
    if name and "." not in name and spoken.has(key):
        return spoken.text(key)
    if found := _WHY.fullmatch(name):
        severity = spoken.text(f"severity.{found['severity']}")
        level = spoken.decimal(float(found["level"]))
        rule = _label(found["rule"], spoken)
        return spoken.say("page.why", rule=rule, severity=severity, level=level)
    return plain(name)


def _label(rule_id: str, spoken: Words) -> str:
    """What people call a rule; its id where it is gone."""
    is_known = rules.is_known(rule_id)
    return (
        typeset(rules.read(rule_id).say("Label", spoken.locale), spoken.locale)
        if is_known
        else rule_id
    )


def sight(seen: Row, settings: Settings, spoken: Words) -> dict[str, Any]:
    """What the rule last saw, in the words of `spoken`; of `PostMortem.seen`."""
    alert, who = seen["alert"], settings.institution
    told = words(who.locale, who.zone, name="alert")
    return {
        "moment": spoken.moment(seen["evaluated_at"]),
        "headline": _headline(alert, settings),
        "usual": alert_letter.expectation(alert, told),
        "counted": alert_letter.counted(alert, {}, told),
        "figures": _figures(alert, spoken),
    }


def named_in(found: PostMortem, settings: Settings, spoken: Words) -> dict[str, str] | None:
    """Of an incident without a letter: the first mail about another that named it, if any did."""
    rows = [] if found.letters or found.mails else found.company[:1]
    return next((_beside(row, settings, spoken) for row in rows), None)


def _beside(row: Row, settings: Settings, spoken: Words) -> dict[str, str]:
    """In whose mail an incident stood, as a sentence, and the id of that other one."""
    who = settings.institution
    mails = words(who.locale, who.zone, name="alert")
    severity = spoken.text(f"severity.{row['severity']}").upper()
    where = alert_letter.about(row["subject_id"], row["scope"], settings, mails)
    lead = f"{severity} · {_label(row['rule_id'], spoken)} · {where}"
    key = "page.joined" if row["is_joined"] else "page.named"
    told = spoken.say(key, lead=lead, moment=spoken.moment(row["made_at"]))
    return {"said": told, "incident_id": row["incident_id"]}


def letter(row: Row, found: PostMortem, settings: Settings, spoken: Words) -> dict[str, Any]:
    """What one letter showed, in the words of `spoken`; of `PostMortem.letters`.

    `beside` says whose letter it was where this incident only stood in it.
    """
    alert = msgspec.json.decode(row["alert"], type=Alert)
    sha, who = row["rule_sha256"], settings.institution
    told = words(who.locale, who.zone, name="alert")
    rule = spoken.say("page.rule", rule=alert.rule_id, version=alert.rule_version, sha=sha[:16])
    lead = [r for r in found.company if r["is_joined"] and r["made_at"] == row["made_at"]]
    return {
        "beside": _beside(lead[0], settings, spoken) if lead else None,
        "number": row["sequence"],
        "moment": spoken.moment(row["made_at"]),
        "headline": _headline(alert, settings),
        "reason": named("reason", row["reason"], spoken),
        "usual": alert_letter.expectation(alert, told),
        "counted": alert_letter.counted(alert, row["networks"], told),
        "networks": alert_letter.networks(row["networks"], told),
        "tone": alert_letter.tone(row["tone"], alert, told),
        "picture": b64encode(row["picture"]).decode() if row["picture"] else None,
        "messages": [
            _message(m, found.texts.get(m["mention_id"]), spoken, told) for m in row["messages"]
        ],
        "rule": rule,
        "figures": _figures(alert, spoken),
        "sql": row["rule_sql"],
    }


def _headline(alert: Alert, settings: Settings) -> str:
    """The figures as the mail worded them; the numbers alone where the rule is gone."""
    who = settings.institution
    spoken = words(who.locale, who.zone, name="alert")
    if alert.rule_id in rules.names():
        return alert_letter.headline(alert, spoken)
    return spoken.say("forms.value", name=plain(alert.rule_id), value=spoken.number(alert.observed))


def _message(
    kept: Mapping[str, Any], text: Row | None, spoken: Words, told: Words
) -> dict[str, Any]:
    url = safe_link(text["url"]) if text else None
    said = " — ".join(filter(None, (text["title"], text["text"]))) if text else ""
    return {
        "quote": alert_letter.shortened(plain(said), alert_letter.QUOTE_LIMIT),
        "network": alert_letter.network(kept["network"], told),
        "moment": spoken.moment(datetime.fromisoformat(kept["published_at"])),
        "copied": alert_letter.repeated(kept["copy_count"], kept["origin_count"], told),
        "url": url,
        "host": urlsplit(url).hostname if url else None,
    }


def _figures(alert: Alert, spoken: Words) -> list[tuple[str, str]]:
    """Every figure of the alert with the thresholds of its rule, as they were."""
    values = msgspec.to_builtins(alert)
    used = json.loads(alert.parameters)
    shown = {k: v for k, v in values.items() if k not in _HIDDEN and v is not None}
    found = [(named("figure", name, spoken), _told(value, spoken)) for name, value in shown.items()]
    limits = [(spoken.say("page.limit", name=k), _told(v, spoken)) for k, v in used.items()]
    return [*found, *limits]


def _told(value: object, spoken: Words) -> str:
    if isinstance(value, bool):
        return spoken.text("page.yes" if value else "page.no")
    if isinstance(value, float):
        return f"{value:.4g}".replace(".", "," if spoken.locale == "fr" else ".")
    return plain(str(value))
