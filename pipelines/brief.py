"""The records that a digest is made of: what was counted, never a sentence of our own.

Words are put around them by `pipelines/page.py`; every figure comes from a file of
`sql/queries`, and every message keeps its id and permalink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from pipelines.appendix import Ran
from pipelines.canaries import Planting
from pipelines.coverage import Coverage, Overlap, SourceCover
from pipelines.engagement import Engagement
from pipelines.faq import Entry
from pipelines.outlook import Interval, Range
from pipelines.risk import Level, Risk, Signals
from pipelines.settings import Institution, Retention

Edition = Literal["day", "week", "month"]
ActionKind = Literal["crisis", "claim", "gathering", "request", "complaint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text said that day: masked, with its first permalink. No author is known here."""

    mention_id: str
    text_hash: str
    text: str
    title: str | None
    url: str | None
    network: str
    origin: str
    relay_id: str | None
    first_at: datetime
    count: int
    sentiment: str | None
    topics: tuple[str, ...]
    hours: dict[datetime, int]
    origins: dict[str, int]
    mention_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message and its near-copies: shown once, with how often and where it was said."""

    message: Message
    copy_count: int
    text_count: int
    origins: dict[str, int]
    first_at: datetime
    mention_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A procedure proposed, and how many of a story's messages have the sign that calls for it."""

    kind: ActionKind
    sign_count: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What many messages of a day are about. `headline` is taken from one of them, word for word.

    `negative` is over distinct texts, None below ten of them or ten authors.
    """

    headline: str
    headline_id: str
    mention_count: int
    text_count: int
    largest: Said
    origins: dict[str, int]
    first_at: datetime
    first_origin: str
    peak_at: datetime
    peak_count: int
    negative: Interval | None
    undetermined_count: int
    topics: tuple[str, ...]
    terms: tuple[str, ...]
    examples: tuple[Said, ...]
    actions: tuple[Action, ...]
    mention_ids: tuple[str, ...]
    text_hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A post of the institution's own that takes up the words of a claim."""

    mention_id: str
    url: str | None
    text: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A text with the signs of a claim that spreads in copies, and the answer on file if any.

    `contrary_count` are the messages in much the same words that deny, or that do when it denies.
    """

    said: Said
    answer: Answer | None
    contrary_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that came several times; `terms` are the words that its messages share.

    `answer` is the entry of the institution's FAQ that means the same, `likeness` how much it does
    (`pipelines/meaning.py`); both None where there is none.
    """

    said: Said
    mention_count: int
    text_count: int
    terms: tuple[str, ...]
    answer: Entry | None
    likeness: float | None
    mention_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Ratings given on one network that day, on a scale of 0..1."""

    network: str
    review_count: int
    rating: float
    usual_rating: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """The tone of a day over distinct texts; `negative` is None where it may not be published.

    `is_estimated`: `negative` and its usual are estimated from probabilities
    (`models/prevalence.py`); else they are counted. The counts are of labels, as they stand.
    """

    negative: Interval | None
    usual_negative: float | None
    negative_count: int
    neutral_count: int
    positive_count: int
    undetermined_count: int
    unscored_count: int
    text_count: int
    is_suppressed: bool
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPoint:
    """One day of the chart of the last fortnight."""

    day: date
    count: int
    expected: Range | None
    negative_count: int = 0
    neutral_count: int = 0
    positive_count: int = 0
    undetermined_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HourPoint:
    """One hour of the day."""

    at: datetime
    count: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLine:
    """One sensitive topic of the day; no figure when it rests on too few authors."""

    topic_id: str
    is_suppressed: bool
    mention_count: int = 0
    usual_count: float | None = None
    negative: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The reactions to the institution's own posts of the day, beside its usual post."""

    post_count: int
    reply_count: int | None
    share_count: int | None
    like_count: int | None
    mean_reply: float | None
    mean_share: float | None
    mean_like: float | None
    rate: float | None
    usual_reply: float | None
    usual_share: float | None
    usual_like: float | None
    usual_rate: float | None
    usual_post_count: int
    best: Answer | None
    is_collected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLine:
    """A medium, an institution or an official in office who spoke of us."""

    relay_id: str
    label: str
    kind: str
    mention_count: int
    mention_id: str
    url: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """One incident of the day. `is_outage`: a source failed, which is coverage and no risk."""

    incident_id: str
    rule_id: str
    subject: str | None
    scope: str
    severity: str
    opened_at: datetime
    resolved_at: datetime | None
    acked_at: datetime | None
    is_false: bool
    is_outage: bool
    subject_id: str | None = None
    begun_at: datetime | None = None  # when the window began in which its rule saw it


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentLine:
    """A channel whose messages could not be handed over for an hour or more, or were given up."""

    channel: str
    message_count: int
    given_up_count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The day's incidents and mails; `ack_minutes` is the median time to acknowledge."""

    incidents: tuple[IncidentLine, ...]
    opened_count: int
    resolved_count: int
    open_count: int
    acked_count: int
    false_count: int
    ack_minutes: float | None
    mail_count: int
    sent_count: int
    unsent: tuple[UnsentLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """What the readings of one source counted that day; how far it was read is its `cover`."""

    name: str
    cover: SourceCover
    run_count: int
    failed_count: int
    rejected_count: int
    off_subject_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How many messages a day brought beside what was expected; `history_days` were known."""

    count: int
    expected: Range | None
    history_days: int
    days: tuple[DayPoint, ...]
    hours: tuple[HourPoint, ...]
    next_day: Range | None
    next_week: Range | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLevel:
    """The level of one day of an edition, None where no digest of it was made."""

    day: date
    level: Level | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """All that the digest of one local day says, before any word is put around it.

    An edition of a week or a month ends with `day`; `levels` are those of its days, and its own
    level is the worst of them. `since` to `until` is what was counted (half open); `is_partial`:
    the day is still going on; `is_cut`: it had more texts than are compared; `is_expired`: it had
    messages, none of whose texts is left. `faq_count`: entries of `faq.toml`, None where it is
    faulty. `overlaps` are of the last week, `plantings` of the day. `ran` are the queries with
    their parameters, `bounds` those that they share.
    """

    institution: Institution
    retention: Retention
    edition: Edition
    first: date
    day: date
    levels: tuple[DayLevel, ...]
    since: datetime
    until: datetime
    as_of: datetime
    is_partial: bool
    is_cut: bool
    is_expired: bool
    risk: Risk
    signals: Signals
    previous_level: Level | None
    volume: Volume
    tone: Tone
    stories: tuple[Story, ...]
    claims: tuple[Claim, ...]
    asked: tuple[Asked, ...]
    faq_count: int | None
    reviews: tuple[Reviews, ...]
    topics: tuple[TopicLine, ...]
    own: Own
    engagement: Engagement
    relays: tuple[RelayLine, ...]
    alerts: Alerts
    sources: tuple[SourceLine, ...]
    coverage: Coverage
    overlaps: tuple[Overlap, ...]
    plantings: tuple[Planting, ...]
    bounds: Mapping[str, Any]
    ran: tuple[Ran, ...]
