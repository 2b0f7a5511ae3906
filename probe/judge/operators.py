"""Whether two networks are one operator's, who may have several autonomous systems.

An operator of the same name in another country is another one.
"""

from __future__ import annotations

from msgspec.structs import replace

from probe.model import Network

UNKNOWN = Network()


def is_known(network: Network) -> bool:
    """The collector found the system of its addresses in the table of networks."""
    return network.asn != UNKNOWN.asn


def owner(network: Network) -> Network:
    """Whose a network is: all systems of an operator in a country are one owner's."""
    return network if network.operator == UNKNOWN.operator else replace(network, asn=UNKNOWN.asn)


def same_operator(one: Network, other: Network) -> bool:
    """Shown to be of one operator; what is not known is not shown."""
    if not (is_known(one) and is_known(other)) or one.operator != other.operator:
        return False
    return one.asn == other.asn or (one.country == other.country and one.operator != UNKNOWN.operator)
