"""The settings check: what `vigie doctor` finds, without a secret, and what is set.

An examination takes some seconds and asks every source and the mail server, so that it is made by
a button, one at a time, in a process of its own (which may open the warehouse while we hold it
another way), and its findings are kept for everybody until the next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

from pipelines import doctor
from pipelines.board.visit import Answer, Stopped, Visit
from pipelines.doctor import Check
from pipelines.said import Said
from pipelines.wording import plain, typeset

log = logging.getLogger(__name__)

AGAIN = timedelta(seconds=30)  # before the next examination
_ORDER = {"error": 0, "warning": 1, "ok": 2}


def settings_page(visit: Visit) -> Answer:
    """What is set, and what the last examination found."""
    settings, found = visit.settings, visit.desk.findings
    checks = sorted(found.checks, key=lambda check: _ORDER[check.status])
    values: dict[str, Any] = {
        "checks": [_shown(check, visit.w.locale) for check in checks],
        "made_at": found.made_at,
        "sources": [(b.name, b.kind, b.every_minutes, b.live) for b in settings.sources],
        "subjects": [(plain(s.label), plain(s.purpose)) for s in settings.subjects],
    }
    return Answer(template="settings", values=values)


def _shown(check: Check, locale: str) -> Check:
    """A finding in a language, without the signs that a stranger's server may have put in it."""
    told = check.told(locale)
    name, what, remedy = (
        Said(typeset(plain(text), locale)) for text in (told.name, told.what, told.remedy)
    )
    return replace(told, name=name, what=what, remedy=remedy)


def examine(visit: Visit) -> Answer:
    """Examine the installation now; Stopped("busy") while somebody else's is under way,
    Stopped("killed") where its process came to no end. What was found before is kept then."""
    found, now = visit.desk.findings, visit.desk.now()  # of the machine, whatever pages tell of
    if not found.turn.acquire(blocking=False):
        raise Stopped("busy")
    try:
        if found.made_at is None or now - found.made_at >= AGAIN:
            found.checks, found.made_at = _examined(visit, now), now
    finally:
        found.turn.release()
    return Answer(to="/settings")


def _examined(visit: Visit, now: datetime) -> Sequence[Check]:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as beside:
        work = beside.submit(
            doctor.examine,
            visit.settings.home,
            environ=dict(visit.desk.environ),
            now=now,
        )
        try:
            return work.result()
        except BrokenProcessPool as error:
            log.error("board.examination_killed")  # most often by the system, for want of memory
            raise Stopped("killed") from error
