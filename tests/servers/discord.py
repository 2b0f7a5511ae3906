"""Discord's gateway as far as its greeting, by aiohttp: a WebSocket over TLS on which the server speaks first.

    python -m tests.servers.discord --listen 127.0.0.1:443 --certificate FILE --key FILE [--says TEXT]

--says gives another first message: an impostor's.
"""

from __future__ import annotations

import argparse
import ssl
import sys
from collections.abc import Sequence

from aiohttp import web

HELLO = '{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250,"_trace":["[\\"gateway\\",{\\"micros\\":0.0}]"]}}'


def application(says: str = HELLO) -> web.Application:
    async def gateway(request: web.Request) -> web.StreamResponse:
        if request.query.get("encoding") != "json":
            return web.Response(status=400)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(says)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/", gateway)
    return app


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--says", default=HELLO)
    options = parser.parse_args(arguments)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    host, _, port = options.listen.rpartition(":")
    web.run_app(application(options.says), host=host.strip("[]"), port=int(port), ssl_context=context, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
