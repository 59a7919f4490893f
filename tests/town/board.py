"""`make board`: the board over what `make demo` left, with an account for each role.

The demo's two weeks ended long ago: the pages stand at their end (`vigie serve --at-end`).
"""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime

from pipelines import cli
from pipelines.board import passwords, store
from pipelines.board.access import ROLES
from tests.town.demo import HOME, out
from tests.town.server import APP_PASSWORD


def main() -> None:
    """Make the accounts anew, say how to log in, and serve until Ctrl-C."""
    home = HOME.resolve()
    if not (home / "published" / "analyst.duckdb").exists():
        sys.exit("There is no demo yet: run `make demo` first.")
    os.environ["VIGIE_DEMO_BLUESKY"] = APP_PASSWORD
    password = secrets.token_urlsafe(12)
    kept, now = passwords.made(password), datetime.now(UTC)
    for role in ROLES:
        store.put_account(home, role, role, kept, at=now, is_new=store.account(home, role) is None)
    out.print(f"Log in as {', '.join(ROLES)}; password of this run: {password}", soft_wrap=True)
    cli.serve(home=home, port=8090, is_past=True)


if __name__ == "__main__":
    main()
