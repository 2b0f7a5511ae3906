"""The alert rules, as Grafana provisions them: queries on InfluxDB, then reductions and one condition.

They are about the measuring itself: what arrives, what the controls get, whether we keep up. Changes in a country are
not alerts but drafts for people to release. In the annotations labels are written `.Labels.x`, for the files'
`$` is Grafana's sign for variables of the environment; queries it leaves as they are.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from grafana.building.influxql import select
from grafana.building.query import RAW, ROLLUP

MINUTE, HOUR, DAY = 60, 3600, 86400
FOLDER = "Ringback"
NoData = Literal["OK", "NoData", "Alerting"]


class Query(Struct, frozen=True, kw_only=True):
    """What InfluxDB is asked about `since` to `until` seconds ago, and how each series becomes one number."""

    text: str
    since: int
    until: int = 0
    uid: str = ROLLUP
    reducer: Literal["last", "mean"] = "last"


class Alert(Struct, frozen=True, kw_only=True):
    """`condition` is Grafana's math over the queries' names. `page` and `panel` are where to look."""

    uid: str
    title: str
    summary: str
    about: str
    queries: dict[str, Query]
    condition: str
    lasting: str
    page: str
    panel: int
    no_data: NoData = "OK"
    error: NoData = "Alerting"
    severity: Literal["page", "ticket", "heartbeat"] = "ticket"


# Over the whole week, so that a network that fell silent still has a series; that nothing arrived is a zero here.
ARRIVED = select('sum("measurements")', '"coverage_1h"', (), ["country", "asn"], every="1h", fill="0")

ALERTS = (
    Alert(
        uid="ringback-volume",
        title="Volume collapse",
        summary="Hardly anything arrives any more from AS{{ .Labels.asn }} in {{ .Labels.country }}.",
        about="In the last full hours a network sent less than a fifth of its mean of the week. Its volunteers may be "
        "cut off, our collector or targets may be unreachable from there, or a release may be broken.",
        queries={
            "usual": Query(text=ARRIVED, since=7 * DAY, until=2 * HOUR, reducer="mean"),
            "now": Query(text=ARRIVED, since=7 * DAY, until=2 * HOUR),
        },
        condition="$usual >= 5 && $now < 0.2 * $usual",
        lasting="3h",
        page="ringback-coverage",
        panel=4,
    ),
    Alert(
        uid="ringback-controls",
        title="Controls failing",
        summary="Most controls get no answer from {{ .Labels.service }}/{{ .Labels.role }}.",
        about="More than half of the control-hours of a target had no positive answer, of at least two. The service is "
        "down, or our target is out of date; meanwhile failures there conclude nothing.",
        queries={
            "failed": Query(
                text=select('sum("failed")', '"control_1h"', (), ["service", "role"]), since=4 * HOUR, until=HOUR
            ),
            "n": Query(
                text=select('sum("controls")', '"control_1h"', (), ["service", "role"]), since=4 * HOUR, until=HOUR
            ),
        },
        condition="$n >= 2 && $failed > 0.5 * $n",
        lasting="30m",
        page="ringback-coverage",
        panel=7,
    ),
    Alert(
        uid="ringback-no-controls",
        title="No controls",
        summary="No control has measured anything for hours.",
        about="Without controls a service that is down can rarely be told from a block: nearly everything that fails "
        "is then judged as insufficient.",
        queries={"n": Query(text=select('sum("controls")', '"control_1h"'), since=4 * HOUR, until=HOUR)},
        condition="$n < 1",
        lasting="1h",
        page="ringback-coverage",
        panel=7,
        no_data="Alerting",
    ),
    Alert(
        uid="ringback-version",
        title="Failures follow a release",
        summary="Lines with {{ .Labels.software }} in {{ .Labels.country }} see more interference than others there.",
        about="Over a day, at least 20 judged line-hours of one release, and a share with interference that is more "
        "than 20 points above that of all releases in the country: a fault of the release until shown otherwise.",
        queries={
            name: Query(text=select(f'sum("{field}")', '"coverage_1h"', (), by), since=DAY + HOUR, until=HOUR)
            for name, field, by in (
                ("interfered", "interfered", ["country", "software"]),
                ("n", "judged", ["country", "software"]),
                ("all_interfered", "interfered", ["country"]),
                ("all", "judged", ["country"]),
            )
        },
        condition="$n >= 20 && $interfered / $n - $all_interfered / $all > 0.2",
        lasting="2h",
        page="ringback-coverage",
        panel=6,
    ),
    Alert(
        uid="ringback-lag",
        title="Projection lags",
        summary="The projector is behind the log.",
        about="More than 500 batches wait to be judged, or more than 100,000 points to be written to InfluxDB. "
        "Nothing is lost: the log is complete. What the dashboards show is old.",
        queries={
            "lag": Query(text=select('last("lag")', '"collector"'), since=15 * MINUTE, uid=RAW),
            "outbox": Query(text=select('last("outbox")', '"collector"'), since=15 * MINUTE, uid=RAW),
        },
        condition="$lag > 500 || $outbox > 100000",
        lasting="15m",
        page="ringback-collector",
        panel=3,
    ),
    Alert(
        uid="ringback-dead-letters",
        title="Points dropped",
        summary="InfluxDB refuses points.",
        about="Points were refused in the last hour and put aside with the reason. `ringback-collector influx refused`"
        " lists them, once the collector is stopped.",
        queries={"more": Query(text=select('spread("dead_letters")', '"collector"'), since=HOUR, uid=RAW)},
        condition="$more > 0",
        lasting="0s",
        page="ringback-collector",
        panel=5,
    ),
    Alert(
        uid="ringback-targets",
        title="Targets about to expire",
        summary="The targets file has not been looked after for three weeks.",
        about="Endpoints change. Targets that nobody has checked for 21 days fail by themselves before long, which "
        "would look like blocking if it were not for the controls. Check them, and publish the file again.",
        queries={"days": Query(text=select('last("targets_age_days")', '"collector"'), since=HOUR, uid=RAW)},
        condition="$days >= 21",
        lasting="1h",
        page="ringback-collector",
        panel=6,
    ),
    Alert(
        uid="ringback-networks",
        title="Table of networks is old",
        summary="What tells whose an address is was gathered three months ago.",
        about="Addresses move between operators: lines are then taken for another's. Run `ringback-collector networks"
        " update`; the collector takes the new table by itself. Where it stays old, its publisher has stopped: give"
        " `--from` another.",
        queries={"days": Query(text=select('last("networks_age_days")', '"collector"'), since=HOUR, uid=RAW)},
        condition="$days >= 90",
        lasting="1h",
        page="ringback-collector",
        panel=10,
    ),
    Alert(
        uid="ringback-dead-man",
        title="Collector silent",
        summary="The collector has written nothing for ten minutes.",
        about="The collector writes a point a minute. It is down, or cannot reach InfluxDB. Probes keep what they "
        "measure and send it later.",
        queries={"points": Query(text=select('count("accepted")', '"collector"'), since=10 * MINUTE, uid=RAW)},
        condition="$points < 1",
        lasting="5m",
        page="ringback-collector",
        panel=7,
        no_data="Alerting",
        severity="page",
    ),
    Alert(
        uid="ringback-heartbeat",
        title="Heartbeat (always firing)",
        summary="Ringback's alerts are delivered.",
        about="Fires as long as points arrive, and goes to the contact point `heartbeat`: a watchdog elsewhere that "
        "raises the alarm when it stops, for silence can mean that all is well or that alerts are not delivered.",
        queries={"points": Query(text=select('count("accepted")', '"collector"'), since=10 * MINUTE, uid=RAW)},
        condition="$points > 0",
        lasting="0s",
        page="ringback-collector",
        panel=7,
        severity="heartbeat",
    ),
)


def rules() -> dict[str, object]:
    """The whole of rules.yaml."""
    group = {
        "orgId": 1,
        "name": "ringback",
        "folder": FOLDER,
        "interval": "5m",
        "rules": [_rule(alert) for alert in ALERTS],
    }
    return {"apiVersion": 1, "groups": [group]}


def _rule(alert: Alert) -> dict[str, object]:
    return {
        "uid": alert.uid,
        "title": alert.title,
        "condition": "condition",
        "data": [
            *(_asked(name, query) for name, query in alert.queries.items()),
            *(_reduced(name, query) for name, query in alert.queries.items()),
            _expression("condition", "math", alert.condition, {}),
        ],
        "noDataState": alert.no_data,
        "execErrState": alert.error,
        "for": alert.lasting,
        "dashboardUid": alert.page,
        "panelId": alert.panel,
        "annotations": {"summary": alert.summary, "description": alert.about},
        "labels": {"severity": alert.severity},
        "isPaused": False,
    }


def _asked(name: str, query: Query) -> dict[str, object]:
    model = {
        "refId": f"{name}_series",
        "query": query.text,
        "rawQuery": True,
        "resultFormat": "time_series",
        "intervalMs": 60_000,
        "maxDataPoints": 43_200,
    }
    return {
        "refId": f"{name}_series",
        "relativeTimeRange": {"from": query.since, "to": query.until},
        "datasourceUid": query.uid,
        "model": model,
    }


def _reduced(name: str, query: Query) -> dict[str, object]:
    more: dict[str, object] = {"reducer": query.reducer, "settings": {"mode": "dropNN"}}
    return _expression(name, "reduce", f"{name}_series", more)


def _expression(name: str, kind: str, expression: str, more: dict[str, object]) -> dict[str, object]:
    model = {"refId": name, "type": kind, "expression": expression, **more}
    return {"refId": name, "datasourceUid": "__expr__", "model": model}
