"""The daily digest: everything counted by SQL, put into frozen records, rendered, kept.

`build` reads the warehouse and nothing else, `render` puts words around what was read, `save`
writes the page, `remember` keeps the level for tomorrow. A day is a local day of the institution;
a day still going on is counted up to `as_of` and compared with the same part of earlier days.

Cost: 100,000 mentions a day take about 18 s of one core, most of it to find near-copies, and
700 MB in all; at most `MOST_TEXTS` distinct texts are held.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

import duckdb
import numpy as np

from models import prevalence
from models.errors import WeightsError
from models.prevalence import Confusion, Moments
from pipelines import asked, canaries, coverage, engagement, page, rules, stories, warehouse
from pipelines.appendix import Ran
from pipelines.aside import written_aside
from pipelines.brief import (
    Alerts,
    Answer,
    DayLevel,
    DayPoint,
    Digest,
    Edition,
    HourPoint,
    IncidentLine,
    Message,
    Own,
    RelayLine,
    Reviews,
    SourceLine,
    Story,
    Tone,
    TopicLine,
    UnsentLine,
    Volume,
)
from pipelines.canaries import Planting
from pipelines.coverage import Coverage, Overlap
from pipelines.engagement import Engagement
from pipelines.faq import Entry
from pipelines.letter import Letter
from pipelines.outlook import LEAST_DAYS, PAST_DAYS, Interval, Range, expected, wilson
from pipelines.page import render
from pipelines.privacy import fold_handle
from pipelines.risk import LEVELS, Risk, Signals, assess
from pipelines.settings import Settings
from pipelines.wording import words

__all__ = ["build", "remember", "render", "save"]

log = logging.getLogger(__name__)

CHART_DAYS = 14
BACKGROUND_DAYS = 14
BACKGROUND_TEXTS = 20_000
MOST_TEXTS = 100_000
LEAST_AUTHORS = 10  # k of docs/law.md, rule 7
RECALL_DAYS = 7
OWN_DAYS = 7
OPERATORS = "operators"  # whom a rule tells when a source is at fault

_TONES = ("negative", "neutral", "positive", "undetermined")

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]
Confusions = Callable[[str | None, str | None], Confusion]  # by weights and language


@dataclass(frozen=True, slots=True)
class Reader:
    """The queries of one digest, or crisis report, all with the same bounds."""

    connection: duckdb.DuckDBPyConnection
    parameters: Mapping[str, Any]
    ran: list[Ran] = field(default_factory=list)

    def rows(self, name: str, **more: object) -> Rows:
        """The rows of `sql/queries/<name>.sql`, by column name."""
        self.ran.append(Ran(name, {**self.parameters, **more}))
        found = warehouse.run(self.connection, f"queries/{name}", {**self.parameters, **more})
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of the days: counts up to the same local time, counts whole, tones, authors.

    Tones and authors by day; `authors` by day and scope. `first` is the first day of what is told,
    `day_count` days came before it.
    `confusions` says how the model that gave a tone is read backwards.
    """

    counts: Mapping[date, int]
    whole: Mapping[date, int]
    tones: Mapping[date, Row]
    authors: Mapping[tuple[date, str], int]
    first: date
    day_count: int
    confusions: Confusions

    def may_publish(self, day: date, scope: str = "all") -> bool:
        """Whether an aggregate of `day` stands on ten authors or more.

        Pseudonyms of several days cannot be added up: an edition counts its fullest day.
        """
        return self.authors.get((day, scope), 0) >= LEAST_AUTHORS

    def span(self, day: date) -> list[date]:
        """The days of an edition that ends with `day`."""
        return [self.first + timedelta(days=n) for n in range((day - self.first).days + 1)]

    def may_publish_span(self, day: date, scope: str = "all") -> bool:
        """Whether a figure over the whole edition may be shown."""
        return any(self.may_publish(each, scope) for each in self.span(day))


