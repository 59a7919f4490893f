"""The daily digest: everything counted by SQL, put into frozen records, rendered, kept.

`build` reads the warehouse and nothing else, `render` puts words around what was read, `save`
writes the page, `remember` keeps the level for tomorrow. A day is a local day of the institution;
a day still going on is counted up to `as_of` and compared with the same part of earlier days.

Cost: 100,000 mentions a day take about 18 s of one core, most of it to find near-copies, and
700 MB in all; at most `MOST_TEXTS` distinct texts are held.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import median
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
    DayPoint,
    Digest,
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
from pipelines.risk import Signals, assess
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
class _Reader:
    """The queries of one digest, all with the same bounds."""

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

    Tones and authors by day; `authors` by day and scope. `day_count` days came before the day.
    `confusions` says how the model that gave a tone is read backwards.
    """

    counts: Mapping[date, int]
    whole: Mapping[date, int]
    tones: Mapping[date, Row]
    authors: Mapping[tuple[date, str], int]
    day_count: int
    confusions: Confusions

    def may_publish(self, day: date, scope: str = "all") -> bool:
        """Whether an aggregate of `day` stands on ten authors or more."""
        return self.authors.get((day, scope), 0) >= LEAST_AUTHORS


def build(
    connection: duckdb.DuckDBPyConnection,
    *,
    settings: Settings,
    day: date,
    as_of: datetime,
    faq: Sequence[Entry] | None = (),
) -> Digest:
    """All that the digest of `day` says, as known at `as_of` (aware); reads, never writes.

    `faq` holds the entries of `faq.toml`, None where that file is faulty. ValueError when the day
    has not begun by `as_of`.
    """
    since, end = _midnight(day, settings), _midnight(day + timedelta(days=1), settings)
    if as_of <= since:
        raise ValueError(f"{day} has not begun at {as_of.isoformat()}: choose an earlier day")
    bounds = {
        "day": day,
        "since": since,
        "until": min(end, as_of),
        "before": _midnight(day - timedelta(days=PAST_DAYS), settings),
        "as_of": as_of,
        "zone": settings.institution.time_zone,
    }
    first = _Reader(connection, bounds)
    past = _past(first, settings, is_partial=as_of < end)
    reader = _Reader(connection, bounds | {"days": past.day_count}, first.ran)
    return _digest(reader, settings, past, faq, is_partial=as_of < end)


def _midnight(day: date, settings: Settings) -> datetime:
    return datetime.combine(day, time.min, tzinfo=settings.institution.zone)


def _past(reader: _Reader, settings: Settings, *, is_partial: bool) -> _Past:
    at = reader.parameters
    cutoff = at["until"].astimezone(settings.institution.zone).time() if is_partial else time.max
    counts = _counts(reader, cutoff)
    first = at["day"] - timedelta(days=PAST_DAYS)
    authors = reader.rows("digest_authors", first=first)
    return _Past(
        counts=counts,
        whole=_counts(reader, time.max) if is_partial else counts,
        tones={row["day_on"]: row for row in reader.rows("digest_tone", since=at["before"])},
        authors={(row["day_on"], row["scope"]): row["author_count"] for row in authors},
        day_count=sum(1 for known in counts if known < at["day"]),
        confusions=_confusions(),
    )


def _confusions() -> Confusions:
    """What the shipped weights say of unseen texts; nothing where they cannot be read."""
    try:
        return prevalence.shipped()
    except WeightsError as error:
        log.warning("digest.tone_uncorrected reason=%s", error)
        return lambda _weights, _lang: prevalence.IDENTITY


def _counts(reader: _Reader, cutoff: time) -> dict[date, int]:
    rows = reader.rows("digest_volume", since=reader.parameters["before"], cutoff=cutoff)
    return {row["day_on"]: row["mention_count"] for row in rows}


def _digest(
    reader: _Reader,
    settings: Settings,
    past: _Past,
    faq: Sequence[Entry] | None,
    *,
    is_partial: bool,
) -> Digest:
    at = reader.parameters
    covered = _coverage(reader, settings)
    alerts, sources = _alerts(reader, settings), _sources(reader, covered)
    volume, tone = _volume(reader, past, is_partial=is_partial), _tone(past, at["day"])
    signals = _signals(volume, tone, past, at["day"], alerts, covered)
    previous = reader.rows("digest_previous", day=at["day"] - timedelta(days=1))
    found = stories.bundles(_messages(reader))
    own, answers = _own(reader)
    known = _known(settings)
    return Digest(
        institution=settings.institution,
        retention=settings.retention,
        day=at["day"],
        since=at["since"],
        until=at["until"],
        as_of=at["as_of"],
        is_partial=is_partial,
        is_cut=sum(len(bundle.messages) for bundle in found) >= MOST_TEXTS,
        is_expired=volume.count > 0 and not found,
        risk=assess(signals),
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
        relays=_relays(reader, settings),
        alerts=alerts,
        sources=sources,
        coverage=covered,
        overlaps=_overlaps(reader),
        plantings=_plantings(reader, settings),
        bounds=dict(at),
        ran=tuple(reader.ran),
    )


