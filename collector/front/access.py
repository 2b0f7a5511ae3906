"""Access: who sees everything, and who only what passes the privacy floor (design.md, 5, "Who sees what").

Everything is shown to who holds the admin token, and on this very machine to a browser that has opened the owner's
link (owner_link.py). That a request comes from this machine opens nothing by itself: other people's programs run on
it, and proxies that forward strangers. A browser runs strangers' pages, and a name of theirs may be made to mean
127.0.0.1; so the cookie counts only in a request that was addressed to this machine by its own name, that no proxy
marked, and of which the browser says that no other site began it.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from collector.front import owner_link
from collector.front.refusals import refusal
from collector.front.source import PASSED_ON, is_loopback
from probe.codecs.text import utf8
from probe.failure import UserError

log = logging.getLogger(__name__)

TOKEN_FILE = "admin.token"
TOKEN_BYTES = 32
OWN_SITE = ("none", "same-origin")  # of Sec-Fetch-Site: typed by a person, or begun by a page of ours
NOT_YOURS = "This link was used, is too old, or is another collector's; `ringback-collector link` prints another."
ELSEWHERE = "Open this link on the machine on which the collector runs, in the browser's address bar."

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?")


class OwnerAccess:
    """The owner's access to everything. `now_ms` is this machine's clock, whatever the collector's story tells."""

    def __init__(self, token: str, now_ms: Callable[[], int]) -> None:
        self._token, self._now_ms = token, now_ms
        self._since_ms = now_ms()
        self._used: set[bytes] = set()

    def is_full(self, request: web.Request) -> bool:
        return _is_own_site(request) and (self._has_token(request) or self._has_cookie(request))

    def redeem(self, text: str) -> str | None:
        """The cookie for a link that was never used; None for any other."""
        word, now_ms = owner_link.read(self._token, owner_link.LINK, text), self._now_ms()
        if word is None or word.nonce in self._used:
            return None
        if not max(self._since_ms, now_ms - owner_link.LINK_MS) <= word.made_ms <= now_ms:
            return None
        self._used.add(word.nonce)
        return owner_link.sign(self._token, owner_link.COOKIE, now_ms)

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        secret = given.strip().encode(errors="surrogateescape")  # a header may hold any bytes
        return scheme.lower() == "bearer" and hmac.compare_digest(secret, self._token.encode())

    def _has_cookie(self, request: web.Request) -> bool:
        port = own_port(request)
        text = None if port is None else request.cookies.get(owner_link.cookie_name(port))
        word = None if text is None else owner_link.read(self._token, owner_link.COOKIE, text)
        return word is not None and 0 <= self._now_ms() - word.made_ms <= owner_link.COOKIE_MS


ACCESS = web.AppKey("access", OwnerAccess)


def is_full(request: web.Request) -> bool:
    """Whether the one who asks may see everything; if not, show what passes the privacy floor."""
    return request.app[ACCESS].is_full(request)


def own_port(request: web.Request) -> int | None:
    """The port by which this machine was addressed from itself, by its own name; None for any other request."""
    if any(mark in request.headers for mark in PASSED_ON) or not is_loopback(request.remote or ""):
        return None
    if not request.raw_path.startswith("/"):  # to a proxy: the authority is not the one in `Host`
        return None
    named = _AUTHORITY.fullmatch(request.headers.get("Host", ""))
    if named is None or not (named[1].lower() == "localhost" or is_loopback(named[1].strip("[]"))):
        return None
    return int(named[2] or 80)


def _is_own_site(request: web.Request) -> bool:
    """Whether the browser says that no other site began this; programs and old browsers say nothing."""
    return request.headers.get("Sec-Fetch-Site", "none") in OWN_SITE


async def open_link(request: web.Request) -> web.Response:
    """GET /owner/…: the owner's link becomes a cookie, and leads to the page."""
    access, port = request.app[ACCESS], own_port(request)
    if port is None or not _is_own_site(request):
        return refusal(403, "not_here", ELSEWHERE)
    cookie = access.redeem(request.match_info["word"])
    if cookie is None and not access.is_full(request):
        return refusal(403, "link_used", NOT_YOURS)
    response = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
    if cookie is not None:  # else it was opened twice, by a browser that looks ahead
        response.set_cookie(owner_link.cookie_name(port), cookie, httponly=True, samesite="Strict")
    return response


def routes() -> list[web.RouteDef]:
    return [web.get(f"{owner_link.PATH}{{word}}", open_link, allow_head=False)]


def admin_token(directory: Path) -> str:
    """The token of DIRECTORY/admin.token, which is made, readable by its owner only, when it lacks.

    Raises UserError when the file is empty.
    """
    path = directory / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        warn_if_loose(path)
        token = utf8(path.read_bytes()).decode(errors="replace").strip()
        if not token:
            raise UserError(f"{path} is empty: delete it, and another token is made.") from None
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with open(descriptor, "w") as file:
        file.write(token + "\n")
    return token


def warn_if_loose(path: Path) -> None:
    """Warns of a secret that others on this machine may have read."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        log.warning("Others may read %s (mode %03o): `chmod 600` it, or delete it to get another token.", path, mode)
