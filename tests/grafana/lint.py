"""The rules that a dashboard keeps, each a function from a dashboard to its faults in sentences.

LINTS is the list of them. They are about what is easily forgotten and never seen in a review of JSON: an id used
twice, a variable that is gone, a function that InfluxDB 3 lacks, a share without its n, a null that is drawn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

from collector.influx.schema import MEASUREMENTS, Database, Measurement
from grafana.building.palette import COLOURS, LOOKS, ON_DARK, ON_LIGHT, RELAY
from tests.grafana.boards import SOURCES, Board, boards, grouped_tags
from tests.grafana.interpolation import BUILT_IN, VARIABLE

Faults = Iterator[str]

# What 1.x, 2.x and 3.x share (InfluxData, InfluxQL feature support of InfluxDB 3).
FUNCTIONS = frozenset(
    [
        *("count", "distinct", "mean", "median", "mode", "spread", "stddev", "sum", "first", "last", "min", "max"),
        *("percentile", "top", "bottom", "time", "now", "fill", "tz"),
    ]
)
NOT_IN_3 = re.compile(
    r"\b(SLIMIT|SOFFSET|SERIES|CARDINALITY|DATABASES|INTEGRAL|SAMPLE|HOLT_WINTERS|INTO|CONTINUOUS|SELECT \*)", re.I
)
IDENTIFIER = re.compile(r'"((?:cell|coverage|step)_\$per|\w+)"')
ALIAS = re.compile(r'AS "(\w[\w ]*)"')
TOO_MUCH = re.compile(r"\b(works?|working|accessible|reachable|unblocked|available|uncensored|free of|is safe)\b", re.I)
NOT_WORKING = "not working, cause unclear"  # the words of a state
DATA_PANELS = ("state-timeline", "timeseries", "table", "stat", "geomap")
RATED = ('"loss"', '"jitter_ms"', '"mos"')
WIDTH = 24
UNIT_PX = 58  # of the grid, where a page is 1,500 px wide


def identity(one: Board) -> Faults:
    """A page is known by its uid, in UTC, and nobody edits it in place."""
    if "id" in one.json:
        yield "carries an id, which differs from server to server"
    if [other.json["uid"] for other in boards()].count(one.json["uid"]) > 1:
        yield f"shares its uid {one.json['uid']} with another"
    if one.json["timezone"] != "utc" or one.json["editable"]:
        yield "is not in UTC, or can be edited"
    if one.json.get("refresh"):
        yield "refreshes by itself"


def ids(one: Board) -> Faults:
    for number, times in Counter(panel["id"] for panel in one.panels).items():
        if times > 1:
            yield f"panel id {number} is used {times} times"
    for panel in one.panels:
        letters = [target["refId"] for target in panel.get("targets", ())]
        if len(set(letters)) < len(letters):
            yield f"panel {panel['id']} has a refId twice: {letters}"


def grid(one: Board) -> Faults:
    for panel in one.panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > WIDTH or place["h"] < 3:
            yield f"panel {panel['id']} does not fit the grid: {place}"
    for first, second in combinations(one.panels, 2):
        if _overlap(first["gridPos"], second["gridPos"]):
            yield f"panels {first['id']} and {second['id']} overlap"


def _overlap(a: Mapping[str, int], b: Mapping[str, int]) -> bool:
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (beside or below)


def texts(one: Board) -> Faults:
    """Every panel says what it shows, and none says more than the evidence."""
    for panel in one.panels:
        if not panel.get("title") or len(panel.get("description", "")) < 40:
            yield f"panel {panel['id']} lacks a title, or a description that says something"
    for text in _strings(one.json):
        found = TOO_MUCH.search(text.replace(NOT_WORKING, ""))
        if found and not text.startswith("SELECT"):
            yield f"says “{found[0]}” in: {text[:100]}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def sources(one: Board) -> Faults:
    """Every query goes to the data source whose database has its measurement."""
    for query in one.queries():
        expected = SOURCES[measurement(query.text).database is Database.ROLLUP]
        if query.uid != expected:
            yield f"{query}\nasks {query.uid} and not {expected}"


def measurement(text: str) -> Measurement:
    """What a query reads; `$per` stands for hours here."""
    found = re.search(r'FROM "([\w$]+)"', text)
    assert found, text
    return MEASUREMENTS[found[1].replace("$per", "1h")]


def hours_and_days(one: Board) -> Faults:
    """What is read by `$per` is there by the hour and by the day, in the same form."""
    for query in one.queries():
        for name in re.findall(r'"(\w+)_\$per"', query.text):
            hour, day = MEASUREMENTS.get(f"{name}_1h"), MEASUREMENTS.get(f"{name}_1d")
            if hour is None or day is None or (hour.tags, hour.fields) != (day.tags, day.fields):
                yield f"{query}\n{name} is not the same by the hour and by the day"


def names(one: Board) -> Faults:
    """Everything quoted is a measurement, tag, field or alias of the query; everything else is a word of InfluxQL."""
    for query in one.queries():
        of = measurement(query.text)
        known = {*of.tags, *of.fields, *ALIAS.findall(query.text)}
        body = re.sub(r'FROM "[\w$]+"', "", query.text)
        for name in IDENTIFIER.findall(body):
            if name not in known:
                yield f"{query}\n“{name}” is not of {of.name}"


def dialect(one: Board) -> Faults:
    """Only what 1.x, 2.x and 3.x answer alike."""
    for query in one.queries():
        if not query.text.startswith(("SELECT ", "SHOW TAG VALUES FROM ")):
            yield f"{query}\nis neither SELECT nor SHOW TAG VALUES"
        if "WHERE $timeFilter" not in query.text:
            yield f"{query}\nasks beyond the range"
        if found := NOT_IN_3.search(query.text):
            yield f"{query}\n{found[0]} is not in InfluxDB 3"
        bare = re.sub(r"/\^.*?\$/|'[^']*'|\"[^\"]*\"", "", query.text)
        for function in re.findall(r"(\w+)\(", bare):
            if function not in FUNCTIONS:
                yield f"{query}\n{function}() is not among the functions that all versions share"


def variables(one: Board) -> Faults:
    """What is used is defined, what is defined is used, and a chain only looks back."""
    listed = one.json["templating"].get("list", [])
    used: set[str] = set()
    for text in [panel_text for panel in one.panels for panel_text in _strings(panel)]:
        used |= _used(text)
    for i, variable in enumerate(listed):
        earlier = {before["name"] for before in listed[:i]}
        needed = _used(variable["query"]) if variable["type"] == "query" else set()
        if not needed <= earlier:
            yield f"variable {variable['name']} uses {sorted(needed - earlier)}, which come after it or not at all"
        used |= needed
    for annotation in one.json["annotations"].get("list", ()):
        used |= _used(annotation["target"]["query"])
    defined = {variable["name"] for variable in listed}
    if used != defined:
        yield f"uses the variables {sorted(used)} and defines {sorted(defined)}"


def _used(text: str) -> set[str]:
    found = {match[1] or match[3] for match in VARIABLE.finditer(text)}
    return {name for name in found if not (name in BUILT_IN or name.startswith(("tag_", "__")) or name == "col")}


def formats(one: Board) -> Faults:
    """In a regular expression a variable is written with `:regex`: only that escapes every value."""
    for query in one.queries():
        for inner in re.findall(r"=~ /(.*?)/", query.text):
            if "$" in inner.removesuffix("$") and not re.fullmatch(r"\^\$\{\w+:regex\}\$", inner):
                yield f"{query}\nthe variable in /{inner}/ is not escaped"


def links(one: Board) -> Faults:
    """Links lead to pages that exist, with variables that they have, from columns that are there."""
    pages = {other.json["uid"]: other for other in boards()}
    for panel in one.panels:
        columns = {column for target in panel.get("targets", ()) for column in _columns(target["query"])}
        for text in _strings(panel.get("fieldConfig", {})):
            if not text.startswith("/d/"):
                continue
            uid = text[3:].partition("?")[0]
            if uid not in pages:
                yield f"panel {panel['id']} links to {uid}, which is no dashboard"
                continue
            for variable, value in re.findall(r"var-(\w+)=\$\{([\w.]+):percentencode\}", text):
                known = value in one.variables or value.rpartition(".")[2] in columns
                if variable not in pages[uid].variables or not known:
                    yield f"panel {panel['id']}: {uid} has no variable {variable}, or the row no column {value}"


def _columns(text: str) -> list[str]:
    return [*grouped_tags(text), *ALIAS.findall(text)]


def aliases(one: Board) -> Faults:
    """An alias names tags that the query groups by, and tells several columns apart."""
    for query in one.queries():
        for tag in re.findall(r"\$tag_(\w+)", query.alias):
            if tag not in grouped_tags(query.text):
                yield f"{query}\nthe alias names {tag}, by which the query does not group"
        several = query.format == "time_series" and query.text.count(" AS ") > 1
        if several and "$col" not in query.alias:
            yield f"{query}\nhas several columns, and its alias does not tell them apart"


def shares(one: Board) -> Faults:
    """A share, and a mean of flows, stands beside its n; and nothing is divided by nothing."""
    for query in one.queries():
        selected = query.text.partition(" FROM ")[0]
        if (" / " in selected or any(field in selected for field in RATED)) and not re.search(r'(AS |, )"n"', selected):
            yield f"{query}\na rate without its n"
        if " / " in selected and " > 0" not in query.text.rpartition(" WHERE ")[2]:
            yield f"{query}\nmay divide 0 by 0, which InfluxDB answers with 0"


def absence(one: Board) -> Faults:
    """No data is drawn as nothing and said as `no data`, never as a zero, a state or a line."""
    for query in one.queries():
        if re.search(r"fill\((?!null\)|none\))", query.text) or (" time(" in query.text and "fill(" not in query.text):
            yield f"{query}\nfills what has no data"
    for panel in one.panels:
        config = panel.get("fieldConfig", {})
        if panel["type"] in DATA_PANELS and config.get("defaults", {}).get("noValue") != "no data":
            yield f"panel {panel['id']} does not say “no data”"
        if config.get("defaults", {}).get("custom", {}).get("spanNulls"):
            yield f"panel {panel['id']} draws lines over gaps"
        if any(mapping["type"] == "special" for mapping in config.get("defaults", {}).get("mappings", ())):
            yield f"panel {panel['id']} gives null a look"


def palette(one: Board) -> Faults:
    """State timelines know every state, and say it with sign and words."""
    for panel in one.panels:
        if panel["type"] != "state-timeline" or "mechanism" in panel["targets"][0]["query"]:
            continue
        [mapping] = panel["fieldConfig"]["defaults"]["mappings"]
        shown = {state: (option["text"], option["color"]) for state, option in mapping["options"].items()}
        if shown != {word: (look.text, look.colour) for word, look in LOOKS.items()}:
            yield f"panel {panel['id']} lacks a state, or shows one in its own way"
        if not re.search(r'"(public_)?look"', panel["targets"][0]["query"]):
            yield f"panel {panel['id']} does not tell a relay that answers from nothing at all"


def maps(one: Board) -> Faults:
    """Texts are layers of their own, for Grafana draws them in the marker's colour; outlines need no internet."""
    for panel in one.panels:
        if panel["type"] != "geomap":
            continue
        first, *markers = panel["options"]["layers"]
        if first["type"] != "geojson" or first["config"]["src"] != "public/maps/countries.geojson":
            yield f"panel {panel['id']} has no outlines of Grafana's own below its markers"
        for layer in markers:
            style = layer["config"]["style"]
            has_text = bool(style["text"].get("field") or style["text"]["fixed"])
            if has_text == bool(style["symbol"]["fixed"]):
                yield f"panel {panel['id']}: layer {layer['name']} has a text on its marker, or neither"
            if has_text and style["color"] not in ({"fixed": ON_DARK}, {"fixed": ON_LIGHT}):
                yield f"panel {panel['id']}: layer {layer['name']} has a text in the colour of data"
        if panel["options"]["view"]["id"] == "fit":
            yield f"panel {panel['id']} zooms onto what there is, without its neighbours"


