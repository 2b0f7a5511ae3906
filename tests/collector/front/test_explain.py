"""The words say what each state and mechanism of the design is, and never that something works."""

from __future__ import annotations

import re

import pytest

from probe.explain import (
    DEPTH_WORDS,
    MECHANISM_WORDS,
    STATE_WORDS,
    STEP_WORDS,
    mechanism_words,
    state_words,
)
from probe.model import Depth, State, Step, Verdict

# As design.md lists them, section 4.
MECHANISMS = """
dns.{nxdomain,servfail,forged,injected,silent} ip.{drop,reset,reject} tls.{sni.drop,sni.reset,reply.drop,mitm}
http.{blockpage,reset} quic.{drop,sni.drop} udp.{all,port,endpoint,unknown}.drop stun.{cookie,attribute,reply}.drop
turn.allocate.drop rtp.drop dtls.drop sip.{drop,rewrite} flow.{cutoff.packets,cutoff.time,throttle,loss,oneway}
tcp.payload.{drop,reset} allowlist.{protocol,destination} residual forced_fallback partial service.refusal
local.{resolver,firewall,tls,nat,portal}
"""


def spelled_out(pattern: str) -> list[str]:
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    choices, _, after = rest.partition("}")
    return [before + choice + after for choice in choices.split(",")]


def verdict(state: State, depth: Depth | None = None) -> Verdict:
    return Verdict(
        target="whatsapp/call",
        state=state,
        mechanism=None,
        depth=depth,
        grade=None,
        step=None,
        rule="r",
        rules_version=1,
        reason="",
        uid="1",
        round=1,
    )


def test_every_mechanism_of_the_design_has_words() -> None:
    assert set(MECHANISM_WORDS) == {m for pattern in MECHANISMS.split() for m in spelled_out(pattern)}


def test_every_word_of_the_vocabularies_has_words() -> None:
    assert set(STATE_WORDS) == set(State)
    assert set(STEP_WORDS) == set(Step)
    assert set(DEPTH_WORDS) == set(Depth)


def test_no_two_mechanisms_read_alike() -> None:
    assert len(set(MECHANISM_WORDS.values())) == len(MECHANISM_WORDS)


@pytest.mark.parametrize("table", [STATE_WORDS, MECHANISM_WORDS, STEP_WORDS, DEPTH_WORDS])
def test_nothing_says_works_or_accuses_anyone(table: dict[str, str]) -> None:
    for words in table.values():
        assert not re.search(r"\bworks?\b|\boperator\b|\bgovernment\b|\bcensor", words, re.IGNORECASE), words


def test_a_refined_mechanism_reads_as_what_is_known_of_it() -> None:
    assert mechanism_words("tls.sni.reset.twice") == MECHANISM_WORDS["tls.sni.reset"]
    assert mechanism_words("partial") == MECHANISM_WORDS["partial"]
    assert mechanism_words(None) == ""
    assert mechanism_words("warp.drive") == "in a way that this version does not know (warp.drive)"


def test_a_call_whose_relay_answers_is_said_to_be_just_that() -> None:
    reached = verdict(State.INSUFFICIENT, Depth.RELAY_ANSWERS)
    assert state_words(reached) == "cannot be concluded: relay reached, call not exercised"
    assert state_words(verdict(State.OK, Depth.SETUP_PASSES)) == "no interference seen"
    assert state_words(verdict(State.INSUFFICIENT)) == "cannot be concluded"