def build(
    connection: duckdb.DuckDBPyConnection,
    *,
    settings: Settings,
    day: date,
    as_of: datetime,
    faq: Sequence[Entry] | None = (),
    edition: Edition = "day",
) -> Digest:
    """All that the digest of `day` says, as known at `as_of` (aware); reads, never writes.

    `faq` holds the entries of `faq.toml`, None where that file is faulty. An edition of a week
    or a month ends with `day`. ValueError when the day has not begun by `as_of`, or when it has not
    ended and an edition is asked for.
    """
    first_day = first_of(day, edition)
    since, end = _midnight(first_day, settings), _midnight(day + timedelta(days=1), settings)
    if as_of <= _midnight(day, settings):
        raise ValueError(f"{day} has not begun at {as_of.isoformat()}: choose an earlier day")
    if edition != "day" and as_of < end:
        raise ValueError(f"the {edition} that ends with {day} goes on: choose an earlier day")
    bounds = {
        "first_day": first_day,
        "day": day,
        "since": since,
        "until": min(end, as_of),
        "before": _midnight(first_day - timedelta(days=PAST_DAYS), settings),
        "as_of": as_of,
        "zone": settings.institution.time_zone,
        "subject_id": None,
        "scope": "all",
    }
    first = Reader(connection, bounds)
    past = _past(first, settings, is_partial=as_of < end)
    reader = Reader(connection, bounds | {"days": past.day_count}, first.ran)
    return _digest(reader, settings, past, faq, edition=edition, is_partial=as_of < end)


def first_of(day: date, edition: Edition) -> date:
    """The first day of an edition that ends with `day`: seven days, or that day's month so far."""
    if edition == "week":
        return day - timedelta(days=6)
    return day.replace(day=1) if edition == "month" else day


def _midnight(day: date, settings: Settings) -> datetime:
    return datetime.combine(day, time.min, tzinfo=settings.institution.zone)


def _past(reader: Reader, settings: Settings, *, is_partial: bool) -> _Past:
    at = reader.parameters
    cutoff = at["until"].astimezone(settings.institution.zone).time() if is_partial else time.max
    counts = _counts(reader, cutoff)
    first = at["first_day"] - timedelta(days=PAST_DAYS)
    authors = reader.rows("digest_authors", first=first)
    return _Past(
        counts=counts,
        whole=_counts(reader, time.max) if is_partial else counts,
        tones={row["day_on"]: row for row in reader.rows("digest_tone", since=at["before"])},
        authors={(row["day_on"], row["scope"]): row["author_count"] for row in authors},
        first=at["first_day"],
        day_count=sum(1 for known in counts if known < at["first_day"]),
        confusions=_confusions(),
    )


def _confusions() -> Confusions:
    """What the shipped weights say of unseen texts; nothing where they cannot be read."""
    try:
        return prevalence.shipped()
    except WeightsError as error:
        log.warning("digest.tone_uncorrected reason=%s", error)
        return lambda _weights, _lang: prevalence.IDENTITY


def _counts(reader: Reader, cutoff: time) -> dict[date, int]:
    rows = reader.rows("digest_volume", since=reader.parameters["before"], cutoff=cutoff)
    return {row["day_on"]: row["mention_count"] for row in rows}