def tables(one: Board) -> Faults:
    """Columns in an order that is said, as wide as their headers and the panel, in pages."""
    for panel in one.panels:
        if panel["type"] != "table":
            continue
        *before, last = [each["id"] for each in panel["transformations"]]
        options = panel["transformations"][-1]["options"]
        if last != "organize" or before != (["merge"] if len(panel["targets"]) > 1 else []):
            yield f"panel {panel['id']} does not merge, then organize"
            continue
        selected = {name for target in panel["targets"] for name in _selected(target["query"])}
        listed, hidden = options["indexByName"], options["excludeByName"]
        if selected - set(hidden) != set(listed) - {"Time"}:
            yield f"panel {panel['id']} lists {sorted(listed)} and is given {sorted(selected)}"
        shown = _overrides(panel)
        for name in set(listed) - {"Time"}:
            header, width = shown.get(name, {}).get("displayName", name), shown.get(name, {}).get("custom.width", 0)
            if width < 8 * len(header) + 32:
                yield f"panel {panel['id']} cuts the header {header}"
        if not panel["options"]["footer"]["enablePagination"]:
            yield f"panel {panel['id']} has one page"
        wide = sum(shown[name].get("custom.width", 0) for name in listed if name in shown)
        if wide > UNIT_PX * panel["gridPos"]["w"] and panel["gridPos"]["w"] < WIDTH:
            yield f"panel {panel['id']} is wider ({wide}) than its place"


