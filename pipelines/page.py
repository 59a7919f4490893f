"""A digest as a mail and a page: words, pictures and references around what was counted.

The HTML is made for mail: tables, inline style, no script, no address but permalinks; below
100 kB without its pictures. Everything that a person wrote is escaped by Jinja, stripped of
control and direction marks, and linked only over http and https.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipelines import appendix, charts, copies, coverage_words, rules, scopes
from pipelines.brief import (
    ActionKind,
    DayPoint,
    Digest,
    IncidentLine,
    Own,
    Said,
    SourceLine,
    Story,
    UnsentLine,
)
from pipelines.charts import Chart
from pipelines.engagement import Fare, FareLine
from pipelines.letter import Letter
from pipelines.outlook import Interval
from pipelines.risk import LEVELS, Level, Signals, change
from pipelines.stories import CRISIS_TOPIC, LEAST_COPIES, shortened, unaddressed
from pipelines.wording import Words, plain, safe_link, words

if TYPE_CHECKING:
    from pipelines.crisis import Report

_QUERIES = "<!-- queries -->"  # no text of a person can hold it: all are escaped
_QUOTE = 280
_LEAST_QUOTED = 4  # words beyond a headline, for a message to be quoted a second time
_SUBJECT = 120
_TOPIC_LINES = 10
_ALSO = 3
_COLUMNS = 72  # of the plain text
_MARK = re.compile(r" *(?:[->] |\d\. )?")
_FAR = 0.1  # of a share from an interval, for a page to say that two ways of counting disagree
_FEW = 6  # lines of a table before the rest is left to the analysts


@dataclass(slots=True)
class _References:
    """The queries named on a page, numbered as they come."""

    names: list[str] = field(default_factory=list)

    def number(self, name: str) -> int:
        """The number of a query, given at its first mention."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) + 1


def render(digest: Digest, *, locale: str) -> Letter:
    """The digest as a letter in `locale`: subject, plain text, HTML, pictures by their cid."""
    spoken = words(locale, digest.institution.zone)
    drawn = _charts(digest, spoken)
    alts = {name: alt for name, (_, alt) in drawn.items()}
    html = _filled("digest.html.j2", digest, spoken, alts)
    text = _filled("digest.txt.j2", digest, spoken, alts)
    return Letter(
        subject=subject(digest, spoken),
        text=text,
        html=html,
        images={name: charts.png(chart) for name, (chart, _) in drawn.items()},
    )


def with_charts(html: str, digest: Digest, *, locale: str) -> str:
    """The HTML of a digest's letter with drawings in the place of its pictures.

    The same specifications, drawn for a telephone and for a desk (the page shows one of them), so
    that each day, hour or topic tells its figures when it is pointed at; all of them as a table.
    """
    spoken = words(locale, digest.institution.zone)
    template = _environment().get_template("live.html.j2")
    for name, (chart, alt) in _charts(digest, spoken).items():
        # Drawn here, escaped by Vega.
        sizes = [Markup(charts.svg(c, alt=alt)) for c in (chart, charts.widened(chart))]  # noqa: S704
        live = template.render(w=spoken, sizes=sizes, told=chart.told, query=_DRAWN[name])
        picture = re.search(rf'<img [^<>]*src="cid:{name}"[^<>]*>', html)
        html = html.replace(picture[0], live) if picture else html
    return html


def with_queries(html: str, digest: Digest, *, locale: str) -> str:
    """The HTML of a digest's letter with the SQL of each query in the place of the queries' names.

    Kept out of the mail, whose readers have no warehouse and whose programs cut what is long.
    """
    spoken = words(locale, digest.institution.zone)
    before, _, rest = html.partition(_QUERIES)
    names = re.findall(r'<span id="([a-z_]+)">', rest.partition(_QUERIES)[0])
    listed = appendix.shown(names, digest.ran, digest.bounds)
    made = _environment().get_template("queries.html.j2").render(w=spoken, queries=listed)
    return before + made + rest.partition(_QUERIES)[2] if rest else html


def subject(digest: Digest, spoken: Words) -> str:
    """The subject: whose, which level, why, in one line that a locked screen shows."""
    line = spoken.say(
        "subject" if digest.edition == "day" else f"editions.{digest.edition}_subject",
        institution=plain(digest.institution.name),
        level=spoken.text(f"levels.{digest.risk.level}").upper(),
        summary=_summary(digest, spoken),
    )
    return shortened(plain(line), _SUBJECT)


