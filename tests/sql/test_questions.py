"""Every question for analysts answers with the right figures: given rows, expected rows, as data.

The rows are put into an empty published file, whose tables and macros are the real ones. What a
case does not say is null, false for `is_own` and SEEN for times.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from pipelines import contract, publish, warehouse
from tests.pipelines.staged import SEEN, stored
from tests.sql import test_queries

Row = dict[str, Any]
Given = dict[str, list[Row]]


def ago(days: float = 0, **more: float) -> datetime:
    """That long before the file was made."""
    return SEEN - timedelta(days=days, **more)


def on(days: int) -> date:
    """The day that many days before the file's."""
    return SEEN.date() - timedelta(days=days)


def said(number: int, **changes: Any) -> Row:
    """A message of the published file."""
    at = changes.get("published_at", ago(1))
    values: Row = {
        "mention_id": f"m{number:04}",
        "source_name": "masto",
        "network": "mastodon",
        "subject_ids": ["ville"],
        "text": f"texte {number}",
        "text_hash": f"h{number}",
        "published_at": at,
        "day_on": at.date(),
        "is_own": False,
        "sentiment": "neutral",
    }
    return values | changes


def many(count: int, first: int = 0, **changes: Any) -> list[Row]:
    """So many messages alike."""
    return [said(first + n, **changes) for n in range(count)]


def posts(count: int, first: int, **changes: Any) -> list[Row]:
    """So many own posts alike, with reactions 0, 1, 2, …."""
    values = {"network": "mastodon", "content_type": "post", "published_at": ago(3)}
    values |= {"view_count": 100}
    return [
        {
            "mention_id": f"o{first + n}",
            "reaction_count": n,
            "reply_count": n,
            "engagement_rate": n / 100,
            **values,
            **changes,
        }
        for n in range(count)
    ]


_SHARE = {"subject_id": "ville", "is_suppressed": False}
_TONE = {"subject_id": "ville", "is_suppressed": False}
_ALERT = {"rule_id": "volume_surge", "incident_id": "i1", "changed_at": ago(1)}
_GAP = {"source_name": "masto", "reason": "failed"}

