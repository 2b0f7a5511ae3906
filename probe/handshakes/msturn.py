"""MS-TURN Allocate without credentials over UDP ([MS-TURN] 3.2): a relay of Teams, asked up to the door.

Sent: the 68 bytes that Teams' client first sends (capture of 2020-04), again on STUN's schedule while nothing came;
never credentials, never a second request. Answer: 401 with our transaction id is `bound`; in the dialect (its cookie
first) and with the realm `"rtcmedia"`, quotation marks included, it is `marked`. Another reply with our transaction
id is no silence and no success: somebody read the request. A middlebox can drop MS-TURN by its attributes (8006,
8055: nDPI's rule for Teams), by STUN's cookie, by port or by address, or forge the reply if it reads the request.
Leaks: the volunteer's address to the relay, which tells it back: compared, dropped. Asked at most four times an hour.
"""

from __future__ import annotations

from probe.codecs import msturn
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.handshakes.stun import LIMIT
from probe.handshakes.trace import Trace
from probe.handshakes.transaction import Transaction
from probe.handshakes.turn import UNAUTHORIZED
from probe.model import Endpoint, Grade, Operation, Step, StunFacts
from probe.net.record import StepRecord
from probe.private_text import clean_text


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks for an allocation and expects to be refused. Raises StepFailed."""
    async with trace.step(Step.TURN, LIMIT + 1) as record:
        request = msturn.allocate_request(trace.instruments.random_bytes(12))
        message = await _transact(trace, record, endpoint, request)
        if message.error_code != UNAUTHORIZED:
            raise Failed(UNEXPECTED_REPLY)
    expected = endpoint.expect.realm
    marked = expected is not None and message.is_of_dialect and message.realm == expected
    return Grade.MARKED if marked else Grade.BOUND


async def _transact(trace: Trace, record: StepRecord, endpoint: Endpoint, request: bytes) -> msturn.Message:
    """One transaction; its facts go to `record`. Raises OSError or Failed."""
    datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
    record.operation = Operation.READ
    asked = Transaction(datagrams, request, lambda data: msturn.answer_to(request, data))
    try:
        message = await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.keep(StunFacts(sends=asked.sends, unmatched=asked.unmatched))
    record.operation = Operation.DECODE
    record.keep(_facts(asked, message, datagrams.local))
    return message


def _facts(asked: Transaction[msturn.Message], message: msturn.Message, local: tuple[str, int]) -> StunFacts:
    mapped = message.mapped_address
    return StunFacts(
        sends=asked.sends,
        unmatched=asked.unmatched,
        error_code=message.error_code,
        realm=message.realm and clean_text(message.realm),
        mapped_is_local=mapped and mapped == local,
        port_preserved=mapped and mapped[1] == local[1],
    )
