"""`vigie board …`: the local accounts of the board. Passwords are asked for, never given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines import house
from pipelines.board import passwords, store
from pipelines.board.access import ROLES
from pipelines.commands import Commands
from pipelines.console import HERE, Home, out, table, words
from pipelines.errors import VigieError

board_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The board: who has a local account (docs/board.md).",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="By which they log in and are logged.")]


@board_app.command("add-user")
def add_user(
    name: Name,
    role: Annotated[str, typer.Option(help=f"{', '.join(ROLES)}.")],
    home: Home = HERE,
) -> None:
    """Make an account; its password is asked for twice."""
    at = _home(home)
    store.check(name, role)
    if store.account(at, name):
        raise VigieError(f"{name} has an account: `vigie board set-password` changes it")
    hashed = _asked()
    store.put_account(at, name, role, hashed, at=datetime.now(UTC))
    out.print(words(f"{name} may log in as {role}."))


@board_app.command("set-password")
def set_password(name: Name, home: Home = HERE) -> None:
    """Give an account a new password; its sessions end."""
    at = _home(home)
    found = store.account(at, name)
    if found is None:
        raise VigieError(f"no account is called {name!r}: `vigie board users` lists them")
    hashed = _asked()
    store.put_account(at, name, found.role, hashed, at=datetime.now(UTC), is_new=False)
    out.print(words(f"{name} has a new password; their sessions have ended."))


@board_app.command("remove-user")
def remove_user(name: Name, home: Home = HERE) -> None:
    """Remove an account; its sessions end."""
    store.drop_account(_home(home), name)
    out.print(words(f"{name} may no longer log in."))


@board_app.command()
def users(home: Home = HERE) -> None:
    """The local accounts."""
    found = store.accounts(_home(home))
    if not found:
        out.print("Nobody has an account yet: vigie board add-user NAME --role moderator")
        return
    rows = [(a.name, a.role, f"{a.made_at:%Y-%m-%d %H:%M}") for a in found]
    out.print(table(("name", "role", "since (UTC)"), rows))


def _home(home: Path) -> Path:
    """The home, whose settings can be read: an account of nowhere would serve nobody."""
    return house.house(home, needs_secrets=False).home


def _asked() -> str:
    """The hash of a password that is asked for twice and never shown."""
    given = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return passwords.made(str(given))
