"""The scoreboard adds up: a small board by hand, its numbers, its words, and the ways of running compared."""

from __future__ import annotations

import json

import pytest

from tests.lab.agreement import compare
from tests.lab.model import Entry, Expected, Run, Scored
from tests.lab.plan import COUNTRY
from tests.lab.runs import HARMLESS_RUNS, SCORING_SEEDS, SLICE_SEEDS, TUNING_SEEDS, board
from tests.lab.score import Said, score
from tests.lab.scoreboard import Board, as_text, summary, table

DROP = Expected("likely_blocked", "tls.sni.drop")


def entry(name: str, **more: object) -> Entry:
    return Entry(name, f"Does {name}.", "here", lambda random: (), **more)  # type: ignore[arg-type]


TECHNIQUES = {
    "sni": entry("sni", expected={"signal/chat": DROP}),
    "rtp": entry("rtp", expected={"viber/call": Expected("blocked", "rtp.drop", not_yet="call flows")}),
    "own": entry("own", expected={"signal/chat": DROP}, self_test=True),
}
IMPAIRMENTS = {"loss": entry("loss", mild=True), "portal": entry("portal")}
OK = Said("signal/chat", "ok", None, "complete")
DROPPED = Said("signal/chat", "likely_blocked", "tls.sni.drop", "tls_hello_dropped")
REACHED = Said("viber/call", "insufficient", None, "relay_only")


def cells(name: str, seed: int, *said: Said) -> list[Scored]:
    one = (TECHNIQUES | IMPAIRMENTS)[name]
    return score(Run(name, "iam", "4g", seed), one, said, harmless=name in IMPAIRMENTS)


@pytest.fixture
def small() -> Board:
    scored = [
        *cells("sni", 1, DROPPED, REACHED),
        *cells("sni", 2, OK, REACHED),
        *cells("rtp", 1, OK, REACHED),
        *cells("own", 1, DROPPED),
        *cells("loss", 1, OK, REACHED),
        *cells("loss", 2, DROPPED),
        *cells("portal", 1, OK),
    ]
    return Board(scored, TECHNIQUES, IMPAIRMENTS, harmless_runs=3)


def test_the_numbers_on_top(small: Board) -> None:
    found = summary(small, {"runs": 7})
    on_top = ("false_accusations", "harmless_runs", "state_correct", "mechanism_correct", "shallow", "not_yet", "runs")
    assert [found[name] for name in on_top] == [1, 3, 0.5, 0.5, 0.0, 1, 7]
    assert found["false_accusations_waiting"] == {"": 1}
    assert (found["mild_ok"]["fraction"], found["self_test"]["state_correct"]) == (0.6667, 1.0)
    assert found["untouched"]["fraction"] == 1.0
    assert found["entries"]["sni"]["outcomes"] == {"right": 1, "wrong_state": 1}
    assert json.loads(as_text(found)) == found
    assert found["cells"][2] == {
        "entry": "own",
        "target": "signal/chat",
        "expected": "likely_blocked tls.sni.drop",
        "said": {"likely_blocked tls.sni.drop": 1},
        "4g": {"right": 1},
    }


def test_what_is_wrong_comes_with_its_command(small: Board) -> None:
    found = summary(small, {})
    again = "python -m tests.lab --entry {} --operator iam --access 4g --seed 2"
    assert {row["command"] for row in found["wrong"]} == {again.format("sni"), again.format("loss")}
    assert [row["entry"] for row in found["worst"]] == ["loss", "sni"]
    text = table(found)
    assert again.format("loss") in text
    assert "1 of 3 harmless runs accuse somebody" in text


def test_scoring_seeds_are_never_tuned_with() -> None:
    assert not {*TUNING_SEEDS} & {*SCORING_SEEDS}
    assert {*SLICE_SEEDS} < {*TUNING_SEEDS}


def test_the_board_has_every_access_and_operator_and_enough_harmless_runs() -> None:
    runs = board([*TECHNIQUES.values()], [*IMPAIRMENTS.values()])
    assert len({*runs}) == len(runs)
    assert {run.seed for run in runs} <= {*SCORING_SEEDS}
    assert sum(run.entry in IMPAIRMENTS for run in runs) >= HARMLESS_RUNS
    assert {run.operator for run in runs if run.entry == "sni"} == {*COUNTRY}
    assert {run.access for run in runs if run.entry == "sni"} == {"3g", "4g", "wifi", "adsl"}
    assert runs == board([*TECHNIQUES.values()], [*IMPAIRMENTS.values()])


def test_three_ways_agree_or_are_told() -> None:
    run = Run("sni", "iam", "adsl", 1)
    here = {run: {"signal/chat": ("likely_blocked", "tls.sni.drop"), "viber/chat": ("ok", None)}}
    alone = {run: {"signal/chat": ("impaired", None), "viber/chat": ("ok", None)}}
    assert compare(here, here, alone, alone) == {"runs": 1, "cells": 2, "differ": []}
    lost = {run: {"viber/chat": ("ok", None)}}
    assert [
        (row["by"], row["target"], row["forked"], row["said"])
        for told in ((here, lost, alone, alone), (here, here, alone, here))
        for row in compare(*told)["differ"]
    ] == [
        ("collector", "signal/chat", ["likely_blocked", "tls.sni.drop"], []),
        ("probe", "signal/chat", ["impaired", None], ["likely_blocked", "tls.sni.drop"]),
    ]
