"""influxd 1.6.7 of Debian: a real InfluxDB from a directory of its own, never the system's service."""

from __future__ import annotations

import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.components import program
from tests.servers.process import free_port, running

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"

[meta]
  dir = "{directory}/meta"
  logging-enabled = false

[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false
  index-version = "inmem"

[coordinator]
  write-timeout = "30s"

[monitor]
  store-enabled = false

[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
  log-enabled = false
  max-row-limit = 0

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[logging]
  level = "warn"
"""


class Refused(Exception):
    """The server's answer to a query is an error; the message has its reason."""


@dataclass(frozen=True)
class Series:
    """One series of an answer; the rows are in the order of `columns`."""

    name: str
    tags: dict[str, str]
    columns: list[str]
    values: list[list[Any]]

    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]


@dataclass(frozen=True)
class Influxd:
    """`user` is the administrator's name and password, where there is one; `pid` the process, once it runs."""

    port: int
    user: tuple[str, str] | None = None
    pid: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def query(self, statement: str, database: str = "") -> list[Series]:
        """Runs InfluxQL; times come in nanoseconds. Raises Refused."""
        data = urllib.parse.urlencode({"q": statement, "db": database, "epoch": "ns"}).encode()
        with self._post("/query", data) as answer:
            results = json.load(answer)["results"]
        for result in results:
            if "error" in result:
                raise Refused(result["error"])
        return [
            Series(one.get("name", ""), one.get("tags", {}), one["columns"], one.get("values", []))
            for result in results
            for one in result.get("series", ())
        ]

    def rows(self, statement: str, database: str) -> list[dict[str, Any]]:
        """All rows of an answer; each also has the tags of its series."""
        return [row | one.tags for one in self.query(statement, database) for row in one.rows()]

    def create(self, database: str) -> None:
        self.query(f'CREATE DATABASE "{database}"')

    def drop(self, database: str) -> None:
        self.query(f'DROP DATABASE "{database}"')

    def write(self, database: str, lines: str) -> None:
        """Writes lines whose times are nanoseconds, without the product's own code. Raises urllib's HTTPError."""
        self._post(f"/write?{urllib.parse.urlencode({'db': database, 'precision': 'ns'})}", lines.encode()).close()

    def _post(self, path: str, data: bytes) -> Any:
        name = base64.b64encode(":".join(self.user or ()).encode()).decode()
        headers = {"Authorization": f"Basic {name}"} if self.user else {}
        return urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", data, headers), timeout=60)


@contextmanager
def influxd(directory: Path, user: tuple[str, str] | None = None) -> Iterator[Influxd]:
    """With `user`, nobody is served without that administrator's name and password."""
    server = Influxd(free_port(), user)
    path = directory / "influxd.conf"
    path.write_text(
        CONFIG.format(directory=directory, port=server.port, backup_port=free_port(), auth="true" if user else "false")
    )
    with running([program("influxdb"), "-config", str(path)], directory, [f"http:127.0.0.1:{server.port}"]) as process:
        if user:  # the first may be made by anybody
            Influxd(server.port).query(f"CREATE USER \"{user[0]}\" WITH PASSWORD '{user[1]}' WITH ALL PRIVILEGES")
        yield replace(server, pid=process.pid)
