"""The alert mail: an incident and its evidence as a Letter, in French or English.

Read on a phone at night, so the subject alone must tell what, where, how much and how bad. The
HTML is tables with inline style, readable at 320 pixels and in the dark; everything that people
wrote is escaped, and a link is a link only over http and https.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pipelines import charts, coverage_words, links, rules, scopes
from pipelines.alert import Alert
from pipelines.coverage import Coverage
from pipelines.evidence import Evidence, Message
from pipelines.incidents import (
    ESCALATION,
    JOIN,
    OPENINGS_A_DAY,
    REPEAT,
    Decision,
    Incident,
    is_quiet,
)
from pipelines.letter import Letter
from pipelines.settings import QUIET_UNTIL, Recipient, Settings
from pipelines.templating import template
from pipelines.wording import Words, plain, safe_link, typeset, words

log = logging.getLogger(__name__)

QUOTE_LIMIT = 280
# Of a letter about many incidents: so many are told with links, so many in all, each kind. Mail
# programs cut a mail off at about 100 KB; the rest is counted, and `vigie alerts list` shows it.
MOST_ANSWERED, MOST_JOINED = 12, 40
NAME_LIMIT = 60  # of a network that we do not know
LEAST_DRAWN = 3  # mentions of a day; fewer are no curve
SHOWN_ID = 8  # characters of an incident's id: what `vigie alerts` asks for
CRISIS_TOPIC = "T20"
CRISIS_SHARE = 0.1  # of the mentions of the window, for the crisis procedure to be proposed
LATE_OPENING = timedelta(minutes=30)
_BANNERS = {
    "resolved": "resolved",
    "held_for_morning": "night",
    "unstable": "unstable",
    "escalation": "unanswered",
}
_SIGNS = ":;!?«»"
_HELD = re.compile(r"[\u00a0\u202f][:;!?»]|«\u00a0")
_EXPECTED = re.compile(r"\s\([^()]*\{expected\}\)")  # of a headline: "(expected {expected})"
_ABOUT_TONE = ("volume_surge", "negative_surge")  # whose share is that of negative texts
_TONES = ("negative", "neutral", "positive", "undetermined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """All that one letter is made from; `others` are the incidents that fire beside this one,
    `joined` those of which the letter tells as well.

    `chain` is who is told of a critical one step by step. `nobody` is None, 'nobody' when no one is
    named for alerts, or 'off_shift'. `links` are by incident; `all_link` takes all in hand.
    `draws` is false where nobody will look at the letter.
    """

    incident: Incident
    decision: Decision
    evidence: Evidence
    settings: Settings
    as_of: datetime
    others: Sequence[Incident] = ()
    joined: Sequence[tuple[Incident, Decision]] = ()
    nobody: str | None = None
    links: Mapping[str, Mapping[links.Action, str]] = field(default_factory=dict)
    all_link: str | None = None
    chain: Sequence[Sequence[Recipient]] = ()
    draws: bool = True


def letter(occasion: Occasion) -> Letter:
    """The letter about an incident, in the institution's language."""
    spoken = _words(occasion.settings)
    picture = _picture(occasion, spoken) if occasion.draws else None
    values = _values(occasion, spoken) | {"alt": picture[1] if picture else None}
    return Letter(
        subject=subject(occasion, spoken),
        text=_tidied(template("alert.txt.j2").render(values)),
        html=template("alert.html.j2").render(values),
        brief=brief(occasion, spoken),
        quotes=_quotes(occasion, spoken),
        images={"curve": picture[0]} if picture else {},
    )


def failure(*, dag: str, task: str, run: str, error: str, settings: Settings) -> Letter:
    """The letter about a task that failed; `error` must hold no secret and no person's text."""
    spoken = _words(settings)
    institution = plain(settings.institution.name)
    values: dict[str, Any] = {
        "w": spoken,
        "institution": institution,
        "what": spoken.say("failure.what", dag=plain(dag), task=plain(task), run=plain(run)),
        "error": error.strip()[:2000],
    }
    line = spoken.say("failure.subject", task=plain(task), institution=institution)
    return Letter(
        subject=line,
        brief=line,
        text=_tidied(template("failure.txt.j2").render(values)),
        html=template("failure.html.j2").render(values),
    )


