"""What a backtest over stored mentions prints, in the words of a locale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipelines import alert_letter, backtest_mentions, rules, warehouse
from pipelines.backtest_compare import Compared, Worth
from pipelines.backtest_mentions import Opening, Replayed
from pipelines.settings import Settings
from pipelines.wording import Words, plain, safe_link

_A_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One rule set with what it made and, where there are marks, what that was worth."""

    name: str  # a key of `told`: present or tried
    texts: Mapping[str, str]
    replayed: Replayed
    worth: Worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A backtest: the present rules, those that were tried (None for none), and how they differ.

    `marks` is where marks come from: 'marked' a file, 'judged' the warehouse, None nowhere.
    """

    present: Trial
    tried: Trial | None
    compared: Compared | None
    step: timedelta
    marks: str | None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The rule sets, the present one first."""
        return (self.present, self.tried) if self.tried else (self.present,)


def lines(told: Told, spoken: Words) -> Iterator[str]:
    """The figures, sentence by sentence."""
    found = told.present.replayed
    yield spoken.say(
        "told.span",
        since=spoken.moment(found.since),
        until=spoken.moment(found.until),
        days=spoken.decimal(found.days),
        step=round(told.step / _A_MINUTE),
        asked=spoken.number(found.asked),
        steps=spoken.number(found.steps),
    )
    for trial in told.trials:
        yield from _trial(trial, told.marks, spoken)
    if told.compared is not None:
        yield spoken.say(
            "told.compared",
            gained=len(told.compared.gained),
            lost=len(told.compared.lost),
            same=len(told.compared.same),
        )


def _trial(trial: Trial, marks: str | None, spoken: Words) -> Iterator[str]:
    name, found, worth = spoken.text(f"told.{trial.name}"), trial.replayed, trial.worth
    critical = sum(each.severity == "critical" for each in found.openings)
    yield spoken.say(
        "told.set",
        set=name,
        openings=len(found.openings),
        critical=critical,
        mails=len(found.mails),
    )
    rate, low, high = (thousandths(each, spoken) for each in worth.rate)
    key = "told.false" if marks else "told.opened"
    yield spoken.say(key, set=name, rate=rate, low=low, high=high)
    if marks:
        yield from _worth(name, worth, marks, spoken)


def _worth(name: str, worth: Worth, marks: str, spoken: Words) -> Iterator[str]:
    yield spoken.say(
        f"told.{marks}",
        set=name,
        precision=_share(worth.precision, spoken),
        recall=_share(worth.recall, spoken),
        unknown=worth.unknown_count,
        told=worth.told,
        marked=worth.marked,
    )
    median, late = worth.delay(0.5), worth.delay(0.9)
    if median is not None and late is not None:
        minutes = {"median": round(median / _A_MINUTE), "late": round(late / _A_MINUTE)}
        yield spoken.say("told.delay", set=name, **minutes)


def _share(share: float | None, spoken: Words) -> str:
    return "–" if share is None else spoken.percent(share)


def thousandths(rate: float, spoken: Words) -> str:
    """A rate with three decimals."""
    return f"{rate:.3f}".replace(".", "," if spoken.locale == "fr" else ".")


def mails(trial: Trial, settings: Settings, spoken: Words) -> list[tuple[str, ...]]:
    """Who would have got how many messages of which kind."""
    names = {r.email: r.name for r in settings.recipients}
    return [
        (plain(names.get(who, who)), _kind(kind, spoken), str(count))
        for (who, kind), count in backtest_mentions.by_reader(trial.replayed.mails).items()
    ]


def _kind(kind: str, spoken: Words) -> str:
    return spoken.text(f"kind.{kind}") if spoken.has(f"kind.{kind}") else plain(kind)


def row(opening: Opening, trial: Trial, settings: Settings, spoken: Words) -> tuple[str, ...]:
    """An opening as a line of a table."""
    ended = spoken.moment(opening.ended_at) if opening.ended_at else spoken.text("told.open")
    return (
        spoken.moment(opening.fired_at),
        about(opening, settings, spoken),
        label(opening.rule_id, trial.texts, spoken.locale),
        spoken.text(f"severity.{opening.severity}"),
        ended,
        str(opening.mail_count),
    )


def about(opening: Opening, settings: Settings, spoken: Words) -> str:
    """What an opening is about, as people call it."""
    return alert_letter.about(opening.subject_id, opening.scope, settings, spoken)


def label(rule_id: str, texts: Mapping[str, str], locale: str) -> str:
    """How people call a rule of a set."""
    with warehouse.trying(texts):
        return plain(rules.read(rule_id).say("Label", locale))


def links(openings: Sequence[Opening]) -> Iterator[str]:
    """The permalinks of messages that may be followed."""
    for opening in openings:
        for message in opening.messages:
            if link := safe_link(message.url):
                yield link
