"""`make board`: the board over what `make demo` left, with an account for each role.

The demo's days ended long ago: the pages stand at their end (`vigie serve --at-end`).
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from pipelines import cli, orchestrator
from pipelines.board import passwords, store
from pipelines.board.access import ROLES
from pipelines.errors import VigieError
from tests.town.demo import HOME, in_use, out
from tests.town.server import APP_PASSWORD


def main() -> None:
    """The board until Ctrl-C, on the port that PORT names (8090); nothing where it is taken."""
    home, port = HOME.resolve(), int(os.environ.get("PORT") or 8090)
    if not (home / "published" / "analyst.duckdb").exists():
        sys.exit("There is no demo yet: run `make demo` first.")
    try:  # before the accounts: a board that is open keeps its own
        orchestrator.check_port(port, how=f"`make board PORT={port + 1}`")
    except VigieError as error:
        sys.exit(str(error))
    with in_use(home):
        _serve(home, port)


def follow(home: Path, port: int) -> int:
    """Have the demo's settings, and the buttons of its mails that lay as pages, lead to this port;
    how many mails have them."""
    settings, address = home / "vigie.toml", f"http://127.0.0.1:{port}"
    before = tomllib.loads(settings.read_text(encoding="utf-8"))["web"]["url"]
    old = re.compile(re.escape(before) + r"(?!\d)")
    mails = sorted((home / "mails").glob("*.html"))
    for path in (settings, *mails) if before != address else ():
        path.write_text(old.sub(address, path.read_text(encoding="utf-8")), encoding="utf-8")
    return sum(f"{address}/alerts/" in path.read_text(encoding="utf-8") for path in mails)


def _serve(home: Path, port: int) -> None:
    """Make the accounts anew, and open the board."""
    count = follow(home, port)
    os.environ["VIGIE_DEMO_BLUESKY"] = APP_PASSWORD
    password = secrets.token_urlsafe(12)
    kept, now = passwords.made(password), datetime.now(UTC)
    for role in ROLES:
        store.put_account(home, role, role, kept, at=now, is_new=store.account(home, role) is None)
    out.print(f"Log in as {', '.join(ROLES)}; password of this run: {password}", soft_wrap=True)
    out.print(f"The buttons of {count} mails of {home / 'mails'} lead here.", soft_wrap=True)
    cli.serve(home=home, port=port, is_past=True)


if __name__ == "__main__":
    main()
