"""What the kernel does to a line and what the lab's own path does must lead to the same verdict: the design's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.differential import catalogue
from tests.lab.kernel import NEEDS
from tests.lab.kernel_rules import KERNEL, NotShared, doing
from tests.lab.model import Stage
from tests.lab.techniques import TECHNIQUES
from tests.lab.techniques.aims import stage
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
ENTRIES = {entry.name: entry for entry in TECHNIQUES}
SAMPLE = (  # one of each kind; `python -m tests.lab.differential` measures all that are shared
    "dns.nxdomain",
    "dns.servfail",
    "dns.forged.bogon",
    "dns.silent.everywhere",
    "ip.drop.named",
    "ip.reset",
    "ip.reject.relay",
    "tls.sni.drop",
    "tls.sni.reset.in-path",
    "tls.mitm",
    "udp.endpoint.drop",
    "udp.port.drop.3478",
    "udp.all.drop",
    "stun.cookie.drop",
    "turn.allocate.drop",
)
Verdicts = dict[str, dict[str, list[Any]]]


@pytest.fixture(scope="module")
def measured() -> dict[str, Verdicts]:
    """In a process of its own, whose children may leave for the lab."""
    command = [sys.executable, "-m", "tests.lab.differential", *SAMPLE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert not [line["error"] for line in lines if line["error"]]
    return {line["entry"]: line for line in lines}


@pytest.mark.needs(*NEEDS)
@pytest.mark.parametrize("name", SAMPLE)
def test_both_censors_lead_to_the_same_verdict(measured: dict[str, Verdicts], name: str) -> None:
    kernel, path = measured[name]["kernel"], concluded(measured[name]["path"])
    assert concluded(kernel) == path | dict.fromkeys(without_a_place(kernel, path), ("impaired", None))
    wanted = {target: each for target, each in ENTRIES[name].expected.items() if not each.not_yet}
    assert {target: path[target] for target in wanted} == {
        target: (each.state, each.mechanism) for target, each in wanted.items()
    }


def without_a_place(kernel: dict[str, list[Any]], path: dict[str, tuple[str, str | None]]) -> list[str]:
    """Targets whose address dies at the kernel's censor: no router stands before it, so no sweep can end inside.

    The lab's own path has one, by which a lost route is excluded; without it a line is below the floor (design, 4).
    """
    return [
        target
        for target, (_, _, rule) in kernel.items()
        if rule == "routing_or_service_not_excluded" and path[target][0] == "likely_blocked"
    ]


def concluded(verdicts: dict[str, list[Any]]) -> dict[str, tuple[str, str | None]]:
    return {target: (state, mechanism) for target, (state, mechanism, _) in verdicts.items()}


def test_more_than_half_of_the_techniques_are_shared() -> None:
    able = {each.entry.name for each in catalogue([])}
    assert len(able) * 2 > len(ENTRIES)
    assert set(SAMPLE) <= able


@pytest.mark.parametrize(
    ("what", "rules"),
    [
        (
            stage("ip.drop", addresses=("192.0.2.1", "2001:db8::1"), protocol="tcp", direction="down"),
            [
                "TO meta nfproto ipv4 ip saddr { 192.0.2.1 } meta l4proto tcp counter drop",
                "TO meta nfproto ipv6 ip6 saddr { 2001:db8::1 } meta l4proto tcp counter drop",
            ],
        ),
        (
            stage("ip.reject", addresses=("192.0.2.1",), protocol="udp", code=3),
            [
                "FROM meta nfproto ipv4 ip daddr { 192.0.2.1 } meta l4proto udp "
                "counter reject with icmpx type port-unreachable"
            ],
        ),
        (
            stage("udp.all.drop", except_ports=(53, 123)),
            ["FROM udp dport != { 53, 123 } counter drop", "TO udp sport != { 53, 123 } counter drop"],
        ),
    ],
)
def test_stages_become_rules(what: Stage, rules: list[str]) -> None:
    assert [" ".join(rule.split()) for rule in doing([what]).rules.forward] == rules


@pytest.mark.parametrize(
    "what",
    [
        stage("tls.reply.drop", names=("a.example",)),
        stage("tls.sni.reset", names=("a.example",), in_path=False),
        stage("dns.answer", names=("a.example",), rcode="NXDOMAIN", keep=True),
        stage("dns.answer", names=("a.example",), rcode="REFUSED"),
        stage("ip.reject", addresses=("192.0.2.1",), code=9),
        stage("ip.drop", addresses=("192.0.2.1",), ports=(443,)),
    ],
)
def test_what_the_kernel_cannot_do_is_said(what: Stage) -> None:
    with pytest.raises(NotShared, match=r"\w+ \w+"):
        doing([what])


def test_a_question_is_led_to_one_liar_only() -> None:
    lie = stage("dns.answer", names=("a.example",), rcode="NXDOMAIN")
    assert len(doing([lie]).lies) == 1
    with pytest.raises(NotShared, match="once only"):
        doing([lie, lie])


def test_every_rule_of_the_kernel_is_of_a_filter_of_the_lab() -> None:
    from tests.lab.filters import FILTERS

    assert set(KERNEL) <= set(FILTERS)
