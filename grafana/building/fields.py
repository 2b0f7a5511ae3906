"""What Grafana calls field configuration: mappings from values to words and colours, thresholds, overrides, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import dashboard as model

from collector.front.page.words import ACCESSES
from grafana.building.countries import names
from grafana.building.palette import COLOURS, LOOKS, QUIET, SIMULATED
from probe.explain import ROLES
from probe.model import State

SIMULATED_WORDS = "SIMULATED DATA IS SHOWN HERE: not measured on real lines"
MEASURED_WORDS = "none: measured on real lines"
LEAST = 0.000_001  # the smallest share that is more than nothing
Property = tuple[str, object]


def state_mappings() -> list[model.ValueMapping]:
    """Each state's sign and words in its colour. There is none for null: no data stays empty."""
    options = {
        word: model.ValueMappingResult(text=look.text, color=look.colour, index=i)
        for i, (word, look) in enumerate(LOOKS.items())
    }
    return [model.ValueMap(options=options)]


def simulated_mappings() -> list[model.ValueMapping]:
    return [
        model.ValueMap(options={"0": model.ValueMappingResult(text=MEASURED_WORDS, color=QUIET, index=0)}),
        ranged(1, None, SIMULATED_WORDS, SIMULATED, 1),
    ]


def words(texts: Mapping[str, str]) -> list[model.ValueMapping]:
    """Values that are shown as words, without a colour."""
    options = {value: model.ValueMappingResult(text=text, index=i) for i, (value, text) in enumerate(texts.items())}
    return [model.ValueMap(options=options)]


def ranged(low: float, high: float | None, text: str, colour: str, index: int) -> model.RangeMap:
    result = model.ValueMappingResult(text=text, color=colour, index=index)
    return model.RangeMap(options=model.DashboardRangeMapOptions(from_val=low, to=high, result=result))


def steps(*limits: tuple[float | None, str]) -> ThresholdsConfig:
    """Colours from a value on; the first has None."""
    built = [model.Threshold(value=value, color=colour) for value, colour in limits]
    return ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(built)


def share_steps() -> ThresholdsConfig:
    """The share of what was measured in which interference was seen, in the states' colours: none, some, most.

    A white figure is read on each of them. Without a share there is no colour.
    """
    return steps(
        (None, QUIET), (0, COLOURS[State.OK]), (LEAST, COLOURS[State.LIKELY_BLOCKED]), (2 / 3, COLOURS[State.BLOCKED])
    )


def fixed(colour: str) -> FieldColor:
    return FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(colour)


def column(header: str, width: int, *more: Property) -> list[Property]:
    """A table's column under a header that is not cut; px."""
    return [("displayName", header), ("custom.width", width), *more]


def country_column(*more: Property) -> list[Property]:
    return column("Country", 150, ("mappings", words(names())), *more)


def operator_column(*more: Property) -> list[Property]:
    return column("Operator", 160, *more)


def access_column() -> list[Property]:
    return column("Access", 100, ("mappings", words(ACCESSES)))


def service_column() -> list[Property]:
    return column("Service", 120)


def role_column() -> list[Property]:
    return column("What", 110, ("mappings", words(ROLES)))


def n_column() -> list[Property]:
    return column("n", 80)


def properties(pairs: Sequence[Property]) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(id_val=name, value=value) for name, value in pairs]


def share_column(header: str = "Interfered") -> list[Property]:
    """A share as per cent in a table's column, coloured and in figures."""
    return [
        ("displayName", header),
        ("unit", "percentunit"),
        ("decimals", 0),
        ("thresholds", share_steps().build()),
        ("color", {"mode": "thresholds"}),
        ("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
        ("custom.width", 120),
    ]


def link_to(uid: str, title: str, tags: Sequence[str]) -> Property:
    """A data link that opens another dashboard with these tags of the row as its variables, at the same time."""
    return ("links", [_link(uid, title, [(tag, f"__data.fields.{tag}") for tag in tags])])


def links_of_series(*links: tuple[str, str, str]) -> Property:
    """Links from a series to pages about one of its tags, in the chosen country: (uid, title, tag) each."""
    pairs = [(uid, title, [("country", "country"), (tag, f"__field.labels.{tag}")]) for uid, title, tag in links]
    return ("links", [_link(*pair) for pair in pairs])


def _link(uid: str, title: str, values: Sequence[tuple[str, str]]) -> dict[str, str]:
    variables = "".join(f"&var-{name}=${{{value}:percentencode}}" for name, value in values)
    return {"title": title, "url": f"/d/{uid}?${{__url_time_range}}{variables}"}