def _digest(
    reader: Reader,
    settings: Settings,
    past: _Past,
    faq: Sequence[Entry] | None,
    *,
    edition: Edition,
    is_partial: bool,
) -> Digest:
    at = reader.parameters
    covered = _coverage(reader, settings)
    alerts, sources = _alerts(reader, settings), _sources(reader, covered)
    volume, tone = _volume(reader, past, is_partial=is_partial), _tone(past, at["day"])
    signals = _signals(volume, tone, past, at["day"], alerts, covered)
    previous = reader.rows("digest_previous", day=at["first_day"] - timedelta(days=1))
    levels = _levels(reader, settings, past) if edition != "day" else ()
    found = stories.bundles(messages(reader))
    own, answers = _own(reader)
    known = known_words(settings)
    return Digest(
        institution=settings.institution,
        retention=settings.retention,
        edition=edition,
        first=at["first_day"],
        day=at["day"],
        levels=levels,
        since=at["since"],
        until=at["until"],
        as_of=at["as_of"],
        is_partial=is_partial,
        is_cut=sum(len(bundle.messages) for bundle in found) >= MOST_TEXTS,
        is_expired=volume.count > 0 and not found,
        risk=_risk(signals, levels),
        signals=signals,
        previous_level=previous[0]["risk_level"] if previous else None,
        volume=volume,
        tone=tone,
        stories=_stories(reader, found, known),
        claims=stories.claims(found, answers),
        asked=asked.asked(found, known=known, faq=faq or ()),
        faq_count=None if faq is None else len(faq),
        reviews=tuple(Reviews(**row) for row in reader.rows("digest_reviews")),
        topics=_topics(reader, past),
        own=own,
        engagement=_engagement(reader, settings),
        relays=relays(reader, settings),
        alerts=alerts,
        sources=sources,
        coverage=covered,
        overlaps=_overlaps(reader),
        plantings=_plantings(reader, settings),
        bounds=dict(at),
        ran=tuple(reader.ran),
    )


def _levels(reader: Reader, settings: Settings, past: _Past) -> tuple[DayLevel, ...]:
    """The level of each day as its own digest told it."""
    at = reader.parameters
    rows = reader.rows("digest_levels", first=past.first, locale=settings.institution.locale)
    made = {row["day_on"]: row for row in rows}
    return tuple(
        DayLevel(
            day=day,
            level=made[day]["risk_level"] if day in made else None,
            reason=made[day]["reason"] if day in made else None,
        )
        for day in past.span(at["day"])
    )


def _risk(signals: Signals, levels: Sequence[DayLevel]) -> Risk:
    """The level of a day by its signals; of an edition, that of its worst day."""
    told = [each.level for each in levels if each.level is not None]
    if not told:
        return assess(signals)
    return Risk(level=max(told, key=LEVELS.index), reason="worst_day", also=())


def known_words(settings: Settings) -> frozenset[str]:
    """The words of the institution's own names: in every message, they tell nothing apart."""
    who = settings.institution
    names = (who.name, *who.aliases, who.place or "")
    return frozenset(word for name in names for word in stories.terms(name))


def _volume(reader: Reader, past: _Past, *, is_partial: bool) -> Volume:
    day = reader.parameters["day"]
    tomorrow, span = day + timedelta(days=1), past.span(day)
    band = expected(past.counts, on=past.first, days=len(span))
    ended = {known: n for known, n in past.whole.items() if known < day or not is_partial}
    return Volume(
        count=sum(past.counts.get(each, 0) for each in span),
        expected=band,
        history_days=past.day_count,
        days=_days(past, day, band if len(span) == 1 else expected(past.whole, on=day)),
        hours=_hours(reader) if len(span) == 1 else (),
        next_day=expected(ended, on=tomorrow),
        next_week=expected(ended, on=tomorrow, days=7),
    )


def _days(past: _Past, day: date, band: Range | None) -> tuple[DayPoint, ...]:
    """The last fortnight, or all of an edition, each day beside what was expected of it then."""
    first = min(day - timedelta(days=CHART_DAYS - 1), past.first)
    return tuple(
        DayPoint(
            day=known,
            count=count,
            expected=band if known == day else expected(past.whole, on=known),
            **_tone_counts(past, known, _TONES),
        )
        for known, count in sorted(past.whole.items())
        if first <= known <= day
    )


def _hours(reader: Reader) -> tuple[HourPoint, ...]:
    return tuple(
        HourPoint(
            at=row["hour_at"],
            count=row["mention_count"],
            low=row["low_count"],
            high=row["high_count"],
        )
        for row in reader.rows("digest_hours")
    )


