"""Coverage in plain words: what was not heard, and what it means for the figures beside it.

Sentences come from `templates/coverage.<locale>.toml`; every figure from `pipelines/coverage.py`.
A trouble that was over before a source counted as late, and that was read since, is not told: it
changed no figure and worries nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipelines import spans
from pipelines.canaries import Planting
from pipelines.coverage import Coverage, Overlap, SourceCover
from pipelines.gaps import Gap
from pipelines.spans import Span
from pipelines.wording import Words, plain

LEAST_SHARE = 0.01  # of the total; less is told, and not at the top
MOST_SPANS = 3  # of one trouble of one source; more are told from the first to the last


def headline(found: Coverage, spoken: Words) -> str:
    """Whether all was read that should have been, in one sentence."""
    if not found.sources:
        return spoken.text("whole.none")
    well = sum(source.is_whole for source in found.sources)
    if well == len(found.sources):
        return spoken.say("whole.all", sources=spoken.count("sources", well))
    total = spoken.number(len(found.sources))
    return spoken.say("whole.some", ok=spoken.number(well), total=total)


def effect(found: Coverage, spoken: Words) -> str | None:
    """What is missing from the figures of the span; None when they are whole."""
    if found.is_whole:
        return None
    if not _has_unread(found):
        return spoken.text("figures.capped")
    missing = found.unheard_count
    if missing is None:
        return spoken.text("figures.unknown")
    if missing < 1:
        return spoken.text("figures.few")
    messages, share = spoken.count("messages", round(missing)), found.missing_share or 0.0
    if share < LEAST_SHARE:
        return spoken.say("figures.little", messages=messages)
    return spoken.say("figures.low", messages=messages, share=spoken.percent(share))


def minimum(window: Coverage, spoken: Words) -> str | None:
    """That a count over `window`, of all that was said or of a topic, is too low, and by what
    share; None where what is missing is not worth a word."""
    if not is_grave(window):
        return None
    missing = window.missing_share
    if missing is None or not _has_unread(window):
        return effect(window, spoken)
    return spoken.say("figures.minimum", share=spoken.percent(missing))


def is_grave(found: Coverage) -> bool:
    """Whether what is missing may change how the figures are read: more than a hundredth."""
    share = found.missing_share
    return not found.is_whole and (share is None or share >= LEAST_SHARE or not _has_unread(found))


def _has_unread(found: Coverage) -> bool:
    return any(source.unread for source in found.sources)


def troubles(source: SourceCover, found: Coverage, spoken: Words) -> list[str]:
    """What went wrong with one source, a sentence each; empty when nothing did."""
    said = [*_state(source, found, spoken), *_unread(source, found, spoken)]
    said += [_filled(source, gap, found, spoken) for gap in source.gaps if is_worth(gap, source)]
    if source.capped:
        where = _spans(source.capped, found, spoken)
        said.append(spoken.say("source.capped", name=_name(source), spans=where))
    return said


def is_worth(gap: Gap, source: SourceCover) -> bool:
    """Whether a gap that was filled is worth a sentence: it was open for longer than a hiccup."""
    return gap.filled_at is not None and gap.filled_at - gap.since_at > source.patience


def _state(source: SourceCover, found: Coverage, spoken: Words) -> list[str]:
    name = _name(source)
    if source.state == "never":
        return [spoken.say("source.never", name=name)]
    if source.since_at is not None and source.since_at >= found.until:
        return []  # a trouble of today, when a day of the past is told
    if source.state == "silent":
        if source.since_at is None:
            return [spoken.say("source.silent_ever", name=name)]
        return [spoken.say("source.silent", name=name, moment=spoken.moment(source.since_at))]
    if source.state == "late" and source.since_at is not None:
        since = spoken.say(
            "source.late",
            name=name,
            moment=spoken.moment(source.since_at),
            span=length(found.as_of - source.since_at, spoken),
            why=_why(source, [(source.since_at, found.until)], spoken),
            usual=_usual(source, spoken),
        )
        return [since]
    return []


def _unread(source: SourceCover, found: Coverage, spoken: Words) -> list[str]:
    """The spans that nobody has read, but for the one at the end of a source that is late."""
    if source.state == "never":
        return []
    tail = source.since_at if source.state == "late" else None
    left = [span for span in source.unread if tail is None or span[0] < tail]
    if not left:
        return []
    return [
        spoken.say(
            "source.gap",
            name=_name(source),
            spans=_spans(left, found, spoken),
            why=_why(source, left, spoken),
            usual=_usual(source, spoken) if tail is None else "",
        )
    ]


def _filled(source: SourceCover, gap: Gap, found: Coverage, spoken: Words) -> str:
    return spoken.say(
        "source.filled",
        name=_name(source),
        spans=_spans([gap.span], found, spoken),
        why=spoken.text(f"why.{gap.reason}"),
        moment=spoken.moment(gap.filled_at) if gap.filled_at else "",
    )


def _why(source: SourceCover, left: Sequence[Span], spoken: Words) -> str:
    """Why these spans were not read, where one reason explains them all."""
    reasons = {
        gap.reason
        for gap in source.gaps
        if gap.filled_by is None and any(spans.within([gap.span], span) for span in left)
    }
    return spoken.text(f"why.{reasons.pop()}") if len(reasons) == 1 else ""


def _usual(source: SourceCover, spoken: Words) -> str:
    """What is missing of a source: its usual, and what the pace of the day makes of it."""
    usual, likely = source.usual_unheard, source.unheard_count
    if usual is None or likely is None or max(usual, likely) < 0.5:
        return ""
    key = "source.usual" if _is_near(usual, likely) else "source.paced"
    counts = {"messages": spoken.count("messages", round(usual))}
    return spoken.say(key, **counts, likely=spoken.number(likely))


def _is_near(usual: float, likely: float) -> bool:
    return round(usual) == round(likely) or usual / 1.5 <= likely <= usual * 1.5


def _spans(found: Sequence[Span], whole: Coverage, spoken: Words) -> str:
    """When something was: by the clock within one day, with the day beyond."""
    if len(found) > MOST_SPANS:
        found = [(found[0][0], found[-1][1])]
    is_short = whole.until - whole.since <= timedelta(hours=25)
    said = [_span(span, spoken, is_short=is_short) for span in found]
    return spoken.listed(said)


def _span(span: Span, spoken: Words, *, is_short: bool) -> str:
    if is_short:
        return spoken.say("forms.between", start=spoken.time(span[0]), end=spoken.time(span[1]))
    return spoken.say("forms.from_to", start=spoken.moment(span[0]), end=spoken.moment(span[1]))


def length(lasted: timedelta, spoken: Words) -> str:
    """A length of time as people say it: "45 min", "3 h", "2 h 10", "3 j"."""
    minutes = round(lasted / timedelta(minutes=1))
    if minutes < 60:
        return spoken.say("forms.minutes", n=minutes)
    if minutes >= 48 * 60:
        return spoken.say("forms.days", n=spoken.number(minutes / 1440))
    if minutes % 60 == 0:
        return spoken.say("forms.hours", n=minutes // 60)
    return spoken.say("forms.hours_minutes", n=minutes // 60, m=f"{minutes % 60:02d}")


def lateness(found: Coverage, spoken: Words) -> str | None:
    """How late messages are heard, all sources together; None where none can be timed."""
    if found.late_p50 is None or found.late_p95 is None:
        return None
    return spoken.say(
        "late.line", p50=_under(found.late_p50, spoken), p95=_under(found.late_p95, spoken)
    )


def _under(minutes: float, spoken: Words) -> str:
    """The next whole minute, or half hour beyond two hours, below which a lateness lies."""
    step = 1 if minutes < 120 else 30
    return length(timedelta(minutes=step * (int(minutes // step) + 1)), spoken)


def recalls(found: Sequence[Overlap], spoken: Words) -> list[str]:
    """What the overlap of two sources says of what both missed, with its caveat; or nothing."""
    said = [
        spoken.say(
            "recall.line",
            network=network(each.network, spoken),
            first=plain(each.first),
            second=plain(each.second),
            share=spoken.percent(each.recall.share),
            band=spoken.percents(each.recall.low, each.recall.high),
        )
        for each in found
        if each.recall is not None
    ]
    return [*said, spoken.text("recall.caveat")] if said else []


def network(name: str, spoken: Words) -> str:
    """How people call a network; a site is called by its address."""
    key = f"networks.{name}"
    return spoken.text(key) if "." not in name and spoken.has(key) else plain(name)


def planted(found: Sequence[Planting], spoken: Words) -> list[str]:
    """Whether each planted post was heard, and how late."""
    return [
        spoken.say(
            f"canary.{each.state}",
            id=plain(each.canary_id),
            name=plain(each.source_name),
            moment=spoken.moment(each.planted_at),
            span=_under(each.late_minutes or 0, spoken),
        )
        for each in found
    ]


def _name(source: SourceCover) -> str:
    return plain(source.name)
