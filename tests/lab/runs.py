"""Which runs the scoreboard has, with which seeds. Those it is tuned with while building are others.

Every entry runs on each of its accesses. A technique runs once on each of the country's operators; an impairment so
often that all together are HARMLESS_RUNS, for what never happens in few runs may still happen in many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from tests.lab.model import Entry, Run
from tests.lab.plan import COUNTRY
from tests.lab.settings import parse

TUNING_SEEDS = range(1, 1000)  # for whoever changes a rule or a technique
SLICE_SEEDS = range(500, 600)  # of `make test`: among the tuning ones
SCORING_SEEDS = range(1000, 2000)
HARMLESS_RUNS = 2000
SEEDS_OF_A_TECHNIQUE = len(COUNTRY)

SLICE = [
    Run(entry, "iam", "adsl", SLICE_SEEDS[0])  # an access that loses nothing, so that nothing is left to luck
    for entry in (
        "clean",
        "dns.nxdomain",
        "dns.forged.bogon",
        "dns.injected",
        "ip.drop.literal",
        "ip.reject",
        "tls.sni.drop",
        "tls.mitm",
        "turn.allocate.drop",
        "udp.endpoint.drop",
        "mild.symmetric-nat",
        "line.dead",
        "home.filter",
        "home.portal",
    )
]
SLICE_SCALE = 0.5  # of the probe's limits, which leaves 4 s for an answer that takes 30 ms
THREE_WAYS = [  # those that also go through the installed programs; all are judged with the same live controls
    Run(entry, "iam", "adsl", SCORING_SEEDS[0])
    for entry in (
        *(run.entry for run in SLICE if run.entry not in ("line.dead", "home.portal")),  # which could not upload
        "dns.servfail",
        "dns.silent.everywhere",
        "ip.drop.named",
        "ip.reset",
        "ip.reject.relay",
        "tls.sni.reset.in-path",
        "tls.reply.drop",
        "tls.mitm.v4",
        "udp.all.drop",
        "udp.port.drop.viber",
        "stun.cookie.drop",
        "emirates.2017",
        "ethiopia.2019",
        "home.antivirus-spares-some",  # told by where on the path it is, with the programs' own sockets
        "home.router-answers-dns",
    )
]


def seeds_of_an_impairment(impairments: Sequence[Entry]) -> int:
    """So many on each access."""
    each = sum(len(entry.accesses) for entry in impairments)
    return math.ceil(HARMLESS_RUNS / each) if each else 0


def runs_of(entry: Entry, seeds: Sequence[int]) -> list[Run]:
    """On every access, operator after operator."""
    operators = parse(entry.settings).operators or COUNTRY
    return [
        Run(entry.name, operators[number % len(operators)], access, seed)
        for access in entry.accesses
        for number, seed in enumerate(seeds)
    ]


def board(techniques: Sequence[Entry], impairments: Sequence[Entry], first_seed: int = SCORING_SEEDS[0]) -> list[Run]:
    """In an order that mixes slow runs with fast ones, and is always the same."""
    runs = [*_of(techniques, first_seed, SEEDS_OF_A_TECHNIQUE)]
    harmless = _of(impairments, first_seed, seeds_of_an_impairment(impairments))
    runs += sorted(harmless, key=lambda run: run.seed)[:HARMLESS_RUNS]  # the last seed for as many as it takes
    Random(first_seed).shuffle(runs)
    return runs


def _of(entries: Sequence[Entry], first_seed: int, count: int) -> list[Run]:
    return [run for entry in entries for run in runs_of(entry, range(first_seed, first_seed + count))]
