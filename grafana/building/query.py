"""An InfluxQL query as a panel holds it; the foundation SDK has no type of its own for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from msgspec import Struct

from probe.explain import ROLES

RAW = "ringback-raw"
ROLLUP = "ringback-rollup"
ROLE_ORDER = ("call", "chat", "web", "push")  # calls first: they are what the project asks about
Format = Literal["time_series", "table"]


def source(uid: str) -> DataSourceRef:
    return DataSourceRef(type_val="influxdb", uid=uid)


class Asked(Struct, frozen=True, kw_only=True):
    """A query before it has a letter. `alias` names its series: `$tag_operator` is the value of that tag."""

    text: str
    alias: str = ""
    uid: str = ROLLUP
    format: Format = "time_series"


def by_role(of_role: Callable[[str], str], named: str) -> list[Asked]:
    """A query for each role, whose series are named by the role in words: an alias cannot translate a tag."""
    return [Asked(text=of_role(role), alias=f"{named} · {ROLES[role]}") for role in ROLE_ORDER]


class InfluxQuery(variants.Dataquery):
    """As in a panel's `targets`."""

    def __init__(self, asked: Asked, ref_id: str) -> None:
        self.asked, self.ref_id = asked, ref_id

    def to_json(self) -> dict[str, object]:
        asked = self.asked
        named = {"alias": asked.alias} if asked.alias else {}
        return {
            "refId": self.ref_id,
            "datasource": source(asked.uid),
            "query": asked.text,
            "rawQuery": True,
            "resultFormat": asked.format,
            **named,
        }


class Lettered(builder.Builder[variants.Dataquery]):
    """What the SDK's panels take."""

    def __init__(self, asked: Asked, ref_id: str) -> None:
        self._query = InfluxQuery(asked, ref_id)

    def build(self) -> variants.Dataquery:
        return self._query


def lettered(queries: tuple[Asked, ...]) -> list[builder.Builder[variants.Dataquery]]:
    """The queries with refIds A, B, C …"""
    return [Lettered(asked, chr(ord("A") + i)) for i, asked in enumerate(queries)]


def table(text: str, uid: str = ROLLUP) -> Asked:
    return Asked(text=text, uid=uid, format="table")
