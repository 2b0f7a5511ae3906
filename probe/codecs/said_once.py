"""What measurements share, said once: the lines of format 2, which name their context instead of repeating it.

The fields of such a line are a measurement's, in their order, with `context` (the number of a context line, from 0 on)
before them and without `link`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from probe.model import Context, Measurement

_OWN = [field for field in msgspec.structs.fields(Measurement) if field.name != "link"]
_NAMES = [field.name for field in _OWN]
_REQUIRED = msgspec.NODEFAULT


def _column(field: msgspec.structs.FieldInfo) -> Any:
    return (field.name, field.type) if field.default is _REQUIRED else (field.name, field.type, field.default)


# Derived, so that a field of a measurement can never be forgotten here.
MeasurementLine = msgspec.defstruct(
    "MeasurementLine",
    [("context", int), *map(_column, _OWN)],
    frozen=True,
    kw_only=True,
    omit_defaults=True,
)


def say(measurement: Measurement, context: int) -> bytes:
    """The line of a measurement that has this context, without a newline."""
    own: dict[str, Any] = {name: getattr(measurement, name) for name in _NAMES}
    return msgspec.json.encode(MeasurementLine(context=context, **own))


def context_of(line: Struct) -> int:
    """The number of the context of a MeasurementLine."""
    number: int = line.context  # type: ignore[attr-defined]
    return number


def whole(line: Struct, context: Context) -> Measurement:
    """The measurement that a MeasurementLine says in this context."""
    return Measurement(link=context.link, **{name: getattr(line, name) for name in _NAMES})
