"""One run over hostile sources, which the tests of this package look at."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import run
from pipelines.errors import VigieError
from tests.hostile.senders import UNTIL, hostile_server, write_exports, write_home
from tests.pipelines.loopback import Asked
from tests.pipelines.postbox import listening

RUN = run.run_id(UNTIL)
DAY = UNTIL.date()


class _Lines(logging.Handler):
    """Every line that is logged, with what was raised."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line as a log file would hold it."""
        if record.name.split(".")[0] in ("pipelines", "models"):
            self.lines.append(self.format(record))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run left behind."""

    home: Path
    asked: list[Asked]
    raised: dict[str, str]
    logged: list[str]
    mails: list[EmailMessage]
    page: str
    row_count: int

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query to the warehouse."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def mail(self, start: str) -> EmailMessage:
        """The mail whose subject begins so."""
        return next(mail for mail in self.mails if str(mail["Subject"]).startswith(start))


@pytest.fixture(scope="package")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    home = tmp_path_factory.mktemp("hostile") / "home"
    lines = _Lines()
    root = logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    with hostile_server() as peer, listening() as box:
        write_home(home, url=peer.url, smtp_port=box.port)
        row_count = write_exports(home / "inbox")
        house = run.house(home, environ={})
        raised = _collected(house)
        for step in (run.accept, run.score, run.load):
            step(house, RUN)
        run.alert(house, as_of=UNTIL)
        page = run.digest(house, day=DAY, as_of=UNTIL)
        run.deliver(house, now=UNTIL)
        run.expire(house, as_of=UNTIL)
        run.published(house, as_of=UNTIL)
        run.docs(house, as_of=UNTIL)
    root.removeHandler(lines)
    root.setLevel(level)
    assert page is not None
    return Seen(
        home=home,
        asked=peer.asked,
        raised=raised,
        logged=lines.lines,
        mails=box.mails(),
        page=page.read_text(encoding="utf-8"),
        row_count=row_count,
    )


def _collected(house: run.House) -> dict[str, str]:
    """Every source collected; what each that could not be read has said."""
    raised = {}
    for name in run.plan(house, since=UNTIL - timedelta(minutes=5), until=UNTIL):
        try:
            run.collect(house, RUN, name)
        except VigieError as error:
            raised[name] = str(error)
    return raised
