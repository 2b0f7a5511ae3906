"""A writer to one InfluxDB, through influxdb-client: by the API of 1.8, 2 and 3 (`v2`), or by that of 1.x (`v1`).

Whatever goes wrong is one of three: it may pass (Unavailable), somebody must change a setting (Misconfigured), or it
is what was sent (Rejected). No token ever stands in a message.

An InfluxDB of any version answers 204 to what it has written. Every other success is somebody else's: the page of a
proxy that wants a sign-in says 200 to anything, and has written nothing.

influxdb-client takes a third of a collector's start to import, so it is imported where an InfluxDB is named.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from collector.influx.line import clean
from collector.influx.schema import Database

CONNECT_MS, ANSWER_MS = 3_000, 6_000  # no longer, since the collector's end waits for it
MOST_REASON = 300  # characters of a server's own words
WRITTEN = 204  # of 1.x, 2.x and 3.x, by either API
REJECTED = (400, 413, 422)
PASSING = (408, 425, 429)
EXPIRED = ("beyond retention policy", "outside retention", "outside of retention")
APIS = {"v1": "/write", "v2": "/api/v2/write"}


class Server(Struct, frozen=True, kw_only=True):
    """One InfluxDB. `token` is that of 2.x and 3.x, or `user:password` of 1.x; `org` is of 2.x only."""

    url: str
    api: str = "v2"
    token: str | None = None
    org: str = ""
    database: str = "ringback"

    @property
    def identity(self) -> str:
        """The identity of the database: a new one is told everything."""
        return f"{self.url} {self.org} {self.database}"

    def name(self, database: Database) -> str:
        """The name of the database, or bucket, for these points."""
        return {Database.RAW: self.database, Database.ROLLUP: f"{self.database}_rollup"}[database]


class Unavailable(Exception):
    """A failure that may pass, not before `after_s`. `slow`: it took too long, and less at a time may help."""

    def __init__(self, message: str, after_s: float = 0.0, slow: bool = False) -> None:
        super().__init__(message)
        self.after_s, self.slow = after_s, slow


class Misconfigured(Exception):
    """A failure that stays until somebody does what the message says."""


class Rejected(Exception):
    """The server does not want what was sent; the message is its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Client:
    """The connection to one InfluxDB. It blocks: use it in a thread of its own, and `close` it at the end."""

    def __init__(self, server: Server, answer_ms: int = ANSWER_MS) -> None:
        self._server = server
        from influxdb_client.client.influxdb_client import InfluxDBClient

        named = server.token is not None and server.api == "v1" and ":" in server.token
        self._client = InfluxDBClient(
            server.url,
            token=server.token or "",
            org=server.org,
            timeout=(CONNECT_MS, answer_ms),
            auth_basic=named,
        )

    def close(self) -> None:
        self._client.close()

    def write(self, database: Database, lines: Sequence[str]) -> None:
        """Writes lines, whose times are nanoseconds. Those that are older than the database keeps any are let go.

        Raises Unavailable, Misconfigured, or Rejected, and then some of them may have been written.
        """
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        name = self._server.name(database)
        try:
            status = self._post(name, "\n".join(lines).encode())
        except ApiException as error:
            reason = self._reason(error.body or error.reason)
            self._refused(name, error.status or 0, reason, _after_s(error.retry_after))
            return
        except ReadTimeoutError as error:
            raise Unavailable("InfluxDB takes too long to answer.", slow=True) from error
        except (HTTPError, OSError) as error:
            raise Unavailable(f"InfluxDB cannot be reached ({type(error).__name__}).") from error
        if status != WRITTEN:
            raise Misconfigured(
                f"{self._server.url} answers {status} to points, and an InfluxDB that has written them {WRITTEN}:"
                " something else answers there, such as a page to sign in. Check --influx."
            )

    def _post(self, name: str, body: bytes) -> int:
        """The status of the answer."""
        query = {"v1": [("db", name)], "v2": [("org", self._server.org), ("bucket", name)]}[self._server.api]
        _, status, _ = self._client.api_client.call_api(
            APIS[self._server.api],
            "POST",
            query_params=[*query, ("precision", "ns")],
            header_params={"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"},
            body=gzip.compress(body, 1),
            auth_settings=[],
        )
        return int(status)

    def _refused(self, name: str, status: int, reason: str, after_s: float) -> None:
        """Raises what an answer means, unless it is only that some points were too old."""
        if status in REJECTED and any(words in reason for words in EXPIRED):
            return
        if status in REJECTED:
            raise Rejected(status, reason)
        if status in PASSING or status >= 500:
            raise Unavailable(f"InfluxDB answers {status}: {reason}", after_s=after_s)
        raise Misconfigured(remedy(self._server, name, status, reason))

    def _reason(self, said: object) -> str:
        text = str(said or "no reason given")
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            fields = json.loads(text)
            text = str(fields.get("error") or fields.get("message") or text)
        if self._server.token:  # a server may well repeat what it did not like
            text = text.replace(self._server.token, "…")
        return clean(text, MOST_REASON)


def remedy(server: Server, name: str, status: int, reason: str) -> str:
    """The sentence that says what to do about an answer that repeating will not change."""
    if status in (401, 403):
        return (
            f"InfluxDB at {server.url} refuses the token ({status}): check that the file of --influx-token-file holds"
            f" one (for 1.x `user:password`) that may write to {name}."
        )
    if status == 404 and any(words in reason for words in ("database", "bucket")):
        return f"InfluxDB at {server.url} has no {name} ({reason}): run `ringback-collector influx setup`."
    if status == 404 and "org" in reason:
        return f"InfluxDB at {server.url} has no such organization ({reason}): check --influx-org."
    if status in (404, 405):
        other = "v1" if server.api == "v2" else "v2"
        return (
            f"{server.url} has no {APIS[server.api]} ({status}): check the address, or give --influx-api {other}"
            " (v1 for InfluxDB before 1.8)."
        )
    return f"InfluxDB at {server.url} answers {status or 'nothing'}: {reason}. Check --influx."


def _after_s(header: str | None) -> float:
    with suppress(ValueError, TypeError):
        return max(0.0, float(header or 0))
    return 0.0
