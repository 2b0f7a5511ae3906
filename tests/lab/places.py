"""Which server is where: the plan's numbers as addresses, in both networks of the world and at the operators."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tests.lab import plan
from tests.lab.model import Operator

# Which of our own servers (a module of tests.servers) speaks a service's protocol where: numbers and port.
SPEAKERS = {
    "noise": (((plan.WHATSAPP_CHAT,), 5222), ((plan.WHATSAPP_CHAT_2,), 443)),
    "mtproto": (((plan.TELEGRAM_CHAT,), 443),),
    "viber": (((plan.VIBER_CHAT,), 5242),),
    "msturn": (((plan.TEAMS_RELAY,), 3478),),
    "sip": (((plan.LINPHONE,), 5060),),
}
CHATS = ("noise", "mtproto", "viber")  # those over bare TCP
RELAYS = {  # realm and port → numbers
    ("viber.com", 443): plan.VIBER_RELAYS,
    ("viber.com", 3478): plan.VIBER_RELAYS,
    ("telegram.org", 1400): plan.TELEGRAM_RELAYS,
    ("signal.org", 3478): (plan.SIGNAL_RELAY,),
    ("turner.facebook", 40003): (plan.MESSENGER_RELAY,),
    ("imo.im", plan.IMO_PORT): (plan.IMO_RELAY,),
    ("neutral.example", 3478): (plan.NEUTRAL_STUN, plan.NEUTRAL_STUN_2),
    ("neutral.example", 19302): (plan.NEUTRAL_STUN_2,),
}
NEUTRAL_NAME = "www.neutral.example"  # its TLS has a port beside the web's, with which messengers' ports are compared
PINNED = "chat.signal.example"  # its certificate is of the service's own authority
WEB_NAMES = tuple(name for name in plan.NAMES if not name.startswith(("turn.", "stun.", "e1.", "e2.")))
WEB = tuple(sorted({plan.NAMES[name] for name in WEB_NAMES}))
SPECIAL_WEB = (
    *(plan.BLOCK_PAGE, plan.EXPIRED, plan.ROTATED, plan.PORTAL, plan.PROXY, plan.RENAMED),
    *(plan.COPYCAT, plan.OTHER_EDGE),
)
YOUNG = ("www.viber.example",)  # whose certificates are of a public authority that old devices do not know


def in_world(*numbers: int) -> list[str]:
    """Of both networks and families."""
    forms = plan.WORLD_V4, plan.WORLD_V6, plan.OTHER_V4, plan.OTHER_V6
    return [form.format(number) for number in numbers for form in forms]


def at_operator(operator: Operator, number: int) -> list[str]:
    """The number is written in both families alike, as in the world: ….53 and …::53."""
    v6 = ipaddress.ip_network(operator.v6)
    return [str(ipaddress.ip_network(operator.v4)[number]), str(v6[int(str(number), 16)])]


def caches() -> list[str]:
    return [address for operator in plan.OPERATORS.values() for address in at_operator(operator, plan.IN_ISP)]


def resolvers(operator: Operator) -> list[str]:
    """Of both families, IPv4 first."""
    return at_operator(operator, int(operator.resolver.rpartition(".")[2]))


def all_resolvers() -> list[str]:
    own = [address for operator in plan.OPERATORS.values() for address in resolvers(operator)]
    return own + in_world(plan.RESOLVER, plan.FOREIGN_RESOLVER)


def spoken_at(server: str) -> list[tuple[str, int]]:
    """Where one of our own servers is, in both networks and families."""
    return [(address, port) for numbers, port in SPEAKERS[server] for address in in_world(*numbers)]


def addresses() -> list[str]:
    """Everything that somebody has in the world; a free one for the collector too."""
    relays: Iterable[int] = {number for numbers in RELAYS.values() for number in numbers}
    spoken = {number for places in SPEAKERS.values() for numbers, _ in places for number in numbers}
    others = (plan.RETIRED, plan.COLLECTOR, plan.CROWDED)
    return [*in_world(*{*WEB, *SPECIAL_WEB, *relays, *spoken, *others}), *caches(), *all_resolvers()]
