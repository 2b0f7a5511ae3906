"""The warehouse as one page of HTML. Everything that comes from measurements is escaped on its way in."""

from __future__ import annotations

from collector.front.page import drawing, headline, timeline
from collector.front.page.summary import HOURS, summarize
from collector.front.page.templating import ENVIRONMENT
from collector.front.page.words import date_and_time, place_words
from collector.warehouse.store import Warehouse
from probe.explain import DEPTH_WORDS, STATE_WORDS
from probe.judge.cells import LINES_FLOOR
from probe.model import Depth, State

MEANINGS = {
    State.OK: "The handshake completed with the genuine service, as deep as stated, and nothing was interfered with "
    "in it. It does not say that a call would have worked.",
    State.DEGRADED: "It gets through, measurably worse than comparable traffic or only by a fallback.",
    State.BLOCKED: "Something was seen that only interference explains, or comparable traffic passed beside it.",
    State.LIKELY_BLOCKED: "It failed here twice and answered elsewhere, and something shows that neither a lost route "
    "nor the service keeps it away: other bytes pass, it dies inside this network, or other operators reach it.",
    State.IMPAIRED: "It failed, and the cause may lie with this line, with the service, or in between.",
    State.DOWN: "It failed for controls in different networks too, at the same time.",
    State.INSUFFICIENT: "There is too little evidence to say anything: neither that it gets through nor that not.",
    State.MIXED: "Some lines of this network see interference and others do not, or are answered by the same relay.",
}


def render(warehouse: Warehouse, now_ms: int, full: bool, notice: str = "", country: str | None = None) -> str:
    """The page about the 24 hours before `now_ms`, of one country or of all. Not in `full`, only what passes the
    privacy floor is on it.

    A notice is for the one who looks, such as how to see more.
    """
    summary = summarize(warehouse, now_ms, full, country)
    return ENVIRONMENT.get_template("page.html").render(
        title=headline.title(summary),
        sentences=headline.sentences(summary),
        places=summary.places,
        countries=[] if summary.complete or country else summary.countries,
        simulated=any(place.simulated for place in summary.places),
        now=date_and_time(now_ms),
        last_hour=summary.last_hour,
        full=full,
        notice=notice,
        lines_floor=LINES_FLOOR,
        meanings=[(state, STATE_WORDS[state], text) for state, text in MEANINGS.items()],
        depths=[DEPTH_WORDS[depth] for depth in Depth if depth is not Depth.UNKNOWN],
        place_words=place_words,
        drawn=drawing.drawn,
        in_words=drawing.in_words,
        signs=timeline.SIGNS,
        hours=HOURS,
    )
