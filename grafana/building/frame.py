"""What all dashboards share: the variables, the links between them, the annotations, the banner and the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from msgspec import Struct

from collector.facts.published.publishers import PACKAGES, credits_of
from collector.front.page.page import MEANINGS, RELAY_MEANS
from grafana.building.influxql import chosen, select, tag_values
from grafana.building.palette import CALM, LOOKS, NOTICE, RELAY_REACHED
from grafana.building.panels import At, banner, prose
from grafana.building.query import ROLLUP, Asked, source
from probe.explain import ROLES
from probe.model import State

TAG = "ringback"
CHAIN = ("country", "operator", "access", "service")
ALL = ".*"
OURS = ("release", "targets", "rules", "control")
THEIRS = ("episode", "state_change")
BANNER_ID = 1
LEGEND_ID = 2


class Page(Struct, frozen=True, kw_only=True):
    """A dashboard before its panels. `uid` is permanent: it ends up in citations."""

    uid: str
    title: str
    about: str
    since: str = "now-7d"
    tags: tuple[str, ...] = (TAG,)


def dashboard(page: Page, panels: Sequence[Builder[model.Panel]]) -> builders.Dashboard:
    """An empty page in UTC that nobody edits in place, with its panels."""
    built = (
        builders.Dashboard(page.title)
        .uid(page.uid)
        .description(page.about)
        .tags(list(page.tags))
        .timezone("utc")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(page.since, "now")
        .refresh("")
    )
    for panel in panels:
        built.with_panel(panel)
    return built


def linked(built: builders.Dashboard) -> builders.Dashboard:
    """With a menu of the other dashboards, which takes variables and time along."""
    menu = (
        builders.DashboardLink("Ringback")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    return built.link(menu)


# --- Variables


def per(first: Literal["1h", "1d"] = "1h") -> builders.CustomVariable:
    """Hourly or daily rollups; pages about all countries begin with days. A line's day is judged as a whole."""
    hour = model.VariableOption(selected=first == "1h", text="hour", value="1h")
    day = model.VariableOption(selected=first == "1d", text="day", value="1d")
    return (
        builders.CustomVariable("per")
        .label("Per")
        .values("hour : 1h,day : 1d")
        .options([hour, day])
        .current(hour if hour.selected else day)
        .allow_custom_value(False)
    )


def role() -> builders.CustomVariable:
    """Calls first; what is called `chat` in the data are messages."""
    options = [model.VariableOption(selected=name == "call", text=text, value=name) for name, text in _roles()]
    return (
        builders.CustomVariable("role")
        .label("What")
        .values(",".join(f"{text} : {name}" for name, text in _roles()))
        .options(options)
        .current(options[0])
        .allow_custom_value(False)
        .include_all(True)
        .all_value(f"({'|'.join(ROLES)})")
    )


def _roles() -> list[tuple[str, str]]:
    return [(name, ROLES[name]) for name in ("call", "chat", "web", "push")]


def one(name: str, label: str, *chain: str) -> builders.QueryVariable:
    """One value of a tag, out of those that occur with what is chosen before it."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(source(ROLLUP))
        .query(tag_values("cell_1h", name, chosen(*chain)))
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(False)
    )


def many(name: str, label: str, *chain: str) -> builders.QueryVariable:
    """Any number of values; all of them to begin with."""
    everything = model.VariableOption(selected=True, text="All", value="$__all")
    return one(name, label, *chain).multi(True).include_all(True).all_value(ALL).current(everything)


# --- Annotations


class Events:
    """An annotation from `event`; the SDK's type has no room for an InfluxQL query."""

    def __init__(self, name: str, colour: str, query: str) -> None:
        self._name, self._colour, self._query = name, colour, query

    def to_json(self) -> dict[str, object]:
        target = {
            "refId": "Anno",
            "name": self._name,
            "query": self._query,
            "rawQuery": True,
            "fromAnnotations": True,
            "titleColumn": "title",
            "textColumn": "text",
            "tagsColumn": "kind",
            "timeEndColumn": "",
        }
        return {
            "name": self._name,
            "datasource": source(ROLLUP),
            "enable": True,
            "hide": False,
            "iconColor": self._colour,
            "target": target,
        }


class _Built:
    """As the SDK's dashboards take it."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def build(self) -> Events:
        return self._events


def annotated(built: builders.Dashboard, *where: str) -> builders.Dashboard:
    """With what happened to us (a release, new rules) and what happened out there: two kinds, never one."""
    ours = select('"title", "text", "kind"', '"event"', [f'"kind" =~ /^({"|".join(OURS)})$/'])
    theirs = select('"title", "text", "kind"', '"event"', [f'"kind" =~ /^({"|".join(THEIRS)})$/', *where])
    for events in (Events("Ringback changes", CALM, ours), Events("Events in the country", NOTICE, theirs)):
        built.annotation(_Built(events))  # type: ignore[arg-type]
    return built


# --- Panels that are on every page


def simulated(source_: str, *where: str) -> Builder[model.Panel]:
    at = At(
        id=BANNER_ID,
        title="Simulated data on this page",
        about="Says whether any line behind this page was simulated, counted from the data that the page shows.",
        height=3,
    )
    return banner(at, Asked(text=select('sum("simulated") AS "simulated"', source_, where)))


def _credited() -> str:
    """Whose data name the networks, with links, as their licences ask."""
    credits = dict.fromkeys(credit for name in PACKAGES for credit in credits_of(name) or ())
    return ", ".join(f"[{credit.text}]({credit.url}) ({credit.licence})" for credit in credits)


def legend() -> Builder[model.Panel]:
    """The states in words, for readers, and what a cell is."""
    rows = "\n".join(f"| {look.sign} | **{look.words}** | {_meaning(word)} |" for word, look in LOOKS.items())
    markdown = (
        "A *cell* is one service and role on one operator and access, in one hour or day. It has a state when at least "
        "three lines were measured and two thirds of those agree about which something can be concluded. Countries and "
        "operators have no state: they show counts of their cells. An empty place is a "
        "time without data; it says nothing. All times are UTC.\n\n"
        f"| sign | state | means |\n|---|---|---|\n{rows}\n\n"
        f"Whose an address is, and in which country, is told by {_credited()}, unless this collector's owner gave it"
        " another table: its own page names whose that is.\n"
    )
    at = At(
        id=LEGEND_ID,
        title="How to read this page",
        about="What each state says and what it does not say; each has a sign, so that none depends on its colour.",
        height=11,
    )
    return prose(at, markdown)


def _meaning(word: str) -> str:
    return RELAY_MEANS if word == RELAY_REACHED else MEANINGS[State(word)]