def _selected(text: str) -> set[str]:
    """The columns of a table: tags and what is selected, by their names in the answer."""
    listed = re.split(r", (?![^()]*\))", text.removeprefix("SELECT ").partition(" FROM ")[0])
    return {*(column.rpartition(' "')[2].strip('"') for column in listed), *grouped_tags(text)}


def _overrides(panel: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each column that is overridden by its name."""
    return {
        each["matcher"]["options"]: {one["id"]: one["value"] for one in each["properties"]}
        for each in panel.get("fieldConfig", {}).get("overrides", ())
        if each["matcher"]["id"] == "byName"
    }


def nulls(one: Board) -> Faults:
    """What has no value has no colour of a state: thresholds begin with grey."""
    for panel in one.panels:
        for steps in _thresholds(panel.get("fieldConfig", {})):
            if steps[0]["color"] in set(COLOURS.values()) | {RELAY}:
                yield f"panel {panel['id']} shows what has no value in the colour of a state"


def _thresholds(value: Any) -> Iterator[list[dict[str, Any]]]:
    if isinstance(value, Mapping):
        if "steps" in value:
            yield value["steps"]
        for inner in value.values():
            yield from _thresholds(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _thresholds(inner)


def kinds(one: Board) -> Faults:
    """Only what is named after a state has a state's colour; roles are said in words."""
    said = {look.text for look in LOOKS.values()}
    for panel in one.panels:
        if panel["type"] == "timeseries":
            for name, shown in _overrides(panel).items():
                colour = shown.get("color", {}).get("fixedColor")
                if (colour in {look.colour for look in LOOKS.values()}) != (name in said) and colour:
                    yield f"panel {panel['id']} shows {name} in the colour of a state"
        if any("$tag_role" in target.get("alias", "") for target in panel.get("targets", ())):
            yield f"panel {panel['id']} names its series by codes of roles"
        for name, shown in _overrides(panel).items():
            if name == "role" and "mappings" not in shown:
                yield f"panel {panel['id']} shows roles as codes"
            if name == "country" and panel["type"] == "table" and "mappings" not in shown:
                yield f"panel {panel['id']} shows countries as codes"


def pages(one: Board) -> Faults:
    """A timeline has no more rows on a page than are read in its height."""
    for panel in one.panels:
        if panel["type"] == "state-timeline" and panel["options"]["perPage"] > 15:
            yield f"panel {panel['id']} has {panel['options']['perPage']} rows in a page"


def buckets(one: Board) -> Faults:
    """Rollups of `$per` are read bucket by bucket as they are; others never in buckets smaller than their own."""
    for panel in one.panels:
        for target in panel.get("targets", ()):
            if '_$per"' in target["query"] and " time(" in target["query"] and "time($per)" not in target["query"]:
                yield f"panel {panel['id']} thins out its rollup"
            if "$__interval" in target["query"] and not re.fullmatch(r"1[mhd]", panel.get("interval", "")):
                yield f"panel {panel['id']} has no smallest interval"


def simulated(one: Board) -> Faults:
    """The first panel says, from the data, whether anything on the page is simulated."""
    first = min(one.panels, key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    asked = first["targets"][0]["query"] if first.get("targets") else ""
    said = str(first.get("fieldConfig"))
    if first["id"] != 1 or 'sum("simulated")' not in asked or "SIMULATED" not in said:
        yield "does not begin with the banner that says whether its data is simulated"


def floor(one: Board) -> Faults:
    """A page for everybody has no variables, and reads only what passes the privacy floor, in cells and bands."""
    if one.name != "public":
        return
    if one.variables or one.json["annotations"].get("list") or "ringback" in one.json["tags"]:
        yield "has variables, annotations or the menu of the other pages"
    for query in one.queries():
        if measurement(query.text).name != "country_1d" or '"public_shown" = 1' not in query.text:
            yield f"{query}\nreads what may be below the floor"
        if "time <= now() - 25h" not in query.text:
            yield f"{query}\nreads a day that goes on"
        if read := _fields_read(query.text) - {"simulated"}:
            yield f"{query}\nreads what is for operators: {sorted(read)}"


def _fields_read(text: str) -> set[str]:
    """The fields that the innermost query selects, but for those that are for the public."""
    inner = re.search(r'SELECT ((?:(?!SELECT).)*) FROM "\w+"', text)
    found = IDENTIFIER.findall(ALIAS.sub("", inner[1])) if inner else []
    return {name for name in found if not name.startswith("public_")}


LINTS: dict[str, Callable[[Board], Faults]] = {
    rule.__name__: rule
    for rule in (
        *(
            identity,
            ids,
            grid,
            texts,
            sources,
            hours_and_days,
            names,
            dialect,
            variables,
            formats,
            links,
            aliases,
            shares,
            absence,
        ),
        *(palette, maps, tables, nulls, kinds, pages, buckets, simulated, floor),
    )
}


def faults(one: Board) -> list[str]:
    return [f"{one.name}: {fault}" for rule in LINTS.values() for fault in rule(one)]
