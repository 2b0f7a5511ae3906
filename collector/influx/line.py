"""A point as a line of InfluxDB's line protocol. Whatever a text holds, it stays one line with the fields it was given.

What the protocol cannot escape is replaced: control characters by a space, and in a tag the backslash by a slash, for
one at the end would swallow the comma that follows.
Source: the line protocol reference of InfluxDB; what a server makes of it is tried on one (test_hostile_text.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from collector.influx.schema import Measurement

MOST_TAG = 64  # characters
MOST_TEXT = 500
INTEGERS = range(-(2**63), 2**63)
MS_NS = 1_000_000  # nanoseconds, in which times of points are, of a millisecond

Value = int | float | str

# Control characters, and what some reader takes for the end of a line.
_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
_SPACES = str.maketrans(dict.fromkeys(_CONTROLS, " "))
_TAG = str.maketrans({"\\": "/", ",": r"\,", "=": r"\=", " ": r"\ "})
_TEXT = str.maketrans({"\\": r"\\", '"': r"\""})


def line(measurement: Measurement, tags: Mapping[str, str], fields: Mapping[str, Value | None], time_ns: int) -> str:
    """One line without its newline. Fields that are None and tags that are empty are left out.

    Raises ValueError on a tag or a field that the measurement lacks, on a value of another type or that InfluxDB
    cannot hold, and when no field is left.
    """
    return f"{series(measurement, tags)} {_fields(measurement, fields)} {time_ns}"


def series(measurement: Measurement, tags: Mapping[str, str]) -> str:
    """Measurement and tags, which name a series. Raises ValueError on a tag that the measurement lacks."""
    for name in tags:
        if name not in measurement.tags:
            raise ValueError(f"{measurement.name} has no tag {name}.")
    given = ((name, _tag(tags.get(name, ""))) for name in measurement.tags)
    return ",".join((measurement.name, *(f"{name}={text}" for name, text in given if text)))


def clean(text: str, most: int) -> str:
    """The text that is kept: one line of at most `most` characters, without space at its ends, in valid Unicode."""
    valid = text[: most * 2].encode("utf-8", "replace").decode()
    return valid.translate(_SPACES).strip()[:most].strip()


def _fields(measurement: Measurement, fields: Mapping[str, Value | None]) -> str:
    written = [f"{name}={_value(measurement, name, value)}" for name, value in fields.items() if value is not None]
    if not written:
        raise ValueError(f"A point of {measurement.name} needs a field.")
    return ",".join(written)


def _value(measurement: Measurement, name: str, value: Value) -> str:
    kind = measurement.fields.get(name)
    if kind is None:
        raise ValueError(f"{measurement.name} has no field {name}.")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"The field {name} of {measurement.name} is of type {kind.__name__}, not {value!r}.")
    if isinstance(value, str):
        return f'"{clean(value, MOST_TEXT).translate(_TEXT)}"'
    if isinstance(value, int):
        return f"{_held(value, value in INTEGERS)}i"
    return repr(_held(value, math.isfinite(value)))


def _held(value: int | float, holds: bool) -> int | float:
    if not holds:
        raise ValueError(f"InfluxDB cannot hold {value}.")
    return value


def _tag(text: str) -> str:
    return clean(text, MOST_TAG).translate(_TAG)
