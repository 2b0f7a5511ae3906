"""What it is not to be answered: nothing came, or somebody on the way said that nothing can.

Both pass by themselves (a lost packet, a line that resynchronises), so they count only when they repeat. So does a
connection that is refused or broken off: a server that is too busy, or restarts, does that to whoever comes.
"""

from __future__ import annotations

from probe.failure import BROKEN_OFF, HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED, REFUSED, TIMEOUT
from probe.model import Observation, Resolution, Step, Transport

UNANSWERED = frozenset({TIMEOUT, HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED})
REFUSED_BY_SOMEBODY = frozenset({Step.TCP, Step.DNS})  # a refusal there is an answer: a reset, or a server's


def is_in_clear(resolution: Resolution) -> bool:
    """As apps ask. A resolver that is asked in TLS is one of ours, and its silence is no app's."""
    facts = resolution.observation.dns
    return facts is None or facts.transport in (Transport.UDP, Transport.TCP)


def is_unanswered(observation: Observation) -> bool:
    """Over UDP a refusal is an ICMP error too; a TCP connection that is refused was answered."""
    if observation.failure == REFUSED:
        return observation.step not in REFUSED_BY_SOMEBODY
    return observation.failure in UNANSWERED


def may_pass(observation: Observation) -> bool:
    """It counts only when it repeats."""
    return is_unanswered(observation) or observation.failure in BROKEN_OFF | {REFUSED}
