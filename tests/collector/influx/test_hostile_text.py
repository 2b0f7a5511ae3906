"""No text breaks a line or makes a series of its own: the judge is a real InfluxDB."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.influx.line import MOST_TAG, MOST_TEXT, clean, line
from collector.influx.schema import EVENT
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
