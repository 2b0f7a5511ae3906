"""Refusals: what the front answers instead of what was asked for, `{"error":word,"message":sentence}`.

Whoever cannot go on raises Refused, wherever it is; `in_json` makes the answer of it, and of what fails otherwise.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from probe.failure import fault_text

log = logging.getLogger(__name__)

RETRY_AFTER_S = 60
LATER = (429, 503)  # that say when to come back
REASONS = {400: "bad_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


class Refused(Exception):
    """A refusal: HTTP status, one word for machines, a sentence for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def refusal(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """The response: `reason` is a word for machines, the message a sentence for people.

    429 and 503 say when to come back.
    """
    later = {"Retry-After": str(retry_after_s())} if status in LATER else {}
    return web.json_response({"error": reason, "message": message}, status=status, headers={**later, **(headers or {})})


def retry_after_s(chance: Callable[[], float] = random.random) -> int:
    """When to come back: not all at once, who were sent away together. `chance` gives floats in [0, 1)."""
    return round(RETRY_AFTER_S * (0.5 + chance()))


@web.middleware
async def in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as refusals. What is logged of a failure names no address."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused.status, refused.reason, str(refused))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        message = SENTENCES.get(error.status, error.text or error.reason)
        kept = {name: value for name, value in error.headers.items() if name == "Allow"}
        return refusal(error.status, REASONS.get(error.status, "refused"), message, kept)
    except ConnectionError:  # whoever asked has left
        raise
    except Exception as error:
        log.error("A request failed: %s %s\n%s", request.method, _route(request), fault_text(error))
        return refusal(500, "failed", "The collector failed at this; its operator finds the reason in the log.")


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
