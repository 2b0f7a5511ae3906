"""Block pages that answer a plain HTTP request in the site's place."""

from __future__ import annotations

import time
from email.utils import formatdate
from random import Random

from tests.lab.filters.aim import aim, is_of, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import ACK, FIN, PSH, TCP, TTL, View, parse, reply_tcp

FORBIDDEN = "403 Forbidden"
METHODS = (b"GET ", b"HEAD ", b"POST ")
PAGE = "This site is not available in your country (simulated)."


def make_blockpage(parameters: Parameters, random: Random) -> Filter:
    """`page`: where a 302 leads to, or else the text of a 403, or of `status`. The request goes no further."""
    names, ttl = tuple(parameters["names"]), parameters.get("ttl", TTL)
    response = written(parameters.get("page", PAGE), parameters.get("status", FORBIDDEN))
    answered: set[tuple[int, bytes, int, bytes, int]] = set()

    def block(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.flow(up) in answered and up:
            return []
        if not up or not is_of(host(view), names):
            return passes(packet, up)
        answered.add(view.flow(up))
        return [Fate(reply_tcp(view, response, FIN | PSH | ACK, ttl=ttl), False)]

    return block


def host(view: View) -> str:
    """The Host of a request that begins in this packet, without its port."""
    if view.protocol != TCP or not view.payload.startswith(METHODS):
        return ""
    for line in view.payload.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"host":
            return value.strip().decode("latin-1").lower().partition(":")[0]
    return ""


def make_cached(parameters: Parameters, random: Random) -> Filter:
    """A cache answers for `addresses` with a check's empty page, `age` seconds old, and says so unless `silent`."""
    meant, age = (
        aim({"addresses": parameters["addresses"], "ports": (80,), "direction": "up"}, "tcp"),
        parameters["age"],
    )
    aged = "" if parameters.get("silent") else f"Age: {age}\r\nVia: 1.1 cache.example\r\n"

    def answer(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up) or not view.payload.startswith(METHODS):
            return passes(packet, up)
        head = f"HTTP/1.1 204 No Content\r\nDate: {formatdate(time.time() - age, usegmt=True)}\r\n{aged}"
        page = f"{head}Connection: close\r\n\r\n".encode()
        return [Fate(reply_tcp(view, page, FIN | PSH | ACK), False)]

    return answer


def written(page: str, status: str = FORBIDDEN) -> bytes:
    if page.startswith("http"):
        head, body = f"HTTP/1.1 302 Found\r\nLocation: {page}", ""
    else:
        head, body = f"HTTP/1.1 {status}\r\nContent-Type: text/plain", page
    return f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
