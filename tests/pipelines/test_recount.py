"""Every figure of one digest counted again by SQL written anew, from the tables themselves.

Nothing of `sql/` is used but the tables: neither views nor queries. Ranges are the product of a
model (`pipelines/outlook.py`, tested apart): here its input is counted again. A figure on the page
that is not among those counted here makes the last test fail.
"""
# ruff: noqa: S608 - the SQL is put together from this file's own words

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from pipelines import digest, outlook
from pipelines.brief import Digest
from pipelines.wording import Words, words
from tests.pipelines import valmont

SINCE, UNTIL = "timestamptz '2026-11-18 23:00:00+00'", "timestamptz '2026-11-19 23:00:00+00'"
BEFORE = "timestamptz '2026-10-21 22:00:00+00'"
DAY = f"published_at >= {SINCE} and published_at < {UNTIL} and not is_own"
TEXTS = f"select distinct text_hash from mention where {DAY}"


@pytest.fixture(scope="module")
def town() -> Iterator[duckdb.DuckDBPyConnection]:
    with valmont.warehouse_of("crisis") as connection:
        yield connection


@pytest.fixture(scope="module")
def made(town: duckdb.DuckDBPyConnection) -> Digest:
    return digest.build(town, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)


@pytest.fixture
def ask(town: duckdb.DuckDBPyConnection) -> Any:
    return lambda text, *given: town.execute(text, list(given)).fetchall()


def test_volume(made: Digest, ask: Any) -> None:
    assert ask(f"select count(*) from mention where {DAY}") == [(made.volume.count,)]
    local = "cast(timezone('Europe/Paris', published_at) as date)"
    days = dict(
        ask(
            f"select {local}, count(*) from mention where not is_own and published_at >= {BEFORE}"
            f" and published_at < {UNTIL} group by all"
        )
    )
    shown = {point.day: point.count for point in made.volume.days}
    assert shown == {day: days[day] for day in shown}
    assert len(shown) == 14
    tomorrow = valmont.DAY + timedelta(days=1)
    assert made.volume.expected == outlook.expected(days, on=valmont.DAY)
    assert made.volume.next_day == outlook.expected(days, on=tomorrow)
    assert made.volume.next_week == outlook.expected(days, on=tomorrow, days=7)
    hours = dict(
        ask(
            f"select date_trunc('hour', published_at), count(*) from mention where {DAY} group by 1"
        )
    )
    assert {h.at: h.count for h in made.volume.hours if h.count} == hours


def test_tone(made: Digest, ask: Any) -> None:
    ((total, negative, neutral, positive, doubtful),) = ask(
        "with once as (select text_hash, max(sentiment) as tone from score"
        f" where text_hash in ({TEXTS})"
        f" and mention_id in (select mention_id from mention where {DAY})"
        " group by 1) select count(*), count(*) filter (tone = 'negative'),"
        " count(*) filter (tone = 'neutral'), count(*) filter (tone = 'positive'),"
        " count(*) filter (tone = 'undetermined') from once"
    )
    tone = made.tone
    assert (total, negative, neutral, positive, doubtful) == (
        *(tone.text_count, tone.negative_count, tone.neutral_count, tone.positive_count),
        tone.undetermined_count,
    )
    ((share, low, high),) = ask(
        "with n as (select ?::double as k, ?::double as n, 1.959964 as z),"
        " w as (select k / n as p, z * z / n as q, * from n)"
        " select p, (p + q / 2) / (1 + q) - z / (1 + q) * sqrt(p * (1 - p) / n + q / (4 * n)),"
        " (p + q / 2) / (1 + q) + z / (1 + q) * sqrt(p * (1 - p) / n + q / (4 * n)) from w",
        *(negative, negative + neutral + positive),
    )
    assert tone.negative is not None
    found = (tone.negative.share, tone.negative.low, tone.negative.high)
    assert found == pytest.approx((share, low, high), abs=1e-6)


