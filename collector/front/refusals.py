"""Refusals: what the front answers instead of what was asked for, `{"error":word,"message":sentence}`."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

RETRY_AFTER_S = 60


def refusal(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """The response: `reason` is a word for machines, the message a sentence for people. 503 says when to come back."""
    later = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    return web.json_response({"error": reason, "message": message}, status=status, headers={**later, **(headers or {})})
