"""Answers in a resolver's place, and questions that get none. DNS over UDP, port 53."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.lab.filters.aim import Aim, aim, is_of, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import TTL, View, dns_answer, dns_question, packed, parse, reply_udp

QTYPES = {"A": 1, "AAAA": 28}
SIZES = {1: 4, 28: 16}  # qtype → bytes of an address
QUESTION = 12  # where it begins, behind the header
TRUNCATED = 0x02  # TC, in the header's third byte
RCODES = {"NOERROR": 0, "SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


class Questions:
    """Recognises questions for `names` that go to one of `resolvers` (None: to anybody), and to none of `spares`."""

    def __init__(self, parameters: Parameters) -> None:
        resolvers = parameters.get("resolvers")
        self._aim: Aim = aim({"addresses": resolvers, "ports": (53,), "direction": "up"}, "udp")
        spares = parameters.get("spares", ())
        self._spared: Aim = aim({"addresses": spares, "ports": (53,), "direction": "up"}, "udp")
        self._names = tuple(parameters["names"])
        self._qtypes = frozenset(QTYPES[each] for each in parameters.get("qtypes") or QTYPES)

    def asked(self, view: View, up: bool) -> int | None:
        """The type that is asked for; None when the packet is no such question."""
        question = dns_question(view.payload) if self._aim(view, up) and not self._spared(view, up) else None
        if question is None or question[1] not in self._qtypes or not is_of(question[0], self._names):
            return None
        return question[1]


def make_answer(parameters: Parameters, random: Random) -> Filter:
    """`keep`: the question goes on, so that the true answer comes second. No address of the asked family: no answer.

    `ttl` is the packet's, `answer_ttl` the answer's. `times`: of each question only the first so often.
    """
    questions, times = Questions(parameters), parameters.get("times")
    answered: Counter[bytes] = Counter()  # by what was asked of whom
    rcode = RCODES[parameters.get("rcode", "NOERROR")]
    given = parameters.get("address", ())
    addresses = [packed(address) for address in ([given] if isinstance(given, str) else given)]
    keep, ttl, answer_ttl = (parameters.get(*each) for each in (("keep", False), ("ttl", TTL), ("answer_ttl", 60)))

    def answer(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        asked = questions.asked(view, up)
        if asked is None:
            return passes(packet, up)
        if times is not None:
            question = view.destination + view.payload[QUESTION:].lower()
            answered[question] += 1
            if answered[question] > times:
                return passes(packet, up)
        fitting = tuple(address for address in addresses if len(address) == SIZES[asked])
        lie = Fate(reply_udp(view, dns_answer(view.payload, rcode, fitting, answer_ttl), ttl), False)
        return [lie, Fate(packet, up)] if keep else [lie]

    return answer


def make_truncated(parameters: Parameters, random: Random) -> Filter:
    """Over UDP the answer is said to be too long: the question is to be asked again over TCP (RFC 7766, section 5)."""
    questions = Questions(parameters)

    def truncate(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if questions.asked(view, up) is None:
            return passes(packet, up)
        answer = dns_answer(view.payload)
        return [Fate(reply_udp(view, answer[:2] + bytes((answer[2] | TRUNCATED,)) + answer[3:]), False)]

    return truncate


def make_silent(parameters: Parameters, random: Random) -> Filter:
    """Questions disappear."""
    questions = Questions(parameters)

    def silent(packet: bytes, up: bool, now: float) -> list[Fate]:
        return passes(packet, up) if questions.asked(parse(packet), up) is None else []

    return silent