def test_topics(made: Digest, ask: Any) -> None:
    rows = ask(
        "select topic, count(*), count(distinct m.text_hash) filter (sentiment <> 'undetermined'),"
        " count(distinct m.text_hash) filter (sentiment = 'negative'), count(distinct author_key)"
        " from mention as m join (select mention_id, sentiment, unnest(topics) as topic from score)"
        f" using (mention_id) where {DAY.replace('published_at', 'm.published_at')} group by topic"
    )
    told = {row[0]: row[1:] for row in rows}
    assert {line.topic_id for line in made.topics} == told.keys()
    for line in made.topics:
        if line.is_suppressed:
            continue
        assert line.mention_count == told[line.topic_id][0]
        assert line.negative == outlook.wilson(told[line.topic_id][2], told[line.topic_id][1])
    earlier = dict(
        ask(
            "select topic, count(*) / 28 from mention as m"
            " join (select mention_id, unnest(topics) as topic from score) using (mention_id)"
            f" where not is_own and published_at >= {BEFORE} and published_at < {SINCE} group by 1"
        )
    )
    for line in made.topics:
        if not line.is_suppressed:
            assert line.usual_count == pytest.approx(earlier.get(line.topic_id, 0))


def test_stories_claims_and_requests(made: Digest, ask: Any) -> None:
    origin = (
        "if(network in ('press', 'web', 'forum'),"
        " regexp_extract(url, '//(?:www[.])?([^/:?#]+)', 1), network)"
    )
    for story in made.stories:
        where = f"{DAY} and list_contains(?, text_hash)"
        given = list(story.text_hashes)
        ((count, first),) = ask(
            f"select count(*), min(published_at) from mention where {where}", given
        )
        assert (count, first) == (story.mention_count, story.first_at)
        places = dict(
            ask(f"select {origin}, count(*) from mention where {where} group by 1", given)
        )
        assert places == story.origins
        peak = ask(
            f"select date_trunc('hour', published_at) as h, count(*) as n from mention"
            f" where {where}"
            " group by h order by n desc, h limit 1",
            given,
        )
        assert peak == [(story.peak_at, story.peak_count)]
    every = [s.largest for s in made.stories] + [c.said for c in made.claims]
    for said in every:
        ids = list(said.mention_ids)
        assert ask(
            f"select count(*) from mention where {DAY} and list_contains(?, mention_id)", ids
        ) == [(len(ids),)]
        lead = said.message
        assert ask(
            f"select count(*) from mention where {DAY} and text_hash = ?", lead.text_hash
        ) == [(lead.count,)]


def test_own_posts(made: Digest, ask: Any) -> None:
    own = f"is_own and published_at >= {SINCE} and published_at < {UNTIL}"
    past = f"is_own and published_at >= {BEFORE} and published_at < {SINCE}"
    total = "count(*), sum(reply_count), sum(share_count), sum(like_count)"
    rate = "sum(reply_count + share_count + like_count) / sum(view_count)"
    usual = "median(reply_count), median(share_count), median(like_count)"
    each = "avg(reply_count), avg(share_count), avg(like_count)"
    assert ask(f"select {each} from mention where {own}") == [
        (made.own.mean_reply, made.own.mean_share, made.own.mean_like)
    ]
    assert ask(f"select {total}, {rate} from mention where {own}") == [
        (made.own.post_count, made.own.reply_count, made.own.share_count, made.own.like_count,
         pytest.approx(made.own.rate)),
    ]  # fmt: skip
    assert ask(f"select {usual}, {rate} from mention where {past}") == [
        (made.own.usual_reply, made.own.usual_share, made.own.usual_like,
         pytest.approx(made.own.usual_rate)),
    ]  # fmt: skip
    hour = "hour(timezone('Europe/Paris', published_at))"
    reactions = "median(reply_count + share_count + like_count)"
    for line in made.engagement.lines:
        assert line.dimension == "hour"  # in this town no post has a picture or a topic
        first, last = {"morning": (6, 11), "evening": (18, 24)}[line.value]
        assert ask(
            f"select count(*), {reactions} from mention where is_own and published_at >= {BEFORE}"
            f" and published_at < {UNTIL} and {hour} >= {first} and {hour} < {last}"
        ) == [(line.own.post_count, line.own.reactions)]


