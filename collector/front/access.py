"""Access: who sees everything, and who only what passes the privacy floor (design.md, 5, "Who sees what").

Everything is shown to who holds the admin token, and to this very machine where nobody else can reach the server.
A browser on this machine runs strangers' pages, and a name of theirs may be made to mean 127.0.0.1; so a request
must also have been addressed to this machine by its own name. A proxy on this machine forwards strangers too:
whoever runs one says `--trusted-proxy`, and then only the token opens; a request that a proxy marked is never local.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from aiohttp import web
from msgspec import Struct
from yarl import URL

from collector.front.source import is_loopback
from probe.codecs.text import utf8
from probe.failure import UserError

TOKEN_FILE = "admin.token"
TOKEN_BYTES = 32
PROXY_MARKS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


class OwnerAccess(Struct, frozen=True, kw_only=True):
    """The owner's access to everything. `local`: the server listens on loopback only, and no proxy stands before it."""

    token: str
    local: bool

    def is_full(self, request: web.Request) -> bool:
        return self._has_token(request) or (self.local and _comes_from_here(request))

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        secret = given.strip().encode(errors="surrogateescape")  # a header may hold any bytes
        return scheme.lower() == "bearer" and hmac.compare_digest(secret, self.token.encode())


ACCESS = web.AppKey("access", OwnerAccess)


def is_full(request: web.Request) -> bool:
    """Whether the one who asks may see everything; if not, show what passes the privacy floor."""
    return request.app[ACCESS].is_full(request)


def _comes_from_here(request: web.Request) -> bool:
    if any(mark in request.headers for mark in PROXY_MARKS):
        return False
    return is_loopback(request.remote or "") and _is_own_name(request.headers.get("Host", ""))


def _is_own_name(host_and_port: str) -> bool:
    try:
        host = URL(f"http://{host_and_port}").host or ""
    except ValueError:
        return False
    return host == "localhost" or is_loopback(host)


def admin_token(directory: Path) -> str:
    """The token of DIRECTORY/admin.token, which is made, readable by its owner only, when it lacks.

    Raises UserError when the file is empty.
    """
    path = directory / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = utf8(path.read_bytes()).decode(errors="replace").strip()
        if not token:
            raise UserError(f"{path} is empty: delete it, and another token is made.") from None
        return token
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with open(descriptor, "w") as file:
        file.write(token + "\n")
    return token