def _tone_counts(past: _Past, day: date, names: Sequence[str]) -> dict[str, int]:
    """The texts of a day by tone; all 0 where they stand on fewer than ten authors."""
    row = past.tones.get(day, {}) if past.may_publish(day) else {}
    return {f"{name}_count": row.get(f"{name}_count", 0) for name in names}


def _tone(past: _Past, day: date) -> Tone:
    span = past.span(day)
    parts = [_tone_counts(past, each, (*_TONES, "unscored")) for each in span]
    counts = {name: sum(part[name] for part in parts) for name in parts[0]}
    readings = [reading for each in span for reading in past.tones.get(each, _NONE)["readings"]]
    return Tone(
        negative=_negative(readings, past.confusions) if past.may_publish_span(day) else None,
        usual_negative=_usual_negative(past, readings),
        is_estimated=any(not reading["is_counted"] for reading in readings),
        text_count=_summed_tones(past, span, "text_count"),
        is_suppressed=any(each in past.tones for each in span) and not past.may_publish_span(day),
        **counts,
    )


_NONE: Row = {"readings": ()}


def _summed_tones(past: _Past, days: Sequence[date], name: str) -> int:
    return sum(past.tones[each][name] for each in days if each in past.tones)


def _negative(readings: Iterable[Row], confusions: Confusions) -> Interval | None:
    """The estimated share of negative texts with its interval at 95 %; None of nothing."""
    parts = [(_moments(each), confusions(each["weights"], each["lang"])) for each in readings]
    found = prevalence.estimate(parts)
    if found is None:
        return None
    return Interval(
        count=round(found.share[0] * found.count),
        total=found.count,
        share=found.share[0],
        low=found.low[0],
        high=found.high[0],
    )


def _moments(reading: Row) -> Moments:
    both = reading["product_sum"]
    sums = np.array([reading["negative_sum"], reading["positive_sum"]])
    products = [[reading["negative_square_sum"], both], [both, reading["positive_square_sum"]]]
    return prevalence.summed(reading["text_count"], sums, np.array(products))


def _usual_negative(past: _Past, readings: Sequence[Row]) -> float | None:
    """The share of negative texts over all days before, read as `readings` of the day were.

    Another model errs otherwise, and a change of models is no change of tone: what another one
    read is left out. None below a week of days.
    """
    kinds = {_kind(each) for each in readings}
    days = [row["readings"] for known, row in past.tones.items() if known < past.first]
    alike = [[each for each in own if _kind(each) in kinds or not kinds] for own in days]
    if past.day_count < LEAST_DAYS or sum(map(bool, alike)) < min(LEAST_DAYS, len(days)):
        return None
    found = _negative((each for own in alike for each in own), past.confusions)
    return found.share if found else None


def _kind(reading: Row) -> tuple[str | None, bool]:
    return reading["weights"], reading["is_counted"]


def _usual_sensitive(past: _Past) -> float | None:
    """The share of texts on a topic over all days before; None below a week of them."""
    rows = [row for known, row in past.tones.items() if known < past.first]
    total = sum(row["text_count"] for row in rows)
    if past.day_count < LEAST_DAYS or not total:
        return None
    return float(sum(row["sensitive_count"] for row in rows) / total)


def _signals(
    volume: Volume,
    tone: Tone,
    past: _Past,
    day: date,
    alerts: Alerts,
    covered: Coverage,
) -> Signals:
    span = past.span(day)
    scored = _summed_tones(past, span, "text_count") - _summed_tones(past, span, "unscored_count")
    real = [i for i in alerts.incidents if not i.is_false and not i.is_outage]
    kinds = [(i.severity, i.resolved_at is None) for i in real]
    return Signals(
        count=volume.count,
        expected=volume.expected,
        negative=tone.negative,
        usual_negative=tone.usual_negative,
        sensitive=wilson(_summed_tones(past, span, "sensitive_count"), scored),
        usual_sensitive=_usual_sensitive(past),
        crisis=wilson(_summed_tones(past, span, "crisis_count"), scored),
        critical_open=kinds.count(("critical", True)),
        critical_closed=kinds.count(("critical", False)),
        warning_open=kinds.count(("warning", True)),
        warning_closed=kinds.count(("warning", False)),
        unseen_share=covered.unheard_share,
        is_read=volume.count > 0 or any(source.read_share for source in covered.sources),
    )