CASES: dict[str, tuple[Given, list[Row]]] = {
    "share_of_voice": (
        {
            "network_share": [
                {**_SHARE, "network": "mastodon", "day_on": on(1), "mention_count": 30},
                {**_SHARE, "network": "press", "day_on": on(29), "mention_count": 10},
                {**_SHARE, "network": "mastodon", "day_on": on(30), "mention_count": 5},
                {**_SHARE, "network": "press", "day_on": on(59), "mention_count": 5},
                {**_SHARE, "network": "press", "day_on": on(60), "mention_count": 999},
                {"subject_id": "ville", "network": "press", "day_on": on(2), "is_suppressed": True},
            ]
        },
        [
            {"network": "mastodon", "mention_count": 30, "voice_share": 0.75, "change": 0.25},
            {"network": "press", "before_count": 5, "before_share": 0.5, "held_back_days": 1},
        ],
    ),
    "answer_time": (
        {
            "answer_time": [
                {"network": "x", "published_at": ago(3), "answered_at": ago(3), "answer_minutes": m}
                for m in (10, 20, 2000)
            ]
            + [{"network": "x", "published_at": ago(3)}, {"network": "x", "published_at": ago()}]
            + [{"network": "x", "published_at": ago(31)}]
        },
        [
            {
                "asked_count": 5,
                "answered_count": 3,
                "answered_share": 0.6,
                "answered_in_day_share": 0.5,
                "median_minutes": 20.0,
                "p90_minutes": 1604.0,
            }
        ],
    ),
    "unanswered": (
        {
            "mention_public": [said(1), said(2), said(3), said(4, published_at=ago(15))],
            "answer_time": [
                {"mention_id": "m0001", "published_at": ago(1), "acts": ["question"]},
                {"mention_id": "m0002", "published_at": ago(1), "acts": ["complaint"]},
                {
                    "mention_id": "m0003",
                    "published_at": ago(1),
                    "acts": ["request"],
                    "answered_at": ago(),
                },
                {"mention_id": "m0004", "published_at": ago(15), "acts": ["question"]},
            ],
        },
        [{"mention_id": "m0001", "waited_hours": 24, "said": "texte 1"}],
    ),
    "own_by_format": (
        {
            "own_post": [
                *posts(5, 0, format="video"),
                *posts(5, 10, format="text", reaction_count=8),
                *posts(4, 20, format="link", reaction_count=0),
                *posts(9, 30, format="video", published_at=ago(91)),
                *posts(30, 50, format="text", content_type="reply", reaction_count=0),
            ]
        },
        [
            {"format": "text", "post_count": 5, "median_reactions": 8.0, "ratio": 3.2},
            {"format": "video", "median_reactions": 2.0, "median_rate": 0.02, "reply_count": 10},
        ],
    ),
    "own_by_hour": (
        {
            "own_post": [
                *posts(5, 0, hour_of_day=8),
                *posts(5, 10, hour_of_day=18, reaction_count=4),
            ]
        },
        [{"hour_of_day": 18, "median_reactions": 4.0}, {"hour_of_day": 8, "usual_reactions": 4.0}],
    ),
    "own_by_topic": (
        {"own_post": [*posts(5, 0, topic_ids=["T09", "T20"]), *posts(4, 10, topic_ids=["T01"])]},
        [
            {"topic_id": "T09", "post_count": 5, "median_reactions": 2.0},
            {"topic_id": "T20", "post_count": 5, "median_reactions": 2.0},
        ],
    ),
    "emerging_terms": (
        {
            "mention_public": [
                *[said(n, text=f"la piscine ferme {n}") for n in range(20)],
                *[said(100, text="la piscine ferme 1", text_hash="h1")],  # a copy counts once
                *[said(200 + n, text="le marché ouvre", published_at=ago(10)) for n in range(20)],
                *[said(300 + n, text="le marché ferme encore") for n in range(9)],
                said(400, text="piscine piscine", is_own=True),
            ]
        },
        # 29 of the 49 texts are new: 20 new "piscine" against 20 * 29/49 expected,
        # 2 * 20 * ln(49 / 29) = 21.0; "ferme" in 29: 2 * 29 * ln(49 / 29) = 30.4
        [
            {"word": "ferme", "new_count": 29, "old_count": 0, "score": 30.4},
            {"word": "piscine", "new_count": 20, "new_share": 0.6897, "score": 21.0},
        ],
    ),
    "topic_by_place": (
        {
            "mention_place": [
                {
                    "mention_id": f"m{n:04}",
                    "published_at": ago(1),
                    "is_own": False,
                    "commune_code": "commune:37261" if n < 20 else "commune:37122",
                    "commune_name": "Tours" if n < 20 else "Joué",
                }
                for n in range(40)
            ],
            "mention_topic": [
                {"mention_id": f"m{n:04}", "published_at": ago(1), "topic_id": "T09"}
                for n in (*range(15), *range(20, 25))
            ],
        },
        [{"commune_name": "Tours", "mention_count": 15, "there_share": 0.75, "lift": 1.5}],
    ),
    "before_after": (
        {
            "daily_volume": [
                {**_TONE, "day_on": on(d), "mention_count": 100} for d in (1, 14, 15, 29)
            ],
            "daily_tone": [
                {**_TONE, "day_on": on(1), "scored_count": 100, "negative_count": 60},
                {**_TONE, "day_on": on(14), "scored_count": 100, "negative_count": 60},
                {**_TONE, "day_on": on(15), "scored_count": 100, "negative_count": 20},
                {**_TONE, "day_on": on(29), "scored_count": 100, "negative_count": 99},
            ],
            "daily_topic": [
                {**_TONE, "day_on": on(1), "topic_id": "T09", "mention_count": 7},
                {**_TONE, "day_on": on(16), "topic_id": "T09", "mention_count": None},
            ],
        },
        [
            {
                "decided_on": on(14),
                "topic_id": "all",
                "before_count": 100,
                "after_count": 200,
                "before_negative": 0.2,
                "after_negative": 0.6,
                "has_tone_changed": True,
            },
            {"topic_id": "T09", "before_count": None, "after_count": 7, "has_tone_changed": None},
        ],
    ),
    "source_bias": (
        {
            "mention_public": [
                *many(15, 0, source_name="a", sentiment="negative"),
                *many(5, 20, source_name="a"),
                *many(10, 40, source_name="b", sentiment="negative", text_hash="same"),
                *many(30, 60, source_name="b"),
                *many(10, 100, source_name="b", sentiment="undetermined"),
                *many(19, 200, source_name="c", published_at=ago(31)),
            ]
        },
        [
            {
                "source_name": "a",
                "negative_share": 0.75,
                "others_negative_share": 0.25,
                "voice_share": 0.286,
                "copied_share": 0.0,
            },
            {"source_name": "b", "undetermined_share": 0.2, "copied_share": 0.2},
        ],
    ),
    "origins": (
        {
            "mention_public": [
                said(1, source_name="a", text_hash="h", published_at=ago(2)),
                said(2, source_name="b", text_hash="h", published_at=ago(2, hours=-2)),
                said(3, source_name="b", text_hash="h", published_at=ago(2, hours=-4)),
                said(4, source_name="a", text_hash="h", published_at=ago(1)),
                said(5, source_name="a", text_hash="alone"),
            ]
        },
        [
            {"origin_name": "a", "copied_on": "b", "copy_count": 2, "median_hours": 3.0},
            {"origin_name": "a", "copied_on": "a", "text_count": 1, "copy_count": 1},
        ],
    ),
    "tone_by_network": (
        {
            "mention_public": [
                *many(10, 0, network="x", sentiment="negative"),
                *many(10, 20, network="x", sentiment="positive"),
                *many(5, 40, network="x", sentiment="undetermined"),
                *many(40, 60, network="press"),
                said(500, network="x", is_own=True, sentiment="negative"),
            ]
        },
        [
            {
                "network": "x",
                "scored_count": 20,
                "negative_share": 0.5,
                "low": 0.299,
                "high": 0.701,
                "undetermined_share": 0.2,
            },
            {"network": "press", "negative_share": 0.0, "low": 0.0, "high": 0.088},
        ],
    ),
    "claims": (
        {
            "mention_public": [
                said(1, acts=["claim"], text_hash="c", published_at=ago(2), share_count=5),
                said(2, acts=["claim"], text_hash="c", network="x", share_count=2),
                said(3, acts=["question"], text_hash="q"),
                said(4, acts=["question"], text_hash="q"),
                said(5, acts=["claim"]),
            ]
        },
        [
            {
                "copy_count": 2,
                "network_count": 2,
                "hours": 24,
                "share_count": 7,
                "first_mention_id": "m0001",
            }
        ],
    ),
    "acts": (
        {
            "mention_public": [
                *many(6, 0, acts=["complaint", "question"]),
                *many(4, 10, acts=["praise"]),
                *many(5, 20, acts=["complaint"], published_at=ago(10)),
                *many(15, 30, acts=[], published_at=ago(10)),
                *many(9, 60),
            ]
        },
        [
            {"act": "complaint", "new_count": 6, "new_share": 0.6, "old_share": 0.25, "ratio": 2.4},
            {"act": "question", "new_share": 0.6, "old_share": 0.0, "ratio": None},
            {"act": "praise", "new_count": 4, "new_share": 0.4},
        ],
    ),
    "services": (
        {
            "mention_public": [
                *many(8, 0, aspects=["water:negative", "roads"], acts=["complaint"]),
                *many(4, 20, aspects=["water:positive"], acts=["praise"], sentiment="negative"),
                *many(9, 40, aspects=["sport"]),
            ]
        },
        [
            {
                "service": "water",
                "label_fr": "Eau et assainissement",
                "label_en": "Water and sewerage",
                "mention_count": 12,
                "complaint_count": 8,
                "complaint_share": 0.667,
                "negative_share": 0.667,
            }
        ],
    ),
    "attention_and_mentions": (
        {
            "attention_daily": [
                {"day_on": on(d), "subject_id": "ville", "view_count": v}
                for d, v in ((1, 300), (1, 100), (2, 100), (3, 100), (40, 9))
            ],
            "daily_volume": [
                {"day_on": on(d), "subject_id": "ville", "mention_count": v}
                for d, v in ((1, 50), (2, 10), (3, None))
            ],
        },
        [
            {"day_on": on(3), "view_count": 100, "mention_count": None, "mention_ratio": None},
            {"day_on": on(2), "mention_ratio": 0.33},
            {"day_on": on(1), "view_count": 400, "view_ratio": 4.0, "mention_ratio": 1.67},
        ],
    ),
    "fate": (
        {
            "daily_fate": [
                {
                    "day_on": on(d),
                    "network": "x",
                    "is_suppressed": False,
                    "mention_count": 100,
                    "edited_count": 2,
                    "deleted_count": d,
                }
                for d in (1, 29, 30)
            ]
            + [{"day_on": on(3), "network": "x", "is_suppressed": True}]
        },
        [
            {
                "mention_count": 200,
                "edited_share": 0.02,
                "deleted_count": 30,
                "deleted_share": 0.15,
                "held_back_days": 1,
            }
        ],
    ),
    "gaps": (
        {
            "coverage_gap": [
                {
                    **_GAP,
                    "since_at": ago(2),
                    "until_at": ago(1),
                    "is_filled": True,
                    "found_at": ago(1),
                    "filled_at": ago(1, hours=-3),
                },
                {**_GAP, "since_at": ago(0, hours=6), "until_at": ago(), "is_filled": False},
                {**_GAP, "since_at": ago(40), "until_at": ago(39), "is_filled": True},
            ]
        },
        [
            {
                "gap_count": 2,
                "gap_hours": 30.0,
                "filled_hours": 24.0,
                "open_since_at": ago(0, hours=6),
                "median_hours_to_fill": 3.0,
            }
        ],
    ),
    "growth": (
        {
            "mention_public": [
                said(1, published_at=ago(5)),
                said(2, published_at=ago(2)),
                said(3, published_at=ago(5), is_own=True),
            ],
            "engagement_history": [
                {"mention_id": "m0001", "counted_at": ago(5, hours=-h), "like_count": n}
                for h, n in ((1, 10), (6, 20), (24, 30), (100, 40))
            ]
            + [{"mention_id": "m0002", "counted_at": ago(1), "like_count": 99}]
            + [{"mention_id": "m0003", "counted_at": ago(5, hours=-1), "like_count": 40}],
        },
        [
            {
                "is_own": False,
                "message_count": 1,
                "after_1_hour": 0.25,
                "after_6_hours": 0.5,
                "after_24_hours": 0.75,
                "after_72_hours": 0.75,
            },
            {"is_own": True, "message_count": 1, "after_1_hour": 1.0},
        ],
    ),
    "risk": (
        {
            "mention_public": [
                *many(12, 0, risk="hostile"),
                *many(9, 50, risk="illicit suspected"),
                *many(20, 100, risk="contested"),
            ],
            "mention_topic": [
                {"mention_id": f"m{n:04}", "published_at": ago(1), "topic_id": "T09"}
                for n in range(12)
            ],
        },
        [{"topic_id": "T09", "risk": "hostile", "mention_count": 12, "week_count": 12}],
    ),
    "model_change": (
        {
            "mention_public": [
                *many(4, 0, scorer_id="old", sentiment="negative", published_at=ago(20)),
                *many(4, 10, scorer_id="new"),
                *many(1, 20, scorer_id="new", sentiment="negative"),
                *many(5, 30, scorer_id="new", sentiment="undetermined"),
                *many(3, 40),
            ]
        },
        [
            {"scorer_id": "old", "negative_share": 1.0, "undetermined_share": 0.0},
            {"scorer_id": "new", "mention_count": 10, "negative_share": 0.2},
        ],
    ),
    "doubtful": (
        {
            "mention_public": [
                said(1, p_negative=0.9, p_neutral=0.05, p_positive=0.05),
                said(2, p_negative=0.4, p_neutral=0.35, p_positive=0.25),
                said(3),
                said(4, text="", p_negative=0.34, p_neutral=0.33, p_positive=0.33),
            ]
        },
        [{"mention_id": "m0002", "margin": 0.05}, {"mention_id": "m0001", "margin": 0.85}],
    ),
    "decisions": (
        {
            "alert_change": [
                {**_ALERT, "actor": "camille", "state_to": "acked", "reason": "vu"},
                {
                    **_ALERT,
                    "actor": "dominique",
                    "state_to": "acked",
                    "reason": "je prends",
                    "changed_at": ago(),
                    "incident_id": "i2",
                },
                {**_ALERT, "actor": "rule", "state_to": "resolved", "reason": "over"},
                {**_ALERT, "actor": "camille", "state_to": "acked", "changed_at": ago(31)},
                {**_ALERT, "actor": "camille", "state_to": "false", "changed_at": ago(3)},
                {**_ALERT, "actor": "camille", "state_to": "not_false", "changed_at": ago(2)},
            ]
        },
        [
            {
                "decision": "acked",
                "decision_count": 2,
                "alert_count": 2,
                "taken_back_count": 0,
                "agent_count": 2,
                "last_reason": "je prends",
            },
            {"decision": "false", "alert_count": 1, "taken_back_count": 1},
            {"decision": "not_false", "alert_count": 1, "taken_back_count": 0},
        ],
    ),
    "busiest_hours": (
        {
            "hourly_volume": [
                {
                    "hour_at": ago(7 * week),
                    "subject_id": "ville",
                    "scope": "all",
                    "is_suppressed": False,
                    "mention_count": n,
                }
                for week, n in enumerate((100, 10, 10, 10, 12))
            ]
            + [{"hour_at": ago(1), "subject_id": "ville", "scope": "all", "is_suppressed": True}]
        },
        # 2 * (sqrt(100.375) - sqrt(10.375))
        [{"hour_at": ago(), "mention_count": 100, "usual_count": 10.0, "score": 13.6}],
    ),
    "alerts": (
        {
            "alert_log": [
                {"rule_id": "r", "severity": "warning", "opened_at": ago(1), "mail_count": 1,
                 "acked_at": ago(), "ack_minutes": 8, "open_minutes": 60},
                {"rule_id": "r", "severity": "warning", "opened_at": ago(2), "mail_count": 2},
                {"rule_id": "r", "severity": "warning", "opened_at": ago(3), "mail_count": 0},
                {"rule_id": "r", "severity": "warning", "opened_at": ago(31), "mail_count": 1},
            ]
        },
        [{"incident_count": 3, "mailed_count": 2, "unanswered_count": 1, "ack_minutes": 8.0}],
    ),
    "coverage": (
        {
            "source_coverage": [
                {"source_name": "masto", "is_silent": False, "as_of": ago(), "behind_minutes": 5}
            ],
            "coverage": [
                {"source_name": "masto", "hour_at": ago(1), "read_share": 0.5, "gap_minutes": 30.0},
                {"source_name": "masto", "hour_at": ago(2), "read_share": 1.0, "gap_minutes": 0.0},
                {"source_name": "masto", "hour_at": ago(8), "read_share": 0.0, "gap_minutes": 60.0},
            ],
        },
        [{"read_share": 0.75, "gap_minutes": 30.0, "behind_minutes": 5}],
    ),
    "lateness": (
        {
            "coverage": [
                {"source_name": "masto", "hour_at": ago(1), "late_p50_minutes": m,
                 "late_p95_minutes": 10 * m, "read_share": 1.0, "failed_count": 1}
                for m in (2.0, 4.0, 9.0)
            ]
        },
        [{"median_hour_p50_minutes": 4.0, "worst_hour_p95_minutes": 90.0, "failed_count": 3}],
    ),
    "most_shared": (
        {
            "mention_public": [
                said(n, like_count=n, share_count=1, published_at=ago(1)) for n in range(12)
            ]
            + [said(50, network="x", quote_count=3), said(60, like_count=999, is_own=True)]
        },
        [
            *({"network": "mastodon", "reaction_count": n + 1} for n in range(11, 1, -1)),
            {"network": "x", "reaction_count": 3},
        ],
    ),
    "negative_topics": (
        {
            "mention_topic": [
                {"mention_id": f"m{n}", "published_at": ago(1), "is_own": False, "topic_id": t,
                 "sentiment": "negative" if n < k else "neutral"}
                for t, k, total in (("T09", 15, 20), ("T01", 5, 20), ("T02", 19, 19))
                for n in range(total)
            ]
        },
        [{"topic_id": "T09", "negative_share": 0.75}, {"topic_id": "T01", "negative_share": 0.25}],
    ),
    "tone_by_day": (
        {
            "daily_tone": [
                {**_TONE, "day_on": on(d), "negative_share": 0.256, "negative_share_low": 0.101}
                for d in (1, 14)
            ]
        },
        [{"day_on": on(1), "negative_share": 0.26, "low": 0.1}],
    ),
    "where": (
        {
            "network_share": [
                {**_SHARE, "network": "x", "day_on": on(d), "mention_count": n,
                 "negative_share": s}
                for d, n, s in ((1, 10, 0.2), (2, 30, 0.4), (30, 99, 1.0))
            ]
            + [{**_SHARE, "network": "x", "day_on": on(3), "is_suppressed": True}]
        },
        [{"mention_count": 40, "negative_share": 0.3, "held_back_days": 1}],
    ),
}  # fmt: skip
# Questions whose figures stand in tests/sql/test_queries.py, on a loaded warehouse; here are rows
# that each answers with something.
LOADED: dict[str, Given] = {
    "rising_topics": {
        "daily_topic": [{**_TONE, "day_on": on(1), "topic_id": "T09", "mention_count": 7}]
    },
    "copies": {"mention_public": many(3, text_hash="same", text="même")},
    "how_sure": {"mention_public": many(12, lang="fr")},
    "attention": {
        "attention_daily": [
            {"day_on": on(1), "about": "Valbrume", "view_count": 9, "view_ratio": 4.0}
        ]
    },
    "own_posts": {"mention_public": [said(1, is_own=True, reply_count=2)]},
    "places": {
        "mention_place": [
            {"mention_id": f"m{n}", "published_at": ago(1), "day_on": on(1), "is_own": False,
             "place_code": "commune:37261", "level": "commune", "name": "Tours",
             "commune_code": "commune:37261", "commune_name": "Tours"}
            for n in range(12)
        ]
    },
    "rhythm": {"mention_public": many(12)},
}  # fmt: skip
# Columns of words that questions choose by: with another word a row would answer nothing.
_CHOSEN = {"sentiment", "state_to", "state_from", "actor", "scope", "severity", "risk", "level"}
# A source has one: two rows that differ in it are none that the view can give.
_CHOSEN |= {"last_status"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published file without rows."""
    home = tmp_path_factory.mktemp("home")
    with stored(home, []):
        pass
    return publish.publish(home, made_at=SEEN)


@pytest.fixture
def analyst(empty: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of it that takes rows."""
    path = tmp_path / "analyst.duckdb"
    shutil.copyfile(empty, path)
    with warehouse.opened_file(path, read_only=False) as connection:
        for view in contract.published_views():
            connection.execute(f"delete from {view}")  # noqa: S608
        yield connection


def give(connection: duckdb.DuckDBPyConnection, given: Given) -> None:
    """Put rows into the tables of a published file, in the types of the contract."""
    for table, rows in given.items():
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join(f"?::{contract.columns()[table][name]}" for name in row)
            statement = f"insert into {table} ({names}) values ({marks})"  # noqa: S608
            connection.execute(statement, list(row.values()))


def answered(connection: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    """The rows of a question."""
    found = warehouse.run(connection, f"queries/analyst_{name}")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_question_has_the_figures_of_the_rows(
    name: str, analyst: duckdb.DuckDBPyConnection
) -> None:
    given, expected = CASES[name]
    give(analyst, given)
    found = answered(analyst, name)
    shown = [
        {key: row[key] for key in wanted} for row, wanted in zip(found, expected, strict=False)
    ]
    assert shown == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_question_of_an_empty_file_is_answered_with_nothing(
    name: str, analyst: duckdb.DuckDBPyConnection
) -> None:
    assert answered(analyst, name) == []


def _doubled(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Add the same rows of other messages twice for each name, with another name each time."""
    kinds = {table: contract.columns()[table] for table in tables}
    names = {n for columns in kinds.values() for n, kind in columns.items() if kind == "VARCHAR"}
    for table in kinds:
        connection.execute(f"create temp table first_{table} as from {table}")
    for number, name in enumerate(sorted(names - _CHOSEN) * 2):
        for table, columns in kinds.items():
            changed = {name, "mention_id"} & columns.keys()
            other = ", ".join(f"{each} || '{number}' as {each}" for each in changed)
            if changed:
                query = f"insert into {table} select * replace ({other}) from first_{table}"  # noqa: S608
                connection.execute(query)


def _sort_keys(name: str) -> str:
    """The question, answering what it sorts its rows by, once for each row that differs."""
    asked: Any = sqlglot.parse_one(warehouse.sql(f"queries/analyst_{name}"), dialect="duckdb")
    named = {each.alias: each.this for each in asked.selects if isinstance(each, exp.Alias)}
    keys = [named.get(each.this.name, each.this) for each in asked.args.pop("order").expressions]
    asked.set("limit", None)
    for number, key in enumerate(keys):
        asked.select(exp.alias_(key.copy(), f"sort_key_{number}"), copy=False)
    shown = ", ".join(f"sort_key_{number}" for number in range(len(keys)))
    return f"select {shown} from (select distinct * from ({asked.sql(dialect='duckdb')}))"  # noqa: S608


@pytest.mark.parametrize("name", sorted(CASES.keys() | LOADED.keys()))
def test_a_question_sorts_no_two_rows_alike(name: str, analyst: duckdb.DuckDBPyConnection) -> None:
    """Rows of one sort key lie in any order: by luck the same one in the test below."""
    given = CASES[name][0] if name in CASES else LOADED[name]
    give(analyst, given)
    _doubled(analyst, given)
    keys = analyst.execute(_sort_keys(name)).fetchall()
    assert keys
    assert [key for key, times in Counter(keys).items() if times > 1] == []


def _shuffled(connection: duckdb.DuckDBPyConnection, table: str, seed: int) -> None:
    """Lay the rows of a table in another order."""
    connection.execute(f"create or replace temp table laid as from {table}")
    connection.execute(f"delete from {table}")  # noqa: S608
    connection.execute(f"insert into {table} from laid order by hash(laid::varchar || '{seed}')")


@pytest.mark.parametrize("name", sorted(CASES.keys() | LOADED.keys()))
def test_a_question_has_one_order_of_rows(name: str, analyst: duckdb.DuckDBPyConnection) -> None:
    """However the rows lie in the file, and where many differ in one name alone."""
    given = CASES[name][0] if name in CASES else LOADED[name]
    give(analyst, given)
    _doubled(analyst, given)
    expected = answered(analyst, name)
    assert expected
    for seed in range(4):
        for table in given:
            _shuffled(analyst, table, seed)
        assert answered(analyst, name) == expected


def test_every_question_has_a_test_of_its_figures() -> None:
    asked = {question.name for question in contract.questions()}
    assert len(asked) >= 30
    assert asked == set(CASES) | set(LOADED)
    for name in LOADED:
        assert f'"analyst_{name}"' in Path(test_queries.__file__).read_text(encoding="utf-8")


def test_before_after_takes_its_day_and_span_as_variables(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    give(analyst, CASES["before_after"][0])
    analyst.execute(f"set variable decided_on = '{on(28)}'; set variable days = '15'")
    (row,) = [r for r in answered(analyst, "before_after") if r["topic_id"] == "all"]
    assert (row["decided_on"], row["before_count"], row["after_count"]) == (on(28), 100, 200)


def test_before_after_compares_as_many_days_where_a_decision_is_young(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    for days in range(30):
        row = {**_TONE, "day_on": on(days), "mention_count": 10}
        give(analyst, {"daily_volume": [row], "daily_tone": [{**_TONE, "day_on": on(days)}]})
    analyst.execute(f"set variable decided_on = '{on(3)}'")
    (row,) = answered(analyst, "before_after")
    assert (row["days"], row["before_count"], row["after_count"]) == (3, 30, 30)
    analyst.execute(f"set variable decided_on = '{on(-1)}'")
    assert answered(analyst, "before_after") == []


def test_days_are_those_of_the_institution_wherever_it_lies(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    made_at = datetime(2026, 11, 20, 20, 15, tzinfo=SEEN.tzinfo)  # the 21st in Nouméa
    analyst.execute("update about set time_zone = 'Pacific/Noumea', made_at = ?", [made_at])
    common = {"subject_id": "ville", "is_suppressed": False, "mention_count": 10}
    days = [date(2026, 11, 21) - timedelta(days=n) for n in range(70)]
    topics = [{**common, "day_on": day, "topic_id": "T09"} for day in days]
    shares = [{**common, "day_on": day, "network": "x", "negative_share": 0.5} for day in days]
    fates = [{**row, "edited_count": 0, "deleted_count": 0} for row in shares]
    fates = [{k: v for k, v in row.items() if k not in _NOT_OF_FATE} for row in fates]
    give(analyst, {"daily_topic": topics, "network_share": shares, "daily_fate": fates})
    give(analyst, {"daily_tone": [{**_TONE, "day_on": day} for day in days]})
    (week,) = answered(analyst, "rising_topics")
    assert (week["this_week_count"], week["last_week_count"]) == (70, 70)
    (voice,) = answered(analyst, "share_of_voice")
    assert (voice["mention_count"], voice["before_count"]) == (300, 300)
    assert answered(analyst, "where")[0]["mention_count"] == 300
    assert answered(analyst, "fate")[0]["mention_count"] == 300
    assert [row["day_on"] for row in answered(analyst, "tone_by_day")] == days[13::-1]


_NOT_OF_FATE = ("subject_id", "negative_share")


def test_messages_without_a_text_are_no_copies(analyst: duckdb.DuckDBPyConnection) -> None:
    pictures = many(30, text="", text_hash="none", is_text_expired=False, acts=["claim"])
    expired = many(2, 100, text="", text_hash="gone", is_text_expired=True, acts=["claim"])
    give(analyst, {"mention_public": pictures + expired})
    assert [row["copy_count"] for row in answered(analyst, "copies")] == [2]
    assert [row["copy_count"] for row in answered(analyst, "claims")] == [2]
    assert [row["copy_count"] for row in answered(analyst, "origins")] == [1]
    (source,) = answered(analyst, "source_bias")
    assert source["copied_share"] == 0.063


def test_a_tone_of_few_messages_is_left_out(analyst: duckdb.DuckDBPyConnection) -> None:
    few = many(9, network="x", lang="uk", sentiment="negative")
    give(analyst, {"mention_public": [*few, *many(10, 50, network="press", lang="fr")]})
    assert [row["network"] for row in answered(analyst, "tone_by_network")] == ["press"]
    assert [row["lang"] for row in answered(analyst, "how_sure")] == ["fr"]


def test_an_own_posts_quotes_are_reactions(analyst: duckdb.DuckDBPyConnection) -> None:
    give(analyst, {"mention_public": [said(1, is_own=True, quote_count=3, view_count=100)]})
    assert answered(analyst, "own_posts")[0]["rate"] == 0.03


def test_of_many_texts_no_more_are_read_than_said(analyst: duckdb.DuckDBPyConnection) -> None:
    give(analyst, {"mention_public": [said(n, text=f"la piscine {n}") for n in range(190)]})
    sql = warehouse.sql("queries/analyst_emerging_terms")
    few = sql.replace("50000 as most_texts", "100 as most_texts")
    few = few.replace("expected.new_count > expected.new_expected", "true")
    (row,) = analyst.execute(few).fetchall()
    assert row[0] == "piscine"
    assert 50 < row[1] < 140


def test_a_term_ends_at_an_apostrophe_and_is_no_function_word(
    analyst: duckdb.DuckDBPyConnection,
) -> None:
    texts = ["l'eau coupée", "d’eau toujours aucune", "L'EAU avoir est les"]
    give(analyst, {"mention_public": [said(n, text=f"{texts[n % 3]} {n}") for n in range(60)]})
    sql = warehouse.sql("queries/analyst_emerging_terms")
    every = sql.replace("expected.new_count > expected.new_expected", "true")
    assert [row[:2] for row in analyst.execute(every).fetchall()] == [("coupée", 20), ("eau", 60)]


@pytest.mark.parametrize("shares", [(0.1, 0.2, 0.3), (0.3, 0.2, 0.1)])
def test_a_mean_is_the_same_to_the_last_digit(
    shares: tuple[float, ...], analyst: duckdb.DuckDBPyConnection
) -> None:
    """However the rows lie: 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 in floats."""
    given = [{"source_name": "masto", "hour_at": ago(1), "read_share": share} for share in shares]
    give(analyst, {"coverage": given})
    assert [row["read_share"] for row in answered(analyst, "lateness")] == [0.2]
