"""Routes of the page: work that takes plain values and gives plain ones, in a thread of its own.

What goes wrong becomes JSON with the sentence that the page shows: {"error": ...}.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import DataError, explain

Content = dict[str, Any]
KEEP = "private, max-age=31536000, immutable"  # what has a digest in its address never changes


class ClashError(DataError):
    """What the page wants rests on something that is not so any more."""


class BusyError(DataError):
    """It can't be done at this moment, but soon."""


class MissingError(DataError):
    """There is no such thing."""


_STATUS = ((ClashError, 409), (BusyError, 503), (MissingError, 404), (DataError, 422))


def give(path: str, work: Callable[[dict[str, str]], Content | Response]) -> Route:
    """Return a route that answers GET with what `work` makes of the address's parts and query."""

    async def endpoint(request: Request) -> Response:
        asked = {**request.query_params, **request.path_params}
        return await _answer(lambda: work(asked))

    return Route(path, endpoint, methods=["GET"])


def take(path: str, work: Callable[[Content], Content]) -> Route:
    """Return a route that answers POST with what `work` makes of the JSON object that is sent."""

    async def endpoint(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            return _tell("Only JSON is taken here.", 415)
        try:
            sent = json.loads(await request.body())
        except (ValueError, RecursionError):
            return _tell("That is no JSON.", 400)
        except ClientDisconnect:
            return _tell("That is more than this page ever sends.", 413)
        if not isinstance(sent, dict):
            return _tell("That is no JSON object.", 400)
        return await _answer(lambda: work(sent))

    return Route(path, endpoint, methods=["POST"])


async def _answer(work: Callable[[], Content | Response]) -> Response:
    try:
        made = await run_in_threadpool(work)
    except DataError as error:
        status = next(number for kind, number in _STATUS if isinstance(error, kind))
        return _tell(str(error), status)
    except (OSError, MemoryError) as error:
        return _tell(explain(error), 507)
    return made if isinstance(made, Response) else _json(made, 200)


def _tell(text: str, status: int) -> Response:
    return _json({"error": text}, status)


def _json(content: Content, status: int) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Half of a character, as a file's name may have it, is no UTF-8.
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")