def _stories(
    reader: Reader, found: Sequence[stories.Bundle], known: frozenset[str]
) -> tuple[Story, ...]:
    """The stories; the tone of one that fewer than ten authors told is not published."""
    told = stories.stories(found, background(reader), known=known)
    return tuple(
        story
        if author_count(reader, story.text_hashes) >= LEAST_AUTHORS
        else replace(story, negative=None)
        for story in told
    )


def author_count(reader: Reader, text_hashes: Sequence[str]) -> int:
    """How many pseudonyms said some texts."""
    rows = reader.rows("digest_text_authors", texts=list(text_hashes))
    return int(rows[0]["author_count"])


def messages(reader: Reader) -> list[Message]:
    """The texts of the span, each once, the most copied first."""
    rows = reader.rows("digest_messages", most=MOST_TEXTS)
    return [
        Message(
            mention_id=row["mention_id"],
            text_hash=row["text_hash"],
            text=row["text"],
            title=row["title"],
            url=row["url"],
            network=row["network"],
            origin=row["first_origin"],
            relay_id=row["relay_id"],
            first_at=row["first_at"],
            count=row["mention_count"],
            sentiment=row["sentiment"],
            topics=tuple(row["topics"] or ()),
            hours=row["hours"],
            origins=row["origins"],
            mention_ids=tuple(row["mention_ids"]),
        )
        for row in rows
    ]


def background(reader: Reader) -> list[str]:
    """A sample of what was said in the two weeks before."""
    before = reader.parameters["since"] - timedelta(days=BACKGROUND_DAYS)
    rows = reader.rows("digest_background", before=before, most=BACKGROUND_TEXTS)
    return [row["text"] for row in rows]


def _topics(reader: Reader, past: _Past) -> tuple[TopicLine, ...]:
    """The topics of the day; a row over fewer than ten authors keeps its name and no figure."""
    day = reader.parameters["day"]
    return tuple(
        _topic(
            row,
            is_suppressed=not past.may_publish_span(day, row["topic_id"]),
            days=len(past.span(day)),
        )
        for row in reader.rows("digest_topics")
    )


def _topic(row: Row, *, is_suppressed: bool, days: int) -> TopicLine:
    if is_suppressed:
        return TopicLine(topic_id=row["topic_id"], is_suppressed=True)
    return TopicLine(
        topic_id=row["topic_id"],
        is_suppressed=False,
        mention_count=row["mention_count"],
        usual_count=None if row["usual_count"] is None else row["usual_count"] * days,
        negative=wilson(row["negative_count"], row["text_count"]),
    )


def _own(reader: Reader) -> tuple[Own, list[Answer]]:
    """The day's own posts beside the usual one, and those of a week that may answer a claim."""
    rows = reader.rows("digest_own_posts")
    since = reader.parameters["since"]
    today = [row for row in rows if row["published_at"] >= since]
    past = [row for row in rows if row["published_at"] < since]
    best = max(today, key=_reactions, default=None)
    recent = since - timedelta(days=OWN_DAYS)
    own = Own(
        post_count=len(today),
        reply_count=_total(today, "reply_count"),
        share_count=_total(today, "share_count"),
        like_count=_total(today, "like_count"),
        mean_reply=_mean(today, "reply_count"),
        mean_share=_mean(today, "share_count"),
        mean_like=_mean(today, "like_count"),
        rate=_rate(today),
        usual_reply=_usual(past, "reply_count"),
        usual_share=_usual(past, "share_count"),
        usual_like=_usual(past, "like_count"),
        usual_rate=_rate(past),
        usual_post_count=len(past),
        best=answer(best) if best else None,
        is_collected=bool(rows),
    )
    return own, [answer(row) for row in rows if row["published_at"] >= recent]


