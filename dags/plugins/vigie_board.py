"""The board inside Airflow's web server, under /vigie, with an entry in its menu.

Airflow reads this file when `AIRFLOW__CORE__PLUGINS_FOLDER` names its folder, as `vigie up` does.
The board keeps its own log-in: Airflow's accounts are for operators, who read no messages. Every
process of Airflow loads plugins, so that the board is built at its first request; where it cannot
be, the answer says to look at the log, and the next request tries again.

Browsers reach it where they reach Airflow (`[api] base_url`), whatever `[web] url` is. Airflow logs
the query of each request, in which a search stands: the board's are taken out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

PREFIX = "/vigie"


class Late:
    """The board of the home that this Airflow serves, built when it is first asked for."""

    def __init__(self) -> None:
        self._board: Any = None
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request as the board does; 503 where there is none."""
        from starlette.responses import PlainTextResponse

        async with self._turn:
            if self._board is None:
                self._board = await asyncio.to_thread(_built)
        text = "Vigie: the board cannot be built, Airflow's api-server log says why.\n"
        answer = self._board or PlainTextResponse(text, status_code=503)
        asked = dict(scope)
        scope["query_string"] = b""
        await answer(asked, receive, send)


def _built() -> Any | None:
    from dags.institution import home
    from pipelines import house
    from pipelines.board import web
    from pipelines.errors import VigieError

    try:
        found = house.house(home(), needs_secrets=False)
        url = os.environ.get("AIRFLOW__API__BASE_URL", found.settings.web.url).rstrip("/")
        there = found.settings.web.model_copy(update={"url": url})
        settings = found.settings.model_copy(update={"web": there})
        return web.build(settings, found.secrets, os.environ, now=lambda: datetime.now(UTC))
    except VigieError as error:
        log.warning("board.left_out why=%s", error)
        return None


class VigieBoard(AirflowPlugin):
    """The board as Airflow lists it: an application, and a link in the menu."""

    name = "vigie_board"
    fastapi_apps: ClassVar[list[Any]] = [{"app": Late(), "url_prefix": PREFIX, "name": "Vigie"}]
    external_views: ClassVar[list[Any]] = [
        {"name": "Vigie", "href": f"{PREFIX}/", "destination": "nav", "category": "browse"}
    ]
