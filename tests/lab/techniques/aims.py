"""What techniques aim at, by the lab's plan, and the words that entries share."""

from __future__ import annotations

from random import Random

from tests.lab import places, plan
from tests.lab.model import Draw, Expected, Parameters, Stage

WHATSAPP = ("whatsapp.example",)  # a suffix: the service with all its names
VIBER = ("viber.example",)
TELEGRAM = ("telegram.example",)
SIGNAL = ("signal.example",)
MESSENGER = ("messenger.example",)
# Of every operator, both families: a line asks its own's alone.
RESOLVERS = tuple(address for operator in plan.OPERATORS.values() for address in places.resolvers(operator))

CALLS = ("viber/call", "telegram/call", "signal/call", "messenger/call")
SITES = ("whatsapp/web", "viber/web", "telegram/web")
MESSAGES = ("whatsapp/chat", "telegram/chat", "viber/chat", "signal/chat", "messenger/chat")
OWN_WORDS = ("whatsapp/chat", "telegram/chat", "viber/chat")  # chats that begin with bytes of their own over TCP
TEAMS = "teams/call"  # MS-TURN: what its relay would say to other STUN is not known
SIP = "linphone/chat"  # over UDP
RELAY_NUMBERS = tuple(number for numbers in plan.RELAY_REALMS.values() for number in numbers)

OK = Expected("ok")
UNTOLD = Expected("insufficient")  # by the design nothing may be concluded
CLEAN_CALL = UNTOLD  # a relay that answers: the call itself was not exercised

OTHER_WORDS = "an echo helper that is spoken to in bytes that are on no list"
TEAMS_BINDING = "what a relay of Teams' says to a plain Binding"
FLOW = "call flows and their twins at an echo helper"
ENDURANCE = "an endurance flow at an echo helper"
SWAP = "a follow-up with one attribute swapped at an echo helper"
OWN_PORT = "an echo helper on the same port"
UNLISTED = "an echo helper at an address that nobody would put on a list"


def everywhere(*numbers: int) -> tuple[str, ...]:
    """The addresses of places in the world, of both families."""
    return (*only_v4(*numbers), *(plan.WORLD_V6.format(number) for number in numbers))


def only_v4(*numbers: int) -> tuple[str, ...]:
    return tuple(plan.WORLD_V4.format(number) for number in numbers)


def same(expected: Expected, *targets: str) -> dict[str, Expected]:
    """The same must be said of each of these."""
    return dict.fromkeys(targets, expected)


def always(*stages: Stage) -> Draw:
    """Nothing about it varies."""
    return lambda random: stages


def stage(filter_: str, **parameters: object) -> Stage:
    return Stage(filter_, parameters)


def nothing(random: Random) -> tuple[Stage, ...]:
    """A ban that this line is spared: nothing stands in its way."""
    return ()


def hidden_ttl(random: Random) -> Parameters:
    """What injected packets arrive with: a box that is near, or one that pretends to be far."""
    return {"ttl": random.randint(*TTL)}


TTL = (40, 250)
TTL_RANGE = "40–250"
