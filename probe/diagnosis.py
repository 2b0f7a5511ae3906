"""Follow-up experiments: after a silence, change one thing and ask again.

A relay that does not answer an Allocate is asked in the second round for a plain Binding as well: same address, same
port, another method. If that is answered, it is the Allocate that somebody drops, and not the address. Our own server
that does not answer SIP is asked again with every bit inverted. A server that does not answer QUIC is asked with a
neutral name too: if that is answered, it is the service's name that is dropped.
"""

from __future__ import annotations

from msgspec.structs import replace

from probe.model import Endpoint, Expect, Target

EXPERIMENTS = {  # at the same address and port
    "turn": "stun",
    "turn-4571": "stun-4571",
    "turn-google": "stun",
    "sip-echo": "sip-twin",
    "quic": "quic-other-name",
}


def second_look(target: Target) -> Target:
    """The target with the experiments of the second round. They are no paths: only the target's own endpoints are."""
    known = {identity(endpoint) for endpoint in target.endpoints}
    others = [
        replace(endpoint, handshake=EXPERIMENTS[endpoint.handshake], expect=Expect())
        for endpoint in target.endpoints
        if endpoint.handshake in EXPERIMENTS
    ]
    return replace(target, endpoints=(*target.endpoints, *(each for each in others if identity(each) not in known)))


def identity(endpoint: Endpoint) -> tuple[str, int, str, str]:
    return endpoint.host, endpoint.port, endpoint.transport, endpoint.handshake