def _engagement(reader: Reader, settings: Settings) -> Engagement:
    """Own posts by format, hour and topic; the questions of a week and when they were answered."""
    labels = {r.id: r.label for r in settings.relays if r.kind == "institution"}
    compare = [name for name in settings.engagement.compare if name in labels]
    week = reader.parameters["until"] - timedelta(days=OWN_DAYS)
    handles = [fold_handle(handle) for handle in settings.institution.handles]
    return engagement.engagement(
        reader.rows("digest_engagement", compare=compare),
        reader.rows("digest_answers", week=week, handles=handles),
        compared_to=[labels[name] for name in compare],
    )


def answer(row: Row) -> Answer:
    """An own post as one that may answer."""
    return Answer(
        mention_id=row["mention_id"],
        url=row["url"],
        text=row["text"],
        published_at=row["published_at"],
    )


def _reactions(row: Row) -> int:
    return sum(row[name] or 0 for name in ("reply_count", "share_count", "like_count"))


def _total(rows: Rows, name: str) -> int | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


def _mean(rows: Rows, name: str) -> float | None:
    """The mean over the posts whose count is known: where a network gives none, it is not 0."""
    known = [row[name] for row in rows if row[name] is not None]
    return mean(known) if known else None


def _usual(rows: Rows, name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return median(known) if known else None


def _rate(rows: Rows) -> float | None:
    """Reactions for each view, over the posts whose views are known."""
    seen = [row for row in rows if row["view_count"]]
    views = sum(row["view_count"] for row in seen)
    return sum(_reactions(row) for row in seen) / views if views else None


def relays(reader: Reader, settings: Settings) -> tuple[RelayLine, ...]:
    """Those of the allow-list as it is now; whoever has left it is not shown."""
    allowed = {relay.id: relay for relay in settings.relays}
    return tuple(
        RelayLine(label=allowed[row["relay_id"]].label, kind=allowed[row["relay_id"]].kind, **row)
        for row in reader.rows("digest_relays")
        if row["relay_id"] in allowed
    )


def _alerts(reader: Reader, settings: Settings) -> Alerts:
    labels = {subject.id: subject.label for subject in settings.subjects}
    rows = reader.rows("digest_incidents")
    mails = reader.rows("digest_mails")[0]
    since = reader.parameters["since"]
    acks = [
        (row["acked_at"] - row["opened_at"]) / timedelta(minutes=1)
        for row in rows
        if row["acked_at"] is not None
    ]
    outages = {name for name in rules.names() if rules.read(name).tells == OPERATORS}
    lines = tuple(
        IncidentLine(
            incident_id=row["incident_id"],
            rule_id=row["rule_id"],
            subject=labels.get(row["subject_id"]),
            scope=row["scope"],
            severity=row["severity"],
            opened_at=row["opened_at"],
            resolved_at=row["resolved_at"],
            acked_at=row["acked_at"],
            is_false=row["is_false"],
            is_outage=row["rule_id"] in outages,
        )
        for row in rows
    )
    return Alerts(
        incidents=lines,
        opened_count=sum(line.opened_at >= since for line in lines),
        resolved_count=sum(line.resolved_at is not None for line in lines),
        open_count=sum(line.resolved_at is None for line in lines),
        acked_count=len(acks),
        false_count=sum(line.is_false for line in lines),
        ack_minutes=median(acks) if acks else None,
        mail_count=mails["mail_count"],
        sent_count=mails["sent_count"],
        unsent=tuple(
            UnsentLine(
                channel=row["channel_name"],
                message_count=row["message_count"],
                given_up_count=row["given_up_count"],
                oldest_at=row["oldest_at"],
            )
            for row in reader.rows("digest_unsent")
        ),
    )


def _coverage(reader: Reader, settings: Settings) -> Coverage:
    at = reader.parameters
    return coverage.between(
        reader.connection,
        since=at["since"],
        until=at["until"],
        as_of=at["as_of"],
        zone=settings.institution.zone,
    )


def _sources(reader: Reader, covered: Coverage) -> tuple[SourceLine, ...]:
    rows = {row["source_name"]: row for row in reader.rows("digest_coverage")}
    names = ("run_count", "failed_count", "rejected_count", "off_subject_count")
    return tuple(
        SourceLine(name=source.name, cover=source, **{n: int(rows[source.name][n]) for n in names})
        for source in covered.sources
    )


def _overlaps(reader: Reader) -> tuple[Overlap, ...]:
    """What overlapping sources say of recall over a week: a day has too few posts in common."""
    at = reader.parameters
    since = at["until"] - timedelta(days=RECALL_DAYS)
    return tuple(
        coverage.overlaps(reader.connection, since=since, until=at["until"], as_of=at["as_of"])
    )


def _plantings(reader: Reader, settings: Settings) -> tuple[Planting, ...]:
    at = reader.parameters
    return tuple(
        canaries.plantings(
            reader.connection,
            settings.canaries,
            since=at["since"],
            until=at["until"],
            as_of=at["as_of"],
            zone=settings.institution.zone,
        )
    )


def save(home: Path, digest: Digest, letter: Letter, *, locale: str) -> Path:
    """Write the letter as a page that needs nothing else: `digests/<day>.<locale>.html`.

    An edition is `<last day>.week.<locale>.html` or `….month.…`. Charts stand in it as drawings,
    and the SQL of each query at its foot. Written aside and renamed: a reader sees the old or
    the new.
    """
    kind = "" if digest.edition == "day" else f".{digest.edition}"
    path = home / "digests" / f"{digest.day.isoformat()}{kind}.{locale}.html"
    html = page.with_queries(letter.html, digest, locale=locale)
    html = page.with_charts(html, digest, locale=locale)
    with written_aside(path) as aside:
        aside.write_text(html, encoding="utf-8")
    return path


def remember(connection: duckdb.DuckDBPyConnection, digest: Digest, *, made_at: datetime) -> None:
    """Keep the level, the reason and the figures of a digest; a second call replaces the first.

    Opens no transaction of its own. No person's text is kept, so the row may outlive them.
    """
    who = digest.institution
    spoken = words(who.locale, who.zone)
    parameters = {
        "day": digest.day,
        "locale": who.locale,
        "risk_level": digest.risk.level,
        "reason": page.reason(digest, spoken),
        "body": json.dumps(_figures(digest), ensure_ascii=False),
        "made_at": made_at,
    }
    warehouse.run(connection, "writes/merge_digest", parameters)


def _figures(digest: Digest) -> dict[str, Any]:
    band, share = digest.volume.expected, digest.tone.negative
    return {
        "rule": digest.risk.reason,
        "mention_count": digest.volume.count,
        "expected_low": band.low if band else None,
        "expected_high": band.high if band else None,
        "negative_share": share.share if share else None,
        "negative_low": share.low if share else None,
        "negative_high": share.high if share else None,
        "negative_is_estimated": digest.tone.is_estimated,
        "negative_count": digest.tone.negative_count,
        "undetermined_count": digest.tone.undetermined_count,
        "story_counts": [story.mention_count for story in digest.stories],
        "claim_count": len(digest.claims),
        "unseen_share": digest.signals.unseen_share,
        "unheard_count": digest.coverage.unheard_count,
        "late_p50_minutes": digest.coverage.late_p50,
        "late_p95_minutes": digest.coverage.late_p95,
        "recall": {
            f"{each.network} {each.first} {each.second}": [
                each.recall.low,
                each.recall.share,
                each.recall.high,
            ]
            for each in digest.overlaps
            if each.recall
        },
    }