def filled(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The plain text and the HTML of the templates of that name, with their values put in."""
    text, html = (template(f"{name}.{kind}.j2") for kind in ("txt", "html"))
    return _tidied(text.render(values)), html.render(values)


def subject(occasion: Occasion, spoken: Words) -> str:
    """The subject line: status, subject, figures, whose, to be triaged on a locked screen."""
    about = where(occasion.incident, occasion.settings, spoken)
    institution = plain(occasion.settings.institution.name)
    line = spoken.say(
        "subject",
        status=_urgency(occasion, spoken),
        where=about,
        headline=_headline(occasion, spoken),
        institution=institution,
    )
    line = line.removesuffix(f" · {institution}") if institution in about else line
    if occasion.joined:
        alerts = spoken.count("alerts", len(occasion.joined))
        line = spoken.say("more", line=line, alerts=alerts)
    return plain(line)


def _urgency(occasion: Occasion, spoken: Words) -> str:
    """The status, and that nobody is on call where it is so: both must be seen on a locked
    screen."""
    status = spoken.text(f"status.{_status(occasion)}")
    if not occasion.nobody or _is_over(occasion.decision):
        return status
    return spoken.say("nobody.subject", status=status)


def _status(occasion: Occasion) -> str:
    return _BANNERS.get(occasion.decision.reason, occasion.incident.severity)


def _headline(occasion: Occasion, spoken: Words) -> str:
    incident = occasion.incident
    if _status(occasion) in ("resolved", "night"):
        label = _ruled(rules.read(incident.alert.rule_id), "Label", spoken)
        return spoken.say("ended", label=label, span=_lasted(occasion, spoken))
    return headline(incident.alert, spoken)


def headline(alert: Alert, spoken: Words) -> str:
    """The figures of a rule in one line, as its header words them; without what was to be expected
    where nobody knows it yet."""
    template = _ruled(rules.read(alert.rule_id), "Headline", spoken)
    if alert.expected is None:
        template = _EXPECTED.sub("", template)
    return template.format(
        observed=spoken.number(alert.observed),
        expected=_number(alert.expected, spoken),
        low=_number(alert.low, spoken),
        high=_number(alert.high, spoken),
        share=_percent(alert.share, spoken),
        authors=_number(alert.author_count, spoken),
        window=span(alert.window_minutes, spoken),
        observed_span=span(alert.observed, spoken),
        expected_span=span(alert.expected or 0, spoken),
    )


def label_of(alert: Alert, spoken: Words) -> str:
    """How people call the rule of an alert."""
    return _ruled(rules.read(alert.rule_id), "Label", spoken)


def _ruled(rule: rules.Rule, name: str, spoken: Words) -> str:
    return typeset(rule.say(name, spoken.locale), spoken.locale)


def where(incident: Incident, settings: Settings, spoken: Words) -> str:
    """What an incident is about: subject, subject and topic, or source."""
    return about(incident.alert.subject_id, incident.alert.scope, settings, spoken)


def about(subject_id: str | None, scope: str, settings: Settings, spoken: Words) -> str:
    """The name of a subject, of a subject and topic, or of a source where there is no subject."""
    if subject_id is None:
        return spoken.say("forms.source", name=plain(scope))
    labels = {s.id: s.label for s in settings.subjects}
    label = plain(labels.get(subject_id, subject_id))
    if scope == "all":
        return label
    return spoken.say("forms.topic", subject=label, topic=scopes.label(scope, spoken.locale))


def span(minutes: float, spoken: Words) -> str:
    """A length of time as people say it: "45 min", "1 h", "2 h 10", "3 j"."""
    whole = round(minutes)
    if whole >= 48 * 60:
        return spoken.say("forms.days", n=spoken.number(whole / 1440))
    if whole < 60:
        return spoken.say("forms.minutes", n=whole)
    if whole % 60 == 0:
        return spoken.say("forms.hours", n=whole // 60)
    return spoken.say("forms.hours_minutes", n=whole // 60, m=f"{whole % 60:02d}")


def _number(value: float | None, spoken: Words) -> str:
    if value is None:
        return "–"
    return "< 1" if 0 < value < 0.5 else spoken.number(value)


def _percent(value: float | None, spoken: Words) -> str:
    return "–" if value is None else spoken.percent(value)


def _lasted(occasion: Occasion, spoken: Words) -> str:
    incident = occasion.incident
    end = incident.resolved_at or occasion.as_of
    return span((end - incident.opened_at) / timedelta(minutes=1), spoken)


def _values(occasion: Occasion, spoken: Words) -> dict[str, Any]:
    """What the two templates are filled with; all of it text, numbers or None."""
    incident, evidence = occasion.incident, occasion.evidence
    rule = rules.read(incident.alert.rule_id)
    is_over = _status(occasion) in ("resolved", "night")
    return {
        "w": spoken,
        "status": _status(occasion),
        "institution": plain(occasion.settings.institution.name),
        "label": _ruled(rule, "Label", spoken),
        "where": where(incident, occasion.settings, spoken),
        "headline": _headline(occasion, spoken),
        "expectation": None if is_over else expectation(incident.alert, spoken),
        "reason": _reason(occasion, spoken),
        "nobody": occasion.nobody,
        "facts": _facts(occasion, spoken),
        "messages": [_message(message, spoken) for message in evidence.messages],
        "is_about_source": incident.alert.subject_id is None,
        "is_brief": _status(occasion) == "resolved",  # the reader has had the rest before
        "terms": _terms(evidence, spoken),
        "networks": networks(evidence.networks, spoken),
        "topics": _topics(evidence, spoken),
        "tone": tone(evidence.tone, incident.alert, spoken),
        "coverage": _coverage(occasion),
        "incomplete": None if is_over else _incomplete(occasion),
        "links": [] if is_over else _links(incident, occasion, spoken),
        "all_link": occasion.all_link,
        "urgent": [] if is_over else _urgent(occasion, spoken),
        "preview": _preview(occasion, spoken),
        "heading": spoken.text(_heading(incident)),
        "todo": [] if is_over else _todo(occasion, rule, spoken),
        "end": _end(occasion, rule, spoken, is_over=is_over),
        "others": [] if is_over else _others(occasion, spoken),
        "joined": [_joined(each, occasion, spoken) for each in occasion.joined[:MOST_JOINED]],
        "unlisted": _unlisted(len(occasion.joined), spoken),
        "rule": _rule(incident, spoken),
    }


def answerable(occasion: Occasion) -> list[str]:
    """The incidents of the letter that get links: those that are not over, the gravest first."""
    every = ((occasion.incident, occasion.decision), *occasion.joined)
    found = [i.incident_id for i, decision in every if not _is_over(decision)]
    return found[: MOST_ANSWERED + 1]


def _is_over(decision: Decision) -> bool:
    return _BANNERS.get(decision.reason) in ("resolved", "night")


def _links(incident: Incident, occasion: Occasion, spoken: Words) -> list[tuple[str, str]]:
    """Label and address of what the reader may do about one incident, by a click and a button."""
    found = occasion.links.get(incident.incident_id, {})
    return [(spoken.text(f"links.{name}"), url) for name, url in found.items()]


def _heading(incident: Incident) -> str:
    """What stands over the messages: those of a threat are there to be read, not to be counted."""
    return "sections.to_read" if _is_suspected(incident) else "sections.messages"


def _is_suspected(incident: Incident) -> bool:
    return incident.alert.scope.startswith("risk:")


def _preview(occasion: Occasion, spoken: Words) -> str:
    """What a locked screen shows after the subject: figures and words that rise, nobody's text."""
    incident = occasion.incident
    if _status(occasion) in ("resolved", "night") or incident.alert.subject_id is None:
        return _reason(occasion, spoken)
    if _is_suspected(incident):
        return spoken.text("figures.unread")
    terms = ", ".join(plain(term.term) for term in occasion.evidence.terms[:3])
    found = (expectation(incident.alert, spoken), _tone_share(incident.alert, spoken), terms)
    return " · ".join(part for part in found if part)


def _tone_share(alert: Alert, spoken: Words) -> str | None:
    if alert.share is None or alert.rule_id not in _ABOUT_TONE:
        return None
    return spoken.say("tone.short", share=_percent(alert.share, spoken))


def brief(occasion: Occasion, spoken: Words) -> str:
    """The alert in a few lines for a chat or a telephone: settings and figures, no text of people.

    A subject of ours, a rule's headline, an expectation, and the link to acknowledge.
    """
    incident = occasion.incident
    lines = [subject(occasion, spoken)]
    is_over = _status(occasion) in ("resolved", "night")
    if not is_over and (usual := expectation(incident.alert, spoken)):
        lines.append(usual)
    if occasion.nobody:
        lines.append(spoken.text("nobody.brief"))
    own = occasion.links.get(incident.incident_id, {}).get("acknowledge")
    if occasion.all_link:
        lines.append(spoken.say("links.brief_all", url=occasion.all_link))
    elif not is_over and own:
        lines.append(spoken.say("links.brief", url=own))
    return "\n".join(lines)


def _quotes(occasion: Occasion, spoken: Words) -> tuple[str, ...]:
    found = (_message(message, spoken) for message in occasion.evidence.messages)
    return tuple(f"{spoken.say('forms.quote', text=m['quote'])} {m['url'] or ''}" for m in found)


def expectation(alert: Alert, spoken: Words) -> str | None:
    """The range that is usual at this hour, in words; None where the rule knows none."""
    if alert.is_warming_up:
        return spoken.text("figures.cold")
    if alert.low is None or alert.high is None:
        return None
    interval = spoken.say(
        "forms.interval", low=_number(alert.low, spoken), high=_number(alert.high, spoken)
    )
    return spoken.say("figures.expected", interval=interval)


def _reason(occasion: Occasion, spoken: Words) -> str:
    incident = occasion.incident
    name = occasion.decision.reason
    if name == "first" and occasion.as_of - incident.opened_at >= LATE_OPENING:
        name = "first_late"
    if incident.late_at and name in ("first", "first_late", "escalation"):
        return _heard_late(occasion, spoken, name)
    return spoken.say(
        f"reasons.{name}",
        opened=spoken.moment(incident.opened_at),
        resolved=spoken.moment(incident.resolved_at) if incident.resolved_at else "",
        span=_lasted(occasion, spoken),
        peak=headline(incident.peak, spoken),
        limit=OPENINGS_A_DAY,
        id=incident.incident_id[:SHOWN_ID],
    )


def _heard_late(occasion: Occasion, spoken: Words, name: str) -> str:
    """Why, of an alert about a past window that was heard too late to be told in time."""
    incident = occasion.incident
    late = spoken.moment(incident.window_ends_at)
    said = spoken.say("reasons.heard_late", moment=late)
    if name != "escalation":
        return said
    id_ = incident.incident_id[:SHOWN_ID]
    return f"{spoken.say('reasons.escalation', span=_lasted(occasion, spoken), id=id_)} {said}"


def _facts(occasion: Occasion, spoken: Words) -> list[tuple[str, str]]:
    """Label and value of what places the incident: subject, topic, place, window, counts."""
    incident, settings = occasion.incident, occasion.settings
    alert, institution = incident.alert, settings.institution
    if alert.subject_id is None:
        facts = [("source", plain(alert.scope))]
    else:
        subject_only = replace(incident, alert=replace(alert, scope="all"))
        facts = [("subject", where(subject_only, settings, spoken))]
        if alert.scope != "all":
            facts.append(("topic", scopes.label(alert.scope, spoken.locale)))
        facts += [
            ("place", plain(institution.place or institution.name)),
            ("window", _window(incident, spoken)),
            ("counted", counted(alert, occasion.evidence.networks, spoken)),
        ]
    facts.append(("opened", spoken.moment(incident.opened_at)))
    return [(spoken.text(f"facts.{name}"), value) for name, value in facts if value]


def _window(incident: Incident, spoken: Words) -> str:
    minutes = incident.alert.window_minutes
    since = incident.window_ends_at - timedelta(minutes=minutes)
    is_day = minutes >= 1440
    return spoken.say(
        "figures.window",
        start=spoken.moment(since) if is_day else spoken.time(since),
        time=spoken.moment(incident.window_ends_at)
        if is_day
        else spoken.time(incident.window_ends_at),
        minutes=span(minutes, spoken),
    )


def counted(alert: Alert, mentions: Mapping[str, int], spoken: Words) -> str:
    """How many mentions, texts and people were counted; `mentions` by network."""
    # With neither a usual nor a share it is a group of copies: its people are not the subject's.
    is_group = alert.expected is None and alert.share is None
    counts = [
        ("mentions", round(alert.observed) if is_group else sum(mentions.values())),
        ("texts", alert.text_count),
        ("authors", alert.author_count),
    ]
    return ", ".join(spoken.count(noun, n) for noun, n in counts if n)


def _message(message: Message, spoken: Words) -> dict[str, Any]:
    told = f"{message.title} — {message.text}" if message.title else message.text
    return {
        "quote": shortened(plain(told), QUOTE_LIMIT),
        "network": network(message.network, spoken),
        "moment": spoken.moment(message.published_at),
        "copied": repeated(message.copy_count, message.origin_count, spoken)
        if message.copy_count > 1
        else None,
        "tone": message.sentiment,
        "reasons": _reasons(message, spoken),
        "url": safe_link(message.url),
    }


def repeated(copy_count: int, origin_count: int, spoken: Words) -> str:
    """How often a text was said again, and on how many networks or sites; `copy_count` is of all.

    The first to say it repeats nothing.
    """
    if copy_count < 2:
        return spoken.text("messages.once")
    return spoken.say(
        "messages.copies",
        copies=spoken.count("copies", copy_count - 1),
        origins=spoken.count("origins", origin_count),
    )


def _reasons(message: Message, spoken: Words) -> str | None:
    """The words that speak for the message's tone and the terms of its topics, on one line."""
    if message.reasons is None:
        return None
    words = [moved.word for moved in message.reasons.words if moved.effect > 0]
    found = (("words", words), ("terms", list(message.reasons.terms)))
    said = [
        spoken.say(f"messages.{name}", listed=plain(", ".join(listed)))
        for name, listed in found
        if listed
    ]
    return " · ".join(said) or None


def shortened(text: str, limit: int) -> str:
    """`text` within `limit` characters, cut between words."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1].rsplit(" ", 1)[0]
    return f"{cut.rstrip(' ,;:.')}…"


def network(name: str, spoken: Words) -> str:
    """How people call a network."""
    key = f"networks.{name}"
    return spoken.text(key) if "." not in name and spoken.has(key) else _short(name)


def _short(name: str) -> str:
    return shortened(plain(name), NAME_LIMIT)


def _terms(evidence: Evidence, spoken: Words) -> list[str]:
    return [
        spoken.say(
            "terms.line",
            term=plain(term.term),
            share=spoken.percent(term.share),
            usual=spoken.percent(term.usual_share),
        )
        for term in evidence.terms
    ]


def networks(counts: Mapping[str, int], spoken: Words) -> list[dict[str, Any]]:
    """Where mentions come from: name, number and share of each network, and a width for a bar."""
    total = sum(counts.values())
    return [
        {
            "name": network(name, spoken),
            "count": spoken.number(count),
            "share": spoken.percent(count / total),
            "width": max(round(100 * count / total), 1),
        }
        for name, count in counts.items()
    ]


def _topics(evidence: Evidence, spoken: Words) -> list[str]:
    largest = list(evidence.topics.items())[:3]
    return [f"{scopes.label(t, spoken.locale)} {spoken.percent(s)}" for t, s in largest]


def tone(found: Mapping[str, int], alert: Alert, spoken: Words) -> list[str]:
    """The share of negative texts with its interval, and on how many mentions it rests."""
    undetermined = found.get("undetermined", 0)
    scored = sum(found.values()) - undetermined
    if not found:
        return []
    if not scored:
        return [spoken.text("tone.unknown")]
    counts = {name: spoken.number(found.get(name, 0)) for name in _TONES}
    lines = [spoken.say("tone.bar", **counts)]
    if alert.share is not None and alert.rule_id != "topic_surge":
        interval = {
            "share": _percent(alert.share, spoken),
            "low": _percent(alert.share_low, spoken),
            "high": _percent(alert.share_high, spoken),
            "usual": _percent(alert.share_expected, spoken),
        }
        lines.insert(0, spoken.say("tone.line", **interval))
    return lines


def _coverage(occasion: Occasion) -> list[str]:
    return coverage_lines(occasion.evidence.lately, occasion.settings)


def coverage_lines(found: Coverage, settings: Settings) -> list[str]:
    """What was not heard and what it means, then how late messages are heard."""
    spoken = _covering(settings)
    lines = [coverage_words.headline(found, spoken)]
    lines += [
        line for source in found.sources for line in coverage_words.troubles(source, found, spoken)
    ]
    return [line for line in (*lines, coverage_words.lateness(found, spoken)) if line]


def _incomplete(occasion: Occasion) -> str | None:
    """That the figures of the alert are a minimum, and by how much; None when they are whole."""
    window = occasion.evidence.window
    return coverage_words.minimum(window, _covering(occasion.settings)) if window else None


def _covering(settings: Settings) -> Words:
    return words(settings.institution.locale, settings.institution.zone, name="coverage")


def _todo(occasion: Occasion, rule: rules.Rule, spoken: Words) -> list[str]:
    owner = _ruled(rule, "Owner", spoken)
    lines = [_ruled(rule, "Procedure", spoken)]
    is_crisis = _is_crisis(occasion)
    if is_crisis:
        lines.insert(0, spoken.text("todo.crisis"))
        owner = spoken.text("todo.crisis_owner")
    lines.append(spoken.say("todo.owner", owner=owner))
    if rule.tells != "operators":
        is_legal = is_crisis or rule.is_legal
        lines.append(spoken.text("todo.legal_yes" if is_legal else "todo.legal_no"))
    return lines


def _is_crisis(occasion: Occasion) -> bool:
    share = occasion.evidence.topics.get(CRISIS_TOPIC, 0.0)
    return occasion.incident.alert.scope == CRISIS_TOPIC or share >= CRISIS_SHARE


def _end(occasion: Occasion, rule: rules.Rule, spoken: Words, *, is_over: bool) -> list[str]:
    if is_over:
        end = occasion.incident.resolved_at or occasion.as_of
        closed = spoken.say("end.closed", moment=spoken.moment(end + JOIN))
        return [_who_had_it(occasion.incident, spoken), closed]
    lines = [
        spoken.say("end.resolves", resolves=_ruled(rule, "Resolves", spoken)),
        spoken.text("end.next"),
    ]
    if occasion.decision.reason == "unstable":
        return lines
    return [*lines, *_next_letters(occasion, spoken)]


def _who_had_it(incident: Incident, spoken: Words) -> str:
    if incident.acked_at is None:
        return spoken.text("end.free")
    who, moment = plain(incident.acked_by or ""), spoken.moment(incident.acked_at)
    return spoken.say("end.held", who=who, moment=moment)


def _next_letters(occasion: Occasion, spoken: Words) -> list[str]:
    """When people hear of it again, and how it is taken in hand without a link."""
    incident = occasion.incident
    if incident.acked_at is not None:
        return []
    lines = [spoken.say("end.repeat", moment=spoken.moment(_reminder_at(occasion)))]
    return [*lines, spoken.say("end.ack", id=incident.incident_id[:SHOWN_ID])]


def _reminder_at(occasion: Occasion) -> datetime:
    """When the reminder is due; that of a warning waits for the end of the quiet hours."""
    severity, zone = occasion.incident.severity, occasion.settings.institution.zone
    due = occasion.as_of + REPEAT[severity]
    while severity == "warning" and is_quiet(due, zone):
        local = due.astimezone(zone)
        morning = datetime.combine(local.date(), QUIET_UNTIL, zone).astimezone(UTC)
        due = morning if morning > due else morning + timedelta(days=1)
    return due


def _urgent(occasion: Occasion, spoken: Words) -> list[str]:
    """Who is told next, and when, unless the reader acts; or who has it in hand."""
    incident = occasion.incident
    if incident.acked_at is not None:
        who, moment = plain(incident.acked_by or ""), spoken.moment(incident.acked_at)
        return [spoken.say("end.acked", who=who, moment=moment)]
    if incident.severity != "critical" or occasion.decision.reason == "unstable":
        return []
    since = incident.alarm.since if incident.alarm else occasion.as_of
    steps = zip(("second", "head"), ESCALATION, occasion.chain[1:], strict=False)
    return [
        spoken.say(f"end.{name}", time=spoken.time(since + wait))
        for name, wait, people in steps
        if people and since + wait > occasion.as_of
    ]


def _unlisted(count: int, spoken: Words) -> str | None:
    """That more are meant than listed; None where all are."""
    rest = count - MOST_JOINED
    return spoken.say("also.more", alerts=spoken.count("alerts", rest)) if rest > 0 else None


def _joined(
    each: tuple[Incident, Decision], occasion: Occasion, spoken: Words
) -> tuple[str, list[tuple[str, str]]]:
    """One line about an incident of which the letter tells beside its first, and its links."""
    incident, decision = each
    alone = replace(occasion, incident=incident, decision=decision)
    line = spoken.say(
        "also.joined",
        status=spoken.text(f"status.{_status(alone)}"),
        where=where(incident, occasion.settings, spoken),
        headline=_headline(alone, spoken),
        id=incident.incident_id[:SHOWN_ID],
    )
    return line, _links(incident, occasion, spoken)


def _others(occasion: Occasion, spoken: Words) -> list[str]:
    lines = [
        spoken.say(
            "also.line",
            label=label_of(other.alert, spoken),
            where=where(other, occasion.settings, spoken),
            opened=spoken.moment(other.opened_at),
        )
        for other in occasion.others[:MOST_JOINED]
    ]
    rest = _unlisted(len(occasion.others), spoken)
    return [*lines, rest] if rest else lines


def _rule(incident: Incident, spoken: Words) -> list[str]:
    alert = incident.alert
    lines = [
        spoken.say(
            "rule.line",
            rule=alert.rule_id,
            version=alert.rule_version,
            level=spoken.decimal(alert.level),
        )
    ]
    if alert.score is not None and not alert.is_warming_up:
        lines.append(spoken.say("rule.score", score=spoken.decimal(alert.score)))
    used: Mapping[str, Any] = json.loads(alert.parameters)
    listed = " · ".join(f"{name} = {value}" for name, value in used.items())
    lines.append(spoken.say("rule.parameters", parameters=listed))
    lines.append(spoken.say("rule.incident", id=incident.incident_id))
    return lines


def _picture(occasion: Occasion, spoken: Words) -> tuple[bytes, str] | None:
    """The curve of the last day and the words that stand for it; none if it cannot be drawn, or
    would show next to nothing."""
    curve = occasion.evidence.curve
    if curve is None or sum(curve.counts) < LEAST_DRAWN:
        return None
    named = where(occasion.incident, occasion.settings, spoken)
    title = f"{named} · {spoken.text(f'curve.{curve.of}')}"
    try:
        chart = charts.curve(
            curve.times,
            curve.counts,
            low=curve.low,
            high=curve.high,
            title=title,
            mark_at=max(occasion.incident.opened_at, curve.times[0]),
            locale=spoken.locale,
            zone=spoken.zone,
        )
        png = charts.png(chart)
    except (ValueError, RuntimeError, OSError) as error:
        # An alert without its picture is better than none.
        log.warning("alert.without_picture reason=%s", type(error).__name__)
        return None
    last, high = spoken.number(curve.counts[-1]), spoken.number(max(curve.high))
    return png, spoken.say(f"curve.alt_{curve.of}", last=last, high=high)


def _words(settings: Settings) -> Words:
    return spoken(settings.institution.zone, settings.institution.locale)


def spoken(zone: tzinfo, locale: str) -> Words:
    """The words of alert mails in a locale, with the times of a zone."""
    return words(locale, zone, name="alert")


def _tidied(text: str) -> str:
    """Plain text without spaces at line ends and with at most one empty line between parts.

    Its French signs stand after an ordinary space: mail programs that make links of addresses in a
    plain text take a no-break space for a part of them.
    """
    lines: list[str] = []
    loose = _HELD.sub(lambda found: found.group().replace(found.group().strip(_SIGNS), " "), text)
    for line in (raw.rstrip() for raw in loose.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip() + "\n"
