"""Calls methods of the YouTube Data API v3 with a key, within its two daily quotas.

`search.list` has a bucket of 100 calls a day, all other methods share 10,000 units, and each page
of each method read here costs one (developers.google.com/youtube/v3/determine_quota_cost, read
2026-11-20). Both come back at midnight in California. What this block has spent today stands in
its cursor; a bucket that is spent, by our count or by Google's word, raises `Spent` with the
moment of the reset, and no call is made before it.

Known gaps: requests that the client repeats after a fault are not counted, and neither is what
other programs spend of the same key; Google's own refusal then ends the day.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.http import Client
from pipelines.limits import Daily, Limit
from pipelines.sources import _values as values

log = logging.getLogger(__name__)

PACIFIC = ZoneInfo("America/Los_Angeles")
SEARCHES, UNITS = "searches", "units"
_DAY = Daily(PACIFIC.key)
LIMITS = (
    Limit(name=SEARCHES, most=100, per=_DAY, costs=((r"/v3/search$", 1),), of="account"),
    Limit(
        name=UNITS,
        most=10_000,
        per=_DAY,
        costs=((r"/v3/search$", 0), (r"/v3/", 1)),
        of="account",
    ),
)
_DAILY = frozenset({"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"})
_HASTY = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_CLOSED = frozenset({"commentsDisabled"})
_MISSING = frozenset({
    "videoNotFound", "channelNotFound", "commentThreadNotFound", "commentNotFound",
    "playlistNotFound", "playlistItemsNotAccessible",
    "forbidden",  # this video or channel, not the key
})  # fmt: skip
_KEY_REFUSED = frozenset({
    "keyInvalid", "keyExpired", "API_KEY_INVALID", "API_KEY_EXPIRED", "accessNotConfigured",
    "SERVICE_DISABLED", "API_KEY_SERVICE_BLOCKED", "ipRefererBlocked",
    "API_KEY_IP_ADDRESS_BLOCKED", "authError", "required", "CREDENTIALS_MISSING",
    "CONSUMER_SUSPENDED",
})  # fmt: skip
_TRIES = 3
_HASTY_SECONDS = 20.0


class Spent(RateLimited):
    """A bucket of the day is spent: `bucket`, and as every RateLimited the time of the reset."""

    def __init__(self, bucket: str, retry_at: datetime) -> None:
        self.bucket = bucket
        super().__init__(
            f"the {bucket} of this day of the YouTube key are spent; they come back at "
            f"{retry_at:%Y-%m-%d %H:%MZ} (midnight in California)",
            retry_at,
        )


class CommentsClosed(SourceError):
    """A video whose comments are turned off: common, and no fault."""


class NotThere(SourceError):
    """A video, channel or comment that YouTube no longer has, or never showed to everyone."""


@dataclass(slots=True, kw_only=True)
class Quota:
    """What has been spent of each bucket on a day in California; changes in place."""

    limits: Mapping[str, int]
    on: date
    spent: dict[str, int] = field(default_factory=dict)

    def left(self, bucket: str, *, now: datetime) -> int:
        """The units left of a bucket on the day of `now`."""
        today = now.astimezone(PACIFIC).date()
        if today > self.on:
            self.on, self.spent = today, {}
        return self.limits[bucket] - self.spent.get(bucket, 0)

    def take(self, bucket: str, *, now: datetime) -> None:
        """Count one unit; Spent when there is none left."""
        if self.left(bucket, now=now) < 1:
            raise Spent(bucket, reset_after(now))
        self.spent[bucket] = self.spent.get(bucket, 0) + 1

    def close(self, bucket: str) -> None:
        """Google says that a bucket is spent, whatever we have counted."""
        self.spent[bucket] = self.limits[bucket]

    def as_json(self) -> dict[str, Any]:
        """For the cursor."""
        return {"on": self.on.isoformat(), "spent": dict(self.spent)}


def quota(told: Any, *, limits: Mapping[str, int], now: datetime) -> Quota:
    """The quota as a cursor tells it; a whole one where it tells none."""
    found = values.mapping(told)
    at = values.time(found.get("on"))
    spent = {
        bucket: used
        for bucket, text in values.mapping(found.get("spent")).items()
        if bucket in limits and (used := values.count(text)) is not None
    }
    today = now.astimezone(PACIFIC).date()
    if at is None:
        return Quota(limits=limits, on=today)
    return Quota(limits=limits, on=min(at.date(), today), spent=spent)


def reset_after(now: datetime) -> datetime:
    """The next midnight in California after `now`, as aware UTC."""
    tomorrow = now.astimezone(PACIFIC).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, datetime.min.time(), PACIFIC)
    return midnight.astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API at `host`, asked with the key that the variable `key_env` holds."""

    client: Client
    host: str
    key: str
    key_env: str
    quota: Quota

    def ask(self, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The answer of `search`, `videos`, `commentThreads`…; touches the network, may sleep.

        Spent, CommentsClosed and NotThere as they say; RateLimited when calls came too fast to the
        end; SourceError for the rest, with what to do.
        """
        bucket = SEARCHES if method == "search" else UNITS
        for _ in range(_TRIES):
            self.quota.take(bucket, now=self.client.now())
            try:
                return self._answer(method, params)
            except StatusRefused as error:
                self._judge(error, bucket)
            except RateLimited as error:
                if (spent := self._spent(error, bucket)) is not None:
                    raise spent from error
                raise
            self.client.hold(self.host, seconds=_HASTY_SECONDS)
        retry_at = self.client.now() + timedelta(minutes=5)
        raise RateLimited(f"{self.host} is asked too fast for this key", retry_at)

    def _answer(self, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        # In a header, so that the key stands in no address and in no log of a proxy.
        headers = {"x-goog-api-key": self.key}
        url = f"{self.host}/youtube/v3/{method}"
        found = self.client.get(url, params=dict(params), headers=headers).json()
        if not isinstance(found, dict) or not isinstance(found.get("items", []), list):
            raise SourceError(f"{url} answered without items: check that `host` is YouTube's")
        return found

    def _judge(self, error: StatusRefused, bucket: str) -> None:
        """Raise what a refusal means; return where it only asks for a slower pace."""
        reasons, message = _reasons(error.content)
        if reasons & _DAILY or (reasons & _HASTY and "per day" in message):
            self.quota.close(bucket)
            raise Spent(bucket, reset_after(self.client.now())) from error
        if reasons & _CLOSED:
            raise CommentsClosed("comments are turned off") from error
        if reasons & _MISSING or error.status == 404:
            raise NotThere("YouTube has no such video, channel or comment") from error
        if reasons & _HASTY:
            return
        if reasons & _KEY_REFUSED or error.status in {401, 403}:
            raise StatusRefused(
                f"{self.host} refuses the key in {self.key_env} ({_shown(reasons)}): in the Google "
                "Cloud console see that it exists, that YouTube Data API v3 is enabled for its "
                "project and allowed to the key, and that this machine's address may use it",
                status=error.status,
                content=error.content,
            ) from error
        raise StatusRefused(
            f"{self.host} answered with status {error.status} ({_shown(reasons)}): the next run "
            "tries again",
            status=error.status,
            content=error.content,
        ) from error

    def _spent(self, error: RateLimited, bucket: str) -> Spent | None:
        """The bucket that a 429 says is spent, where it speaks of a day; None for a mere haste.

        A wait that no answer asked for is that of a budget of ours, which counts buckets apart.
        """
        cause = error.__cause__
        if cause is None:
            return Spent(bucket, error.retry_at)
        _, message = _reasons(cause.content) if isinstance(cause, StatusRefused) else (set(), "")
        if "per day" not in message:
            return None
        self.quota.close(bucket)
        return Spent(bucket, reset_after(self.client.now()))


def _reasons(content: bytes) -> tuple[set[str], str]:
    """The reasons that an error of Google's gives, and its message in lower case."""
    try:
        told = values.mapping(values.mapping(json.loads(content)).get("error"))
    except (ValueError, RecursionError):
        return set(), ""
    listed = [*values.items(told.get("errors")), *values.items(told.get("details"))]
    reasons = (values.string(values.mapping(each).get("reason")) for each in listed)
    message = (values.string(told.get("message")) or "").lower()
    found = {reason for reason in reasons if reason}
    if "api key expired" in message:
        found.add("API_KEY_EXPIRED")
    return found, message


def _shown(reasons: set[str]) -> str:
    words = sorted(reason for reason in reasons if reason.isascii() and len(reason) < 60)
    return ", ".join(words[:3]) or "no reason given"