def _summary(digest: Digest, spoken: Words) -> str:
    """The reason in a few words; a span without a day above green had none that was tense."""
    is_calm = digest.risk.reason == "worst_day" and digest.risk.level == "vert"
    return spoken.text("summaries.calm_span" if is_calm else f"summaries.{digest.risk.reason}")


def reason(digest: Digest, spoken: Words) -> str:
    """The rule that decided the level, as a sentence with its figures."""
    return spoken.say(f"reasons.{digest.risk.reason}", **_reason_values(digest, spoken))


def title(digest: Digest, spoken: Words) -> str:
    """What the page is called: the day, or the edition with its first and last day."""
    if digest.edition == "day":
        return spoken.say("title", day=spoken.day(digest.day))
    if digest.edition == "month":
        return spoken.say("editions.month", month=spoken.month(digest.day))
    return spoken.say("editions.week", **spoken.between(digest.first, digest.day))


def lead(digest: Digest, spoken: Words) -> str:
    """The first story in its own words, with its messages; empty on a green day or without one."""
    if digest.risk.level == "vert" or not digest.stories:
        return ""
    story = digest.stories[0]
    return spoken.say(
        "risk.lead",
        headline=spoken.say("forms.quote", text=plain(story.headline)),
        messages=spoken.count("messages", story.mention_count),
    )


def doubt(digest: Digest, spoken: Words) -> str:
    """The share of texts judged negative one by one, where it is far outside what is estimated.

    Of the texts that were judged: those that wait for a score, or of a day of too few authors, are
    of no tone yet.
    """
    tone = digest.tone
    judged = sum(getattr(tone, f"{kind}_count") for kind in _TONE_KINDS)
    if tone.negative is None or not tone.is_estimated or not judged:
        return ""
    share = tone.negative_count / judged
    if tone.negative.low - _FAR < share < tone.negative.high + _FAR:
        return ""
    return spoken.say("changed.doubt", share=spoken.percent(share))


def levels_line(digest: Digest, spoken: Words) -> str:
    """The level of each day of a week, or how many days had each level in a month."""
    if not any(each.level for each in digest.levels):
        return spoken.text("editions.no_digests")
    if digest.edition == "month":
        counted = Counter(each.level for each in digest.levels if each.level)
        parts = [
            f"{spoken.text(f'levels.{level}')} {spoken.number(counted[level])}"
            for level in LEVELS
            if counted[level]
        ]
        if untold := sum(each.level is None for each in digest.levels):
            parts.append(f"{spoken.text('editions.no_digest')} {spoken.number(untold)}")
        return spoken.say("editions.counted", levels=" · ".join(parts))
    parts = [f"{spoken.week_day(each.day)} {_level(each.level, spoken)}" for each in digest.levels]
    return spoken.say("editions.levels", levels=" · ".join(parts))


def _level(level: Level | None, spoken: Words) -> str:
    return spoken.text(f"levels.{level}").lower() if level else spoken.text("editions.no_digest")


def _worst_values(digest: Digest, spoken: Words) -> dict[str, str]:
    """The first of the worst days of an edition, and its own reason; empty for a day."""
    worst = next((each for each in digest.levels if each.level == digest.risk.level), None)
    if worst is None:
        return {"worst_day": "", "worst_reason": ""}
    return {"worst_day": spoken.week_day(worst.day), "worst_reason": worst.reason or ""}


def _reason_values(digest: Digest, spoken: Words) -> dict[str, str]:
    signals = digest.signals
    band = signals.expected
    counts = {
        name: spoken.count(name, getattr(signals, name))
        for name in ("critical_open", "critical_closed", "warning_open", "warning_closed")
    }
    return (
        counts
        | _incident_values(digest, spoken)
        | _worst_values(digest, spoken)
        | {
            "volume": _volume_words(signals, spoken),
            "messages": spoken.count("messages", signals.count),
            "low": spoken.number(band.low) if band else "",
            "high": spoken.number(band.high) if band else "",
            "crisis": _danger(digest, spoken),
            "negative": _share(signals.negative, spoken),
            "usual_negative": spoken.percent(signals.usual_negative or 0),
            "sensitive": _share(signals.sensitive, spoken),
            "usual_sensitive": spoken.percent(signals.usual_sensitive or 0),
            "unseen": spoken.percent(signals.unseen_share),
        }
    )


