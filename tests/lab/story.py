"""What happens in `make demo`: who measures, and what is done to them hour by hour. Data only.

It is Morocco's ban of calls in 2016, as it was told then: first on mobile networks, then on ADSL too, messages never;
some places with a contract of their own kept their calls. Names of operators are the real ones, the lines are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.model import Stage
from tests.lab.plan import ACCESSES, CONTROLS, COUNTRY
from tests.lab.techniques.aims import RELAY_NUMBERS, everywhere, stage

LINES = 3  # of each operator and access: what a cell needs
MOBILE = frozenset({"3g", "4g"})
HOTEL = ("orange", "wifi")  # whose guests are exempted


@dataclass(frozen=True, slots=True)
class Volunteer:
    """A line, and its name in the demo's own files."""

    operator: str
    access: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.operator}-{self.access}-{self.number}"


@dataclass(frozen=True, slots=True)
class Act:
    """An hour of the story. `banned` are the accesses on which calls are dead."""

    hours_ago: int
    says: str
    banned: frozenset[str] = frozenset()


ACTS = (
    Act(2, "Nobody interferes: every relay answers."),
    Act(1, "Calls are banned on 3G and 4G; messages pass, and ADSL is free.", MOBILE),
    Act(
        0,
        "Calls are banned on ADSL too, and on the WiFi behind it; a hotel on Orange keeps them.",
        frozenset(ACCESSES),
    ),
)
MEASURING_POINTS = tuple(Volunteer(operator, "adsl", 1) for operator in CONTROLS)  # the controls


# Each operator has a box of another kind.
BANS: dict[str, tuple[Stage, ...]] = {
    "iam": (stage("turn.allocate.drop"),),
    "orange": (stage("ip.drop", addresses=everywhere(*RELAY_NUMBERS), protocol="udp"),),
    "inwi": (stage("turn.allocate.drop"),),
}


def everybody(lines: int = LINES) -> tuple[Volunteer, ...]:
    """So many lines of each operator and access."""
    return tuple(
        Volunteer(operator, access, number)
        for operator in COUNTRY
        for access in ACCESSES
        for number in range(1, lines + 1)
    )


def censor(act: Act, volunteer: Volunteer) -> Sequence[Stage]:
    """What the operator does to this line in this hour."""
    exempted = (volunteer.operator, volunteer.access) == HOTEL
    return BANS.get(volunteer.operator, ()) if volunteer.access in act.banned and not exempted else ()
