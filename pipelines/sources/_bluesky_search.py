"""Searches Bluesky for each watched name, hashtag and handle, newest first (searchPosts)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.errors import SourceError
from pipelines.notes import why
from pipelines.sources import Payload, Request, Terms, _bluesky_posts as posts, _xrpc as xrpc
from pipelines.sources._bluesky_options import Options
from pipelines.sources._bluesky_run import Run, is_new, is_read, rows, tell_gap

_PAGE = 100  # posts a page, the most that the lexicon allows


def queries(terms: Terms) -> tuple[str, ...]:
    """What to search for: exact names, hashtags, and those handles that are Bluesky's.

    A handle goes without @: with it, a host was seen to answer with everything (2025-07).
    """
    names = (_phrase(name) for name in terms.names)
    tags = (f"#{tag.lstrip('#')}" for tag in terms.hashtags)
    handles = (handle.lstrip("@") for handle in terms.handles)
    found = (*names, *tags, *(h for h in handles if "." in h and "@" not in h))
    return tuple({query.casefold(): query for query in found if query.strip('#" ')}.values())


def _phrase(name: str) -> str:
    words = " ".join(name.replace('"', " ").split())
    return f'"{words}"' if not words.isalnum() else words


def _caller(request: Request) -> xrpc.Ask:
    options: Options = request.options
    if options.anonymous or not options.password_env:
        return xrpc.without_session(request.client, options.host)
    password = request.secrets.get(options.password_env, "")
    if not password:
        raise SourceError(
            f"the variable {options.password_env} is empty: put the app password of "
            f'{options.handle} in it, or set mode = "jetstream" for {request.name}'
        )
    account = xrpc.Account(
        host=options.host,
        handle=options.handle,
        password=password,
        password_env=options.password_env,
        path=xrpc.session_path(request.home, host=options.host, handle=options.handle),
    )
    return xrpc.with_session(request.client, account)


def searched(run: Run) -> Iterator[Payload]:
    """The posts of the windows that are missing; what cannot be had either is told as a gap.

    An error passes through where the search is all there is: without a stream, and in the first
    run, so that it is tried again.
    """
    is_all = run.position is None or not (run.request.cursor or {}).get("stream")
    windows = tuple(run.missing)
    try:
        yield from _over(run)
    except SourceError as error:
        if is_all:
            raise
        run.notes.append(why(error))
        tell_gap(run, windows)


def _over(run: Run) -> Iterator[Payload]:
    """The posts of every query over the windows that are missing, each version once."""
    since = min(start for start, _ in run.missing)
    until = max(end for _, end in run.missing)
    ask = _caller(run.request)
    asked = run.options.queries or queries(run.request.terms)
    if not asked:
        run.notes.append("nothing to search for: give the subjects names, hashtags or handles")
    cut = since
    for query in asked:
        reached = yield from _pages(run, ask, query, since, until)
        run.is_capped = run.is_capped or reached is not None
        cut = max(cut, reached or since)
    run.gap = (since, cut) if cut > since else None


def _pages(
    run: Run, ask: xrpc.Ask, query: str, since: datetime, until: datetime
) -> Generator[Payload, None, datetime | None]:
    """The posts of one query, newest first; then None, or the moment before which none was read.

    A post counts by the time at which the network saw it, since its own date is its author's
    word; pages come in the order of the earlier of the two.
    """
    options: Options = run.options
    floor = since - timedelta(minutes=options.overlap_minutes)
    params: dict[str, Any] = {"q": query, "sort": "latest", "limit": _PAGE}
    params |= {"since": _stamp(floor), "until": _stamp(until)}
    reached, cursor = until, ""
    for number in range(options.max_pages):
        try:
            page = ask("app.bsky.feed.searchPosts", params | _if_any(cursor))
        except xrpc.XrpcError as error:
            if number == 0 or not _is_cursor_refused(error, options):
                raise
            run.notes.append(f"{options.host} does not page without a session")
            return reached
        views = rows(page, "posts", options.host)
        yield from _kept(run, views, floor, until)
        seen = [at for view in views if (at := posts.indexed_at(view))]
        reached = min([reached, *seen])
        previous, cursor = cursor, _next(page)
        if reached < floor or cursor in ("", previous):
            return None
    run.notes.append(f"a search was cut after {options.max_pages} pages: raise max_pages")
    return reached


def _next(page: Mapping[str, Any]) -> str:
    cursor = page.get("cursor")
    return cursor if isinstance(cursor, str) else ""


def _if_any(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _is_cursor_refused(error: xrpc.XrpcError, options: Options) -> bool:
    """Whether a host that answered the first page refuses the next for want of a session."""
    return options.anonymous and error.status in {400, 401, 403}


def _kept(run: Run, views: Iterable[Any], floor: datetime, until: datetime) -> Iterator[Payload]:
    """The posts of a page that lie in the window; one that cannot be read is kept, to be told."""
    for view in views:
        found = view if isinstance(view, dict) else {}
        indexed_at = posts.indexed_at(found)
        is_inside = indexed_at is None or floor <= indexed_at < until
        is_wanted = is_inside and is_read(run, found.get("record"))
        if is_wanted and is_new(run, str(found.get("uri", view)), found.get("cid")):
            yield Payload(kind="post", data=view)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