def _danger(digest: Digest, spoken: Words) -> str:
    """How many texts speak of danger; no figure where it rests on too few authors."""
    if any(line.is_suppressed for line in digest.topics if line.topic_id == CRISIS_TOPIC):
        return spoken.text("forms.danger_few")
    found = digest.signals.crisis
    return spoken.count("crisis", found.count if found else 0)


def _volume_words(signals: Signals, spoken: Words) -> str:
    band = signals.expected
    return spoken.say(
        "volumes.known" if band else "volumes.learning",
        messages=spoken.count("messages", signals.count),
        low=spoken.number(band.low) if band else "",
        high=spoken.number(band.high) if band else "",
    )


def _incident_values(digest: Digest, spoken: Words) -> dict[str, str]:
    """What the gravest incident is about and since when; empty on a day without one."""
    ordered = sorted(digest.alerts.incidents, key=lambda i: (i.severity, i.resolved_at is not None))
    first = next((i for i in ordered if not i.is_false and not i.is_outage), None)
    if first is None:
        return {"about": "", "opened": ""}
    is_today = first.opened_at >= digest.since
    opened = spoken.time(first.opened_at) if is_today else spoken.moment(first.opened_at)
    return {"about": about(first, spoken), "opened": opened}


def about(incident: IncidentLine, spoken: Words) -> str:
    """What an incident is about: its subject and its topic."""
    scope = incident.scope
    topic = spoken.text("alerts.all") if scope == "all" else scopes.label(scope, spoken.locale)
    return ", ".join(filter(None, (incident.subject, topic)))


def _share(share: Interval | None, spoken: Words) -> str:
    return spoken.percent(share.share) if share else ""


def _filled(name: str, digest: Digest, spoken: Words, alts: Mapping[str, str]) -> str:
    """One of the two templates with the same values and functions; HTML is escaped, text is not."""
    is_html = name.endswith(".html.j2")
    references = _References()
    values: dict[str, Any] = {
        **_shared(spoken, references, is_html=is_html),
        "d": digest,
        "levels": LEVELS,
        "alts": alts,
        "title": title(digest, spoken),
        "levels_line": levels_line(digest, spoken),
        "section": lambda key: section(key, digest, spoken),
        "change": change(digest.risk.level, digest.previous_level),
        "reason": reason(digest, spoken),
        "lead": lead(digest, spoken),
        "doubt": doubt(digest, spoken),
        "label": lambda topic: scopes.label(topic, spoken.locale),
        "origins": lambda found: origins(found, spoken),
        "own_parts": lambda own, kind: own_parts(own, kind, spoken),
        "fare_name": lambda line: fare_name(line, spoken),
        "fare": lambda found: fare(found, spoken),
        "refused": lambda source: refused(source, spoken),
        "why": lambda story: why(story, spoken, is_one_day=digest.edition == "day"),
        "incident_line": lambda incident: incident_line(incident, spoken),
        "unsent": lambda lines: unsent(lines, spoken),
        "shown_topics": [line for line in digest.topics if not line.is_suppressed],
        "held_topics": [
            scopes.label(line.topic_id, spoken.locale)
            for line in digest.topics
            if line.is_suppressed
        ],
        "also": [spoken.text(f"summaries.{name}") for name in digest.risk.also[:_ALSO]],
        "covered": _covered(digest, spoken.locale),
        "top": _TOPIC_LINES,
        "quiet": is_quiet(digest),
        "proposed": proposed(digest, spoken),
        "tomorrow": digest.day + timedelta(days=1),
        "week_end": digest.day + timedelta(days=7),
    }
    made = _environment().get_template(name).render(values)
    return made if is_html else _tidied(made)


def section(key: str, digest: Digest, spoken: Words) -> str:
    """The heading of a section; an edition's stories are not those of the day."""
    is_other = digest.edition != "day" and spoken.has(f"editions.sections.{key}")
    return spoken.text(f"editions.sections.{key}" if is_other else f"sections.{key}")


