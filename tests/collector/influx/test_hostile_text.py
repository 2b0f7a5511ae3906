"""No text breaks a line or makes a series of its own: the judge is a real InfluxDB."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.influx.line import MOST_TAG, MOST_TEXT, clean, line
from collector.influx.schema import EVENT
from collector.warehouse.outbox import Kind
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow
from tests.collector.influx.sink import points_of
from tests.collector.log.memory_log import MemoryLog
from tests.collector.rows import content, fill, verdict_row
from tests.servers.influxd import Influxd

pytestmark = pytest.mark.needs("influxdb")

NASTY = st.text(alphabet=st.one_of(st.sampled_from(list(",= \\\"'\n\r\t#\0\u2028📞é")), st.characters()), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(texts=[",", "=", " ", "\\", '"', "\n", "a\\", "#", "x" * 10_000, "📞" * 10_000, "', DROP", "\ud800"])
@given(texts=st.lists(NASTY, min_size=5, max_size=25))
def test_what_is_written_comes_back(influxd_server: Influxd, texts: list[str]) -> None:
    """As a tag and as a field, in one batch: as many points as lines, and each text as it was cleaned."""
    database = f"test_{uuid.uuid4().hex}"
    influxd_server.create(database)
    try:
        points = [line(EVENT, {"operator": text}, {"title": text}, 1_000 + i) for i, text in enumerate(texts)]
        influxd_server.write(database, "\n".join(points))
        rows = influxd_server.rows('SELECT * FROM "event"', database)
        keys = influxd_server.rows("SHOW FIELD KEYS", database), influxd_server.rows("SHOW TAG KEYS", database)
    finally:
        influxd_server.drop(database)
    assert [row["title"] for row in rows] == [clean(text, MOST_TEXT) for text in texts]
    operators = [row.get("operator") or "" for row in rows]
    assert operators == [clean(text, MOST_TAG).replace("\\", "/") for text in texts]
    assert [row["fieldKey"] for row in keys[0]] == ["title"]
    assert {row["tagKey"] for row in keys[1]} <= {"operator"}


ODD = [",", "= ", "\\", '"', "a\nb", "#", "'; DROP", "📞" * 5_000, "x" * 10_000, "\u202e", " ", "\0"]


def test_whatever_strangers_say_makes_no_tags(influxd_server: Influxd, influx_database: str) -> None:
    """Hundreds of made-up targets, releases, accesses and networks: no more series than there are words for."""
    rows = [
        verdict_row(
            uid=f"{n}", target=f"app{n}/role{n}", software=f"ringback {n + 1}.0", access=f"radio{n}", asn=n % 40
        )
        for n in range(200)
    ]
    odd = [
        verdict_row(
            uid=f"odd{n}", operator=text, country=text, software=text, access=text, reason=text, rule=text, asn=0
        )
        for n, text in enumerate(ODD)
    ]
    lines = points(*rows, *odd)
    influxd_server.write(influx_database, "\n".join(lines))
    seen = {
        tag: {row["value"] for row in influxd_server.rows(f'SHOW TAG VALUES WITH KEY = "{tag}"', influx_database)}
        for tag in ("service", "role", "software", "access", "country", "asn", "step")
    }
    assert seen == {
        "service": {"whatsapp", "other"},
        "role": {"chat", "other"},
        "software": {"other"},
        "step": set(),
        "access": {"unknown"},
        "country": {"MA", "ZZ"},
        "asn": {str(n) for n in range(11)},
    }
    counted = [row["count"] for row in influxd_server.rows('SELECT count("uid") FROM "verdict"', influx_database)]
    assert counted == [len(rows) + len(odd)]


def points(*rows: VerdictRow) -> list[str]:
    """All lines about these verdicts, of which ten networks a day get tags of their own."""
    warehouse = Warehouse(None)
    warehouse.feed("influx")
    by_target = {row.target: [one for one in rows if one.target == row.target] for row in rows}
    fill(warehouse, [content(of_target) for of_target in by_target.values()], 1)
    made = points_of(warehouse, MemoryLog(), new_networks=10)
    lines = made.single([row[1:] for row in warehouse.select("FROM unsent_verdict")])
    for kind in set(Kind) - {Kind.VERDICTS, Kind.EVENTS}:
        marks = warehouse.select("SELECT target, slot FROM unsent WHERE kind = $1", [kind.value])
        lines += made.lines(kind, marks, 2**50)
    warehouse.close()
    return lines