def _known(settings: Settings) -> frozenset[str]:
    """The words of the institution's own names: in every message, they tell nothing apart."""
    who = settings.institution
    names = (who.name, *who.aliases, who.place or "")
    return frozenset(word for name in names for word in stories.terms(name))


def _volume(reader: _Reader, past: _Past, *, is_partial: bool) -> Volume:
    day = reader.parameters["day"]
    tomorrow = day + timedelta(days=1)
    band = expected(past.counts, on=day)
    ended = {known: n for known, n in past.whole.items() if known < day or not is_partial}
    return Volume(
        count=past.counts.get(day, 0),
        expected=band,
        history_days=past.day_count,
        days=_days(past, day, band),
        hours=_hours(reader),
        next_day=expected(ended, on=tomorrow),
        next_week=expected(ended, on=tomorrow, days=7),
    )


def _days(past: _Past, day: date, band: Range | None) -> tuple[DayPoint, ...]:
    """The last fortnight, each day beside what was expected of it then."""
    first = day - timedelta(days=CHART_DAYS - 1)
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


def _hours(reader: _Reader) -> tuple[HourPoint, ...]:
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
    counts = _tone_counts(past, day, (*_TONES, "unscored"))
    readings = past.tones[day]["readings"] if day in past.tones else []
    return Tone(
        negative=_negative(readings, past.confusions) if past.may_publish(day) else None,
        usual_negative=_usual_negative(past, day),
        is_estimated=any(not reading["is_counted"] for reading in readings),
        text_count=past.tones.get(day, {}).get("text_count", 0),
        is_suppressed=day in past.tones and not past.may_publish(day),
        **counts,
    )


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


def _usual_negative(past: _Past, day: date) -> float | None:
    """The share of negative texts over all days before `day`, read as those of the day were.

    Another model errs otherwise, and a change of models is no change of tone: what another one
    read is left out. None below a week of days.
    """
    kinds = {_kind(each) for each in past.tones.get(day, {}).get("readings", ())}
    days = [row["readings"] for known, row in past.tones.items() if known < day]
    alike = [[each for each in own if _kind(each) in kinds or not kinds] for own in days]
    if past.day_count < LEAST_DAYS or sum(map(bool, alike)) < min(LEAST_DAYS, len(days)):
        return None
    found = _negative((each for own in alike for each in own), past.confusions)
    return found.share if found else None


def _kind(reading: Row) -> tuple[str | None, bool]:
    return reading["weights"], reading["is_counted"]


def _usual_sensitive(past: _Past, day: date) -> float | None:
    """The share of texts on a topic over all days before `day`; None below a week of them."""
    rows = [row for known, row in past.tones.items() if known < day]
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
    today = past.tones.get(day, {})
    scored = today.get("text_count", 0) - today.get("unscored_count", 0)
    real = [i for i in alerts.incidents if not i.is_false and not i.is_outage]
    kinds = [(i.severity, i.resolved_at is None) for i in real]
    return Signals(
        count=volume.count,
        expected=volume.expected,
        negative=tone.negative,
        usual_negative=tone.usual_negative,
        sensitive=wilson(today.get("sensitive_count", 0), scored),
        usual_sensitive=_usual_sensitive(past, day),
        crisis=wilson(today.get("crisis_count", 0), scored),
        critical_open=kinds.count(("critical", True)),
        critical_closed=kinds.count(("critical", False)),
        warning_open=kinds.count(("warning", True)),
        warning_closed=kinds.count(("warning", False)),
        unseen_share=covered.unheard_share,
        is_read=volume.count > 0 or any(source.read_share for source in covered.sources),
    )


def _stories(
    reader: _Reader, found: Sequence[stories.Bundle], known: frozenset[str]
) -> tuple[Story, ...]:
    """The stories; the tone of one that fewer than ten authors told is not published."""
    told = stories.stories(found, _background(reader), known=known)
    return tuple(
        story if _author_count(reader, story) >= LEAST_AUTHORS else replace(story, negative=None)
        for story in told
    )