def crisis_letter(report: Report, spoken: Words) -> Letter:
    """A crisis report as a letter."""
    horizon = spoken.text(f"crisis.{report.horizon or 'asked'}")
    topic = about(report.incident, spoken)
    values = {
        "institution": plain(report.institution.name),
        "horizon": horizon,
        "moment": spoken.moment(report.until),
        "about": topic,
    }
    title = spoken.say("crisis.title", **values)
    html, text = (
        _crisis_filled(name, report, spoken, title=title, topic=topic)
        for name in ("crisis.html.j2", "crisis.txt.j2")
    )
    line = plain(spoken.say("crisis.subject", **values))
    return Letter(subject=shortened(line, _SUBJECT), text=text, html=html, images={})


def _crisis_filled(name: str, report: Report, spoken: Words, *, title: str, topic: str) -> str:
    is_html = name.endswith(".html.j2")
    references = _References()
    found = words(spoken.locale, report.institution.zone, name="coverage")
    values: dict[str, Any] = {
        **_shared(spoken, references, is_html=is_html),
        "r": report,
        "title": title,
        "about": topic,
        "standing": _standing(report.incident, spoken),
        "tone": _crisis_tone(report, spoken),
        "covered": coverage_words.headline(report.coverage, found),
        "why": lambda story: why(story, spoken, is_one_day=False),
        "rule": rule_label(report.incident.rule_id, spoken.locale),
        "section": lambda key: spoken.text(
            f"crisis.sections.{key}" if spoken.has(f"crisis.sections.{key}") else f"sections.{key}"
        ),
        "alts": {},
    }
    made = _environment().get_template(name).render(values)
    return made if is_html else _tidied(made)


def _standing(incident: IncidentLine, spoken: Words) -> str:
    """Since when an incident is open, who took it up when, whether it is closed."""
    acked, closed = incident.acked_at, incident.resolved_at
    parts = [
        spoken.say("crisis.since", opened=spoken.moment(incident.opened_at)),
        spoken.say("crisis.acked", moment=spoken.moment(acked))
        if acked
        else spoken.text("crisis.not_acked"),
        spoken.say("crisis.resolved", moment=spoken.moment(closed))
        if closed
        else spoken.text("crisis.open"),
    ]
    return " ".join(parts)


def _crisis_tone(report: Report, spoken: Words) -> str:
    share = report.negative
    if share is None:
        return spoken.text("crisis.no_tone")
    return spoken.say(
        "crisis.tone",
        share=spoken.percent(share.share),
        band=spoken.percents(share.low, share.high),
        undetermined=spoken.count("undetermined", report.undetermined_count),
    )


def _shared(spoken: Words, references: _References, *, is_html: bool) -> dict[str, Any]:
    """The functions that every template of this module may call."""
    return {
        "w": spoken,
        "network": lambda origin: network(origin, spoken),
        "what": lambda story: what(story, spoken),
        "proposal": lambda kind, story, told: proposal(kind, story, told, spoken),
        "utc": lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M}",
        "say": _sayer(spoken, is_html=is_html),
        "fig": _figure(is_html=is_html),
        "ref": references.number,
        "references": references.names,
        "quote": _quoted,
        "headed": headed,
        "examples": examples,
        "capital": _capital,
        "plain": plain,
        "link": safe_link,
        "few": _FEW,
    }


def _quoted(text: str) -> str:
    return shortened(plain(text), _QUOTE)


def headed(story: Story) -> Said | None:
    """The example that the headline shows whole: its source stands there, and it is not quoted."""
    return next((said for said in story.examples if _beyond(story, said) == ""), None)


def examples(story: Story) -> list[tuple[Said, str]]:
    """The examples, each with what is quoted of it: of the headline's own message, the rest."""
    found = ((said, _beyond(story, said)) for said in story.examples)
    return [(said, text) for said, text in found if text]


def _beyond(story: Story, said: Said) -> str:
    """What a message says beyond the headline, all of it where the headline is another's."""
    text, shown = _quoted(said.message.text), plain(story.headline).removesuffix("…")
    bare = unaddressed(text)  # as the headline is
    if said.message.mention_id != story.headline_id or not bare.startswith(shown):
        return text
    rest = bare.removeprefix(shown).strip()
    # "Partagez.", "#Vendome" and "Voilà." say nothing.
    says = len(re.findall(r"\w+", copies.told(f". {rest}"))) >= _LEAST_QUOTED
    return f"… {rest}" if says else ""


