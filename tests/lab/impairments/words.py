"""What impairments touch, by the lab's plan, and the sentences that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.lab import places, plan
from tests.lab.model import Expected, Stage
from tests.lab.techniques.aims import everywhere, stage

CALLS = ("viber/call", "telegram/call", "signal/call", "messenger/call", "teams/call")
OVER_UDP = (*CALLS, "linphone/chat")
BY_TLS = ("whatsapp/web", "viber/web", "telegram/web", "signal/chat", "messenger/chat")
BY_NAME = ("whatsapp/chat", "signal/call", *BY_TLS)  # the others are known by their addresses
WITHOUT_CALLS = ("whatsapp/chat", "telegram/chat", "viber/chat", "linphone/chat", *BY_TLS)
ALL = (*WITHOUT_CALLS, *CALLS)
BY_ADDRESS = tuple(target for target in ALL if target not in BY_NAME)  # of IPv4
SERVICES = ("whatsapp.example", "viber.example", "telegram.example", "signal.example", "messenger.example")
EVERY_NAME = ("example",)  # a suffix
SERVICE_NUMBERS = tuple(
    sorted(
        {number for name, number in plan.NAMES.items() if not name.endswith("neutral.example")}
        | {plan.VIBER_CHAT, plan.TELEGRAM_CHAT, plan.TEAMS_RELAY, plan.LINPHONE}
        | {number for numbers in plan.RELAY_REALMS.values() for number in numbers}
    )
)
RESOLVERS = tuple(address for operator in plan.OPERATORS.values() for address in places.resolvers(operator))

# What is said where nothing may be said; with the mechanisms of the volunteer's own premises.
INSUFFICIENT = Expected("insufficient")
UDP_DEAD = Expected(
    "impaired", "udp.all.drop"
)  # for neutral services too: a home's or an office's doing is not excluded
STUN_DEAD = Expected("impaired")  # the same of STUN alone; by what it is told apart is not known
OPEN = {  # of a line on which a cycle may fail to conclude anything, and may not say anything that is not so
    target: Expected("insufficient" if target in CALLS else "ok", or_open=True) for target in ALL
}
DOWN = Expected("down")
IMPAIRED = Expected("impaired")
LOCAL_RESOLVER = Expected("impaired", "local.resolver")
LOCAL_TLS = Expected("impaired", "local.tls")
REFUSED = Expected("impaired", "service.refusal")


def drawn(*make: Callable[[Random], Stage]) -> Callable[[Random], Sequence[Stage]]:
    """Each stage with parameters of this run."""
    return lambda random: tuple(one(random) for one in make)


def led_to(name: str, number: int, v4: str = plan.OTHER_V4, v6: str = plan.OTHER_V6) -> Stage:
    """Whoever is asked, the name leads to a place of the world's second network, or of another one."""
    return stage("dns.answer", names=(name,), address=(v4.format(number), v6.format(number)))


def in_place_of(number: int, other: int) -> tuple[Stage, ...]:
    """Another server answers at a place of the world, over either family."""
    return tuple(
        stage("redirect", addresses=(address,), to=to)
        for address, to in zip(everywhere(number), everywhere(other), strict=True)
    )
