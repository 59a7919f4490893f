"""A group of commands that speaks the language of the institution: its help, and what goes wrong.

The code writes help in English, as docstrings and options; `templates/help.fr.toml` has each
text's French. Help is asked for before any option is read, so that it knows a home by VIGIE_HOME
or its usual place alone. Errors know the one that the command was given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from pipelines.console import HERE, chosen_locale
from pipelines.errors import VigieError


class Commands(TyperGroup):
    """The commands of an application: `typer.Typer(cls=Commands)`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is called, its help in the language of the home if that is asked for."""
        name, command, rest = super().resolve_command(ctx, args)
        if "--help" in rest:
            _put(command, ctx, _locale())
        return name, command, rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of the group, each of its commands in a line."""
        locale = _locale()
        for each in (self, *self.commands.values()):
            _put(each, ctx, locale)
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what it says of an error of ours is in the language of its home."""
        try:
            return super().invoke(ctx)
        except VigieError as error:
            if home := ctx.meta.get("vigie.home"):  # none where the command is a group of its own
                asked = ctx.meta.get("vigie.locale")
                error.args = (error.told(chosen_locale(home, asked)),)
            raise


def _locale() -> str:
    return chosen_locale(Path(os.environ.get("VIGIE_HOME") or HERE), None)


def _put(command: Any, ctx: Any, locale: str) -> None:
    """The texts of a command, which is made anew for every call, in a language."""
    if locale == "en":
        return
    texts = french()
    command.help = texts.get(command.help, command.help)
    command.rich_help_panel = "Commandes"
    for option in command.get_params(ctx):
        option.help = texts.get(getattr(option, "help", None), getattr(option, "help", None))


@cache
def french() -> Mapping[str | None, str]:
    """English help -> the same in French."""
    from pipelines import wording  # CLDR takes a tenth of a second, and few ask for help

    parts = wording.words("fr", UTC, name="help").texts.values()
    return {english: text for part in parts for english, text in part.items()}