def _covered(digest: Digest, locale: str) -> dict[str, Any]:
    """The sentences on coverage: all told, what it means, each trouble, how late, what else."""
    found = digest.coverage
    spoken = words(locale, digest.institution.zone, name="coverage")
    return {
        "headline": coverage_words.headline(found, spoken),
        "effect": coverage_words.effect(found, spoken),
        "is_grave": coverage_words.is_grave(found),
        "troubles": [
            line for each in found.sources for line in coverage_words.troubles(each, found, spoken)
        ],
        "lateness": coverage_words.lateness(found, spoken),
        "recalls": coverage_words.recalls(digest.overlaps, spoken),
        "planted": coverage_words.planted(digest.plantings, spoken),
    }


def _sayer(spoken: Words, *, is_html: bool) -> Callable[..., str]:
    if not is_html:
        return spoken.say
    return lambda key, **values: Markup(spoken.text(key)).format(**values)  # noqa: S704 - our text


def _figure(*, is_html: bool) -> Callable[[object, str], object]:
    """A figure that carries the name of the query that made it."""
    if not is_html:
        return lambda value, _: value
    return lambda value, query: Markup('<span data-query="{}">{}</span>').format(query, value)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pipelines", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    return made


def _tidied(text: str) -> str:
    """Plain text in short lines, with one empty line at most between parts."""
    lines: list[str] = []
    for line in (raw.rstrip() for raw in text.splitlines()):
        if line or (lines and lines[-1]):
            lines += _wrapped(line)
    return "\n".join(lines).strip() + "\n"


