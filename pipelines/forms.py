"""The fields of a form that a page of ours sends back: bounded in bytes, in fields, in time."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

BODY_SECONDS = 10.0  # for the whole body, however slowly it drips
KIND = "application/x-www-form-urlencoded"


async def read(request: Request, *, most_bytes: int, most_fields: int) -> dict[str, str] | None:
    """Each field with its last value, none for an empty body; None for what is no such form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most_bytes:
                    return None
        found = parse_qs(body.decode("utf-8"), max_num_fields=most_fields, keep_blank_values=True)
    except (TimeoutError, ClientDisconnect, ValueError):
        return None
    if body and kind != KIND:
        return None
    return {name: values[-1] for name, values in found.items()}
