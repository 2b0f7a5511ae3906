"""SIP REGISTER without credentials (RFC 3261, section 10): a telephone's first words to its provider, up to the door.

Sent: one REGISTER for a random user of the provider's domain, without a Contact, so that it could change nothing
even where nobody asks who we are; never credentials, never a second request. Answer: 401 or 407 to our own request is
`bound`; with the realm that the provider is known to use it is `marked`. Any other status is `bound` too: somebody
read the request. What a middlebox can do is as for `sip` (OPTIONS), and some ban REGISTER alone.
Leaks: as `sip`; the user's name is chance.
"""

from __future__ import annotations

from probe.codecs import sip
from probe.handshakes.sip import ask, domain
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade
from probe.net.record import StepRecord

CHALLENGES = (401, 407)


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks to be registered and expects to be asked who we are. Raises StepFailed."""

    def proves(message: sip.Message, record: StepRecord) -> Grade:
        realm = endpoint.expect.realm
        marked = realm is not None and message.status in CHALLENGES and message.realm == realm
        return Grade.MARKED if marked else Grade.BOUND

    random_bytes = trace.instruments.random_bytes(sip.IDENTIFIER_BYTES)
    _, grade = await ask(
        trace, endpoint, sip.register_request(domain(endpoint), endpoint.transport, random_bytes), proves
    )
    return grade
