"""What it is not to be answered: nothing came, or somebody on the way said that nothing can.

Both pass by themselves (a lost packet, a line that resynchronises), so they count only when they repeat.
"""

from __future__ import annotations

from probe.failure import HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED, REFUSED, TIMEOUT
from probe.model import Observation, Step

UNANSWERED = frozenset({TIMEOUT, HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED})
OVER_UDP = frozenset({Step.STUN, Step.TURN})


def is_unanswered(observation: Observation) -> bool:
    """Over UDP a refusal is an ICMP error too; over TCP it is an answer."""
    if observation.failure == REFUSED:
        return observation.step in OVER_UDP
    return observation.failure in UNANSWERED