def test_relays_alerts_and_mails(made: Digest, ask: Any) -> None:
    rows = ask(
        f"select relay_id, count(*) from mention where {DAY} and relay_id is not null group by 1"
    )
    assert dict(rows) == {relay.relay_id: relay.mention_count for relay in made.relays}
    counted = ask(
        f"select count(*) filter (opened_at >= {SINCE}), count(resolved_at),"
        " count(*) filter (resolved_at is null) from incident"
    )
    assert counted == [
        (made.alerts.opened_count, made.alerts.resolved_count, made.alerts.open_count)
    ]
    assert ask("select median(changed_at - opened_at) from incident join incident_event using"
               " (incident_id) where state_to = 'acked'") == [
        (timedelta(minutes=made.alerts.ack_minutes or 0),)
    ]  # fmt: skip
    assert ask("select count(sent_at) from outbox where incident_id is not null") == [
        (made.alerts.sent_count,)
    ]


def test_no_figure_on_the_page_is_left_out_of_what_was_counted(made: Digest) -> None:
    spoken = words("fr", valmont.PARIS)
    counted = _shown(made, spoken)
    html = digest.render(made, locale="fr").html
    spans = re.findall(r'<span data-query="[a-z_ ]+">(.*?)</span>', html)
    assert len(spans) > 60
    unknown = [
        number
        for span in spans
        for number in re.findall(r"\d+(?:[\u202f\u00a0]\d{3})*(?:,\d+)?", span)
        if number not in counted
    ]
    assert unknown == []


def _shown(made: Digest, spoken: Words) -> set[str]:
    """Every number that the tests above counted again, as the page writes it."""
    volume, tone, own, alerts = made.volume, made.tone, made.own, made.alerts
    bands = [volume.expected, volume.next_day, volume.next_week]
    shares = [tone.negative, *(line.negative for line in made.topics)]
    said = [each for s in made.stories for each in (s.largest, *s.examples)]
    said += [c.said for c in made.claims] + [a.said for a in made.asked]
    whole: list[float | None] = [
        *(volume.count, tone.undetermined_count, tone.text_count, tone.unscored_count),
        *(edge for band in bands if band for edge in (band.low, band.high)),
        *(n for line in made.topics for n in (line.mention_count, line.usual_count)),
        *(n for s in said for n in (s.copy_count, len(s.origins))),
        *(n for s in made.stories for a in s.actions for n in (a.sign_count, a.total)),
        *(n for a in made.asked for n in (a.mention_count,)),
        *(claim.contrary_count for claim in made.claims),
        *(own.post_count, *(line.own.post_count for line in made.engagement.lines)),
        *(relay.mention_count for relay in made.relays),
        *(alerts.opened_count, alerts.resolved_count, alerts.open_count, alerts.sent_count),
        *(alerts.acked_count, alerts.false_count, alerts.ack_minutes),
        made.engagement.usual.post_count if made.engagement.usual else None,
    ]
    parts = [share * 100 for s in shares if s for share in (s.share, s.low, s.high)]
    parts.append((tone.usual_negative or 0) * 100)
    fares = [made.engagement.usual, *(line.own for line in made.engagement.lines)]
    decimals = [spoken.decimal(f.reactions) for f in fares if f and f.reactions is not None]
    rates = [re.sub(r"[^\d,]", "", spoken.rate(r)) for r in (own.rate, own.usual_rate) if r]
    numbers = {spoken.number(n) for n in (*whole, *parts) if n is not None}
    return numbers | set(decimals) | set(rates)


def test_the_town_is_the_day_that_is_counted() -> None:
    assert date(2026, 11, 19) == valmont.DAY
