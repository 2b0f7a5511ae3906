"""The warehouse as one page of HTML. Everything that comes from measurements is escaped on its way in."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from collector.facts.credits import Credit
from collector.front.page import drawing, headline
from collector.front.page.look import LOOKS, RELAY_REACHED
from collector.front.page.overview import overview
from collector.front.page.rows import HOURS
from collector.front.page.summary import summarize
from collector.front.page.templating import ENVIRONMENT
from collector.front.page.words import date_and_time, place_words, short_words
from collector.warehouse.store import Warehouse
from probe.explain import DEPTH_WORDS
from probe.judge.cells import LINES_FLOOR
from probe.model import Depth, State

MEANINGS = {
    State.OK: "The handshake completed with the genuine service, to the stated depth, with no sign of interference. It "
    "does not say that a call would have worked.",
    State.DEGRADED: "It gets through, measurably worse than comparable traffic or only by a fallback.",
    State.BLOCKED: "Something was seen that only interference explains, or comparable traffic passed beside it.",
    State.LIKELY_BLOCKED: "It failed here twice and answered elsewhere, and something shows that neither a lost route "
    "nor the service keeps it away: other bytes pass, it dies inside this network, or other operators reach it.",
    State.IMPAIRED: "It failed, and the cause may lie with this line, with the service, or in between.",
    State.DOWN: "It failed for controls in different networks too, at the same time.",
    State.INSUFFICIENT: "There is too little evidence to say anything, neither that it gets through nor that it does "
    "not.",
    State.MIXED: "Some lines of this network see interference and others do not, or are answered by the same relay.",
}
RELAY_MEANS = (
    "The call relay answers most lines; whether a call can be set up through it was not tried. It cannot be concluded "
    "that calls get through. Where a ban was seen before, its end shows so."
)


class Instance(Struct, frozen=True):
    """The collector that the page is of: whether it only takes what is simulated; how many batches are not judged; whom
    the names of networks are of.
    """

    simulated: bool = False
    behind: Callable[[], int] = lambda: 0
    credits: Callable[[], tuple[Credit, ...]] = tuple


def render(
    warehouse: Warehouse,
    now_ms: int,
    full: bool,
    notice: str = "",
    country: str | None = None,
    instance: Instance = Instance(),  # noqa: B008 - frozen
) -> str:
    """The page about the 24 hours before `now_ms`, of one country or of all. Not in `full`, only what passes the
    privacy floor is on it.

    A notice is for the one who looks, such as how to see more.
    """
    behind = instance.behind()  # asked first: what is judged meanwhile is on the page
    summary = summarize(warehouse, now_ms, full, country)
    simulated = instance.simulated or any(place.simulated for place in summary.places)
    return ENVIRONMENT.get_template("page.html").render(
        title=headline.title(simulated),
        sentences=[*headline.sentences(summary), *headline.behind(behind)],
        places=summary.places,
        overview=overview(summary.places),
        countries=[] if summary.complete or country else summary.countries,
        simulated=simulated,
        now=date_and_time(now_ms),
        last_hour=summary.last_hour,
        full=full,
        notice=notice,
        credits=instance.credits(),
        lines_floor=LINES_FLOOR,
        meanings=[(LOOKS[state], text) for state, text in MEANINGS.items()],
        relay=RELAY_REACHED,
        relay_means=RELAY_MEANS,
        depths=[DEPTH_WORDS[depth] for depth in Depth if depth is not Depth.UNKNOWN],
        place_words=place_words,
        short_words=short_words,
        drawn=drawing.drawn,
        in_words=drawing.in_words,
        hours=HOURS,
    )