def _wrapped(line: str) -> list[str]:
    """A line in as many as keep within `_COLUMNS`, each under the first word; addresses stay whole.

    So no line of a text that a person wrote begins where our headings do.
    """
    mark = _MARK.match(line)
    under = " " * len(mark[0] if mark else "")
    return textwrap.wrap(
        line,
        _COLUMNS,
        subsequent_indent=under,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def network(origin: str, spoken: Words) -> str:
    """How a network is called; a site is called by its address."""
    key = f"networks.{origin}"
    return spoken.text(key) if "." not in origin and spoken.has(key) else plain(origin)


def origins(found: Mapping[str, int], spoken: Words) -> str:
    """The three largest origins with their share of the messages."""
    total = sum(found.values())
    return spoken.listed(
        [
            f"{network(name, spoken)} {spoken.percent(count / total)}"
            for name, count in list(found.items())[:3]
        ]
    )


def what(story: Story, spoken: Words) -> str:
    """How many messages a story has in how many texts, and how often the largest was repeated."""
    is_near = story.largest.text_count > 1  # not word for word
    values = {
        "messages": spoken.count("messages", story.mention_count),
        "texts": spoken.count("texts", story.text_count),
        "near": spoken.count("texts", story.largest.text_count),
        "copies": spoken.count("copies", story.largest.copy_count),
        "origins": spoken.count("origins", len(story.largest.origins)),
    }
    if story.text_count == 1:
        return spoken.say("stories.only_near" if is_near else "stories.only_copies", **values)
    if story.largest.copy_count + 1 >= LEAST_COPIES:
        return spoken.say("stories.what_near" if is_near else "stories.what_copies", **values)
    return spoken.say("stories.what", **values)


def why(story: Story, spoken: Words, *, is_one_day: bool = True) -> list[tuple[str, str]]:
    """When, where, in which tone and words a story was told: labels and figures, no comment."""
    parts = [
        ("when", _when(story, spoken, is_one_day=is_one_day)),
        ("where", origins(story.origins, spoken)),
        ("tone", _story_tone(story, spoken)),
        ("topics", " · ".join(scopes.label(topic, spoken.locale) for topic in story.topics)),
        ("terms", plain(", ".join(story.terms))),
    ]
    return [(spoken.text(f"stories.{key}"), text) for key, text in parts if text]


def _when(story: Story, spoken: Words, *, is_one_day: bool) -> str:
    told = spoken.time if is_one_day else spoken.moment
    return spoken.say(
        "stories.seen",
        first=told(story.first_at),
        origin=network(story.first_origin, spoken),
        peak=told(story.peak_at),
        peak_end=spoken.time(story.peak_at + timedelta(hours=1)),
        peak_messages=spoken.count("messages", story.peak_count),
    )


def _story_tone(story: Story, spoken: Words) -> str:
    share = story.negative
    if share is None:
        return spoken.text("stories.too_few")
    return spoken.say(
        "stories.negative",
        share=spoken.percent(share.share),
        band=spoken.percents(share.low, share.high),
        undetermined=spoken.count("undetermined", story.undetermined_count),
    )


def unsent(lines: Sequence[UnsentLine], spoken: Words) -> str:
    """One line of the messages that could not leave, channel by channel, and what to do."""
    told = [
        spoken.say(
            "alerts.unsent_item",
            channel=spoken.text("alerts.by_mail") if each.channel == "email" else each.channel,
            messages=spoken.count("unsent", each.message_count),
            moment=spoken.moment(each.oldest_at),
        )
        for each in lines
    ]
    return spoken.say("alerts.unsent", listed=" ; ".join(told))


def incident_line(incident: IncidentLine, spoken: Words) -> str:
    """One incident on one line: what fired, on what, from when to when."""
    parts = [
        spoken.say(
            "alerts.incident",
            severity=spoken.text(f"alerts.{incident.severity}"),
            rule=rule_label(incident.rule_id, spoken.locale),
            scope=about(incident, spoken),
            opened=spoken.moment(incident.opened_at),
        )
    ]
    if incident.resolved_at:
        parts.append(spoken.say("alerts.resolved", moment=spoken.moment(incident.resolved_at)))
    else:
        parts.append(spoken.text("alerts.open"))
    if incident.is_false:
        parts.append(spoken.text("alerts.is_false"))
    return " · ".join(parts)


def rule_label(rule_id: str, locale: str) -> str:
    """How a rule is called; its id when its file is no longer there."""
    return rules.read(rule_id).say("Label", locale) if rule_id in rules.names() else rule_id


def proposed(digest: Digest, spoken: Words) -> str:
    """Every procedure that the stories and claims call for, the gravest first, in a few words."""
    kinds = {action.kind for story in digest.stories for action in story.actions}
    if digest.claims:
        kinds.add("claim")
    ordered = [kind for kind in get_args(ActionKind) if kind in kinds]
    return " · ".join(spoken.text(f"short_actions.{kind}") for kind in ordered)


def proposal(kind: ActionKind, story: Story, told: Sequence[Story], spoken: Words) -> str:
    """What is proposed for a story; one crisis cell serves all that call for it."""
    having = [n for n, each in enumerate(told, 1) if any(a.kind == kind for a in each.actions)]
    first = having[0] if having else 0
    if kind == "crisis" and first and told[first - 1] is not story:
        return spoken.say("actions.crisis_again", n=spoken.number(first))
    return spoken.text(f"actions.{kind}")


def is_quiet(digest: Digest) -> bool:
    """Whether a day can be told in one line: green, its usual known, and no procedure proposed."""
    if (
        digest.edition != "day" or digest.volume.expected is None
    ):  # what is usual is not known yet, so neither is calm
        return False
    has_actions = any(story.actions for story in digest.stories)
    return digest.risk.level == "vert" and not has_actions and not digest.claims


def own_parts(own: Own, kind: str, spoken: Words) -> str:
    """Comments, shares and likes of own posts, those that are known.

    `kind`: "day" for all of the day, "each" for one post of it as a mean, "usual" for one post.
    """
    named = {"day": "{}_count", "each": "mean_{}", "usual": "usual_{}"}[kind]
    known = [
        (noun, getattr(own, named.format(name)))
        for noun, name in (("replies", "reply"), ("shares", "share"), ("likes", "like"))
    ]
    return spoken.listed([spoken.count(noun, n) for noun, n in known if n is not None])


def fare_name(line: FareLine, spoken: Words) -> str:
    """A format, a time of day or a topic, as it is called."""
    if line.dimension == "topic":
        return scopes.label(line.value, spoken.locale)
    return _capital(spoken.text(f"own.{line.dimension}s.{line.value}"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def fare(found: Fare | None, spoken: Words) -> str:
    """What one post of a kind brings, in a few words; a dash where nothing is known."""
    if found is None or found.reactions is None:
        return "–"
    return spoken.decimal(found.reactions)


def refused(source: SourceLine, spoken: Words) -> str:
    """How many readings failed and how many items were refused; empty when none."""
    counts = [("failed", source.failed_count), ("rejected", source.rejected_count)]
    return spoken.listed([spoken.count(noun, n) for noun, n in counts if n])


Picture = tuple[Chart, str]
# The query behind each chart.
_DRAWN = {
    "volume": "digest_volume",
    "hours": "digest_hours",
    "tone": "digest_tone",
}
_TONE_KINDS = ("negative", "neutral", "positive", "undetermined")


def _charts(digest: Digest, spoken: Words) -> dict[str, Picture]:
    """The charts, each with the words that stand for it."""
    drawn: dict[str, Picture] = {}
    if len(digest.volume.days) > 1:
        drawn["volume"] = _volume(digest, spoken)
    if digest.risk.level != "vert" and any(hour.count for hour in digest.volume.hours):
        drawn["hours"] = _hours(digest, spoken)
    if digest.volume.days and any(point.negative_count for point in digest.volume.days):
        drawn["tone"] = _tones(digest, spoken)
    return drawn


def _counted(count: int, low: float | None, high: float | None, spoken: Words) -> str:
    """A count beside what was expected, in a few words."""
    said = spoken.count("messages", count)
    if low is None or high is None:
        return said
    band = {"low": spoken.number(low), "high": spoken.number(high)}
    return f"{said} ({spoken.say('changed.tile_expected', **band)})"


def _tones(digest: Digest, spoken: Words) -> Picture:
    days = digest.volume.days
    parts = {
        spoken.text(f"charts.{kind}"): [getattr(p, f"{kind}_count") for p in days]
        for kind in _TONE_KINDS
    }
    chart = charts.tone_bars(
        [point.day for point in days],
        parts,
        title=spoken.text("charts.tone"),
        note=spoken.text("charts.tone_note"),
        locale=spoken.locale,
        told=[(spoken.week_day(point.day), _toned(point, spoken)) for point in days],
    )
    counts = {kind: spoken.number(getattr(days[-1], f"{kind}_count")) for kind in _TONE_KINDS}
    return chart, spoken.say("charts.alt_tone", **counts)


def _toned(point: DayPoint, spoken: Words) -> str:
    """The texts of a day by tone, in a few words."""
    counts = {kind: getattr(point, f"{kind}_count") for kind in _TONE_KINDS}
    if not any(counts.values()):
        return spoken.text("charts.no_tone")
    return spoken.say("charts.toned", **{kind: spoken.number(n) for kind, n in counts.items()})


def _volume(digest: Digest, spoken: Words) -> Picture:
    days = digest.volume.days
    bands = [point.expected for point in days]
    last = bands[-1]
    alt = spoken.say(
        "charts.alt_volume",
        days=spoken.number(len(days)),
        count=spoken.number(days[-1].count),
        expected=spoken.say(
            "forms.interval", low=spoken.number(last.low), high=spoken.number(last.high)
        )
        if last
        else spoken.text("forms.unknown"),
    )
    chart = charts.day_curve(
        [point.day for point in days],
        [point.count for point in days],
        low=[band.low if band else float("nan") for band in bands],
        high=[band.high if band else float("nan") for band in bands],
        title=spoken.say("charts.volume", days=spoken.number(len(days))),
        note=spoken.text("charts.band") if any(bands) else None,
        locale=spoken.locale,
        told=[
            (
                spoken.week_day(point.day),
                _counted(
                    point.count,
                    band.low if band else None,
                    band.high if band else None,
                    spoken,
                ),
            )
            for point, band in zip(days, bands, strict=True)
        ],
    )
    return chart, alt


def _hours(digest: Digest, spoken: Words) -> Picture:
    hours = digest.volume.hours
    top = max(hours, key=lambda hour: hour.count)
    is_known = all(hour.low is not None and hour.high is not None for hour in hours)
    chart = charts.curve(
        [hour.at for hour in hours],
        [hour.count for hour in hours],
        low=[hour.low or 0.0 for hour in hours] if is_known else None,
        high=[hour.high or 0.0 for hour in hours] if is_known else None,
        title=spoken.say("charts.hours", day=spoken.week_day(digest.day)),
        locale=spoken.locale,
        zone=digest.institution.zone,
        told=[
            (_from(hour.at, spoken), _counted(hour.count, hour.low, hour.high, spoken))
            for hour in hours
        ],
        width=charts.WIDTH,
    )
    alt = spoken.say("charts.alt_hours", count=spoken.number(top.count), time=spoken.time(top.at))
    return chart, alt


def _from(at: datetime, spoken: Words) -> str:
    """An hour by its two ends."""
    return spoken.say("forms.hour", begin=spoken.time(at), end=spoken.time(at + timedelta(hours=1)))