def _author_count(reader: _Reader, story: Story) -> int:
    rows = reader.rows("digest_text_authors", texts=list(story.text_hashes))
    return int(rows[0]["author_count"])


def _messages(reader: _Reader) -> list[Message]:
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


def _background(reader: _Reader) -> list[str]:
    before = reader.parameters["since"] - timedelta(days=BACKGROUND_DAYS)
    rows = reader.rows("digest_background", before=before, most=BACKGROUND_TEXTS)
    return [row["text"] for row in rows]


def _topics(reader: _Reader, past: _Past) -> tuple[TopicLine, ...]:
    """The topics of the day; a row over fewer than ten authors keeps its name and no figure."""
    day = reader.parameters["day"]
    return tuple(
        _topic(row, is_suppressed=not past.may_publish(day, row["topic_id"]))
        for row in reader.rows("digest_topics")
    )


def _topic(row: Row, *, is_suppressed: bool) -> TopicLine:
    if is_suppressed:
        return TopicLine(topic_id=row["topic_id"], is_suppressed=True)
    return TopicLine(
        topic_id=row["topic_id"],
        is_suppressed=False,
        mention_count=row["mention_count"],
        usual_count=row["usual_count"],
        negative=wilson(row["negative_count"], row["text_count"]),
    )


def _own(reader: _Reader) -> tuple[Own, list[Answer]]:
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
        rate=_rate(today),
        usual_reply=_usual(past, "reply_count"),
        usual_share=_usual(past, "share_count"),
        usual_like=_usual(past, "like_count"),
        usual_rate=_rate(past),
        usual_post_count=len(past),
        best=_answer(best) if best else None,
        is_collected=bool(rows),
    )
    return own, [_answer(row) for row in rows if row["published_at"] >= recent]


def _engagement(reader: _Reader, settings: Settings) -> Engagement:
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


def _answer(row: Row) -> Answer:
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


def _usual(rows: Rows, name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return median(known) if known else None


def _rate(rows: Rows) -> float | None:
    """Reactions for each view, over the posts whose views are known."""
    seen = [row for row in rows if row["view_count"]]
    views = sum(row["view_count"] for row in seen)
    return sum(_reactions(row) for row in seen) / views if views else None


def _relays(reader: _Reader, settings: Settings) -> tuple[RelayLine, ...]:
    """Those of the allow-list as it is now; whoever has left it is not shown."""
    allowed = {relay.id: relay for relay in settings.relays}
    return tuple(
        RelayLine(label=allowed[row["relay_id"]].label, kind=allowed[row["relay_id"]].kind, **row)
        for row in reader.rows("digest_relays")
        if row["relay_id"] in allowed
    )


def _alerts(reader: _Reader, settings: Settings) -> Alerts:
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


def _coverage(reader: _Reader, settings: Settings) -> Coverage:
    at = reader.parameters
    return coverage.between(
        reader.connection,
        since=at["since"],
        until=at["until"],
        as_of=at["as_of"],
        zone=settings.institution.zone,
    )


def _sources(reader: _Reader, covered: Coverage) -> tuple[SourceLine, ...]:
    rows = {row["source_name"]: row for row in reader.rows("digest_coverage")}
    names = ("run_count", "failed_count", "rejected_count", "off_subject_count")
    return tuple(
        SourceLine(name=source.name, cover=source, **{n: int(rows[source.name][n]) for n in names})
        for source in covered.sources
    )


def _overlaps(reader: _Reader) -> tuple[Overlap, ...]:
    """What overlapping sources say of recall over a week: a day has too few posts in common."""
    at = reader.parameters
    since = at["until"] - timedelta(days=RECALL_DAYS)
    return tuple(
        coverage.overlaps(reader.connection, since=since, until=at["until"], as_of=at["as_of"])
    )


def _plantings(reader: _Reader, settings: Settings) -> tuple[Planting, ...]:
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

    Pictures stand in it as data, and the SQL of each query at its foot. Written aside and
    renamed: a reader sees the old or the new.
    """
    path = home / "digests" / f"{digest.day.isoformat()}.{locale}.html"
    html = letter.html
    html = page.with_queries(html, digest, locale=locale)
    for name, png in letter.images.items():
        data = base64.b64encode(png).decode("ascii")
        html = html.replace(f'src="cid:{name}"', f'src="data:image/png;base64,{data}"')
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
