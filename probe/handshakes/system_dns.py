"""A question to the system's own resolver (getaddrinfo, RFC 3493), where its servers are not known.

Sent: whatever the system sends, to whom it likes, as it does for every app. Answer: addresses, or an error that says
less than DNS does: no such name, nothing of this kind, try again, failed. Leaks: the asked name, to the resolver that
the device uses anyway. Its rcode, TTL and late answers cannot be had, nor what carried the question.
"""

from __future__ import annotations

import socket

from probe.failure import NO_ANSWER, NXDOMAIN, Failed
from probe.handshakes.dns import Question, Resolved
from probe.handshakes.trace import Trace
from probe.model import DnsFacts, Operation, Step, Transport

LIMIT = 12.0  # seconds: most systems ask again after five
FAMILY = {"A": 4, "AAAA": 6}
FAILURES = {  # OONI's words
    socket.EAI_NONAME: NXDOMAIN,
    socket.EAI_AGAIN: "dns_temporary_failure",
    socket.EAI_FAIL: "dns_non_recoverable_failure",
    getattr(socket, "EAI_NODATA", -5): NO_ANSWER,
    getattr(socket, "EAI_ADDRFAMILY", -9): NO_ANSWER,
}


async def resolve_by_system(trace: Trace, question: Question) -> Resolved:
    """The addresses that the system gives. Raises StepFailed."""
    names = trace.instruments.system_names
    assert names is not None
    async with trace.step(Step.DNS, LIMIT) as record:
        facts = DnsFacts(resolver=question.resolver, transport=Transport.UNKNOWN, qtype=question.qtype)
        record.keep(facts)
        record.operation = Operation.READ
        try:
            found = await names(question.host, FAMILY[question.qtype])
        except socket.gaierror as error:
            raise Failed(FAILURES.get(error.errno or 0, "dns_non_recoverable_failure")) from error
        own = trace.instruments.own_addresses
        record.amend(DnsFacts, answers=tuple("self" if address in own else address for address in found))
        if not found:
            raise Failed(NO_ANSWER)
    return Resolved(found)
