"""What a simulated line measures are facts, which the real judge judges into what was done; chance is seeded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collector.replay import moment_ms
from collector.replay.episode import Episode, Line
from collector.replay.simulate import cycle
from collector.replay.techniques import TECHNIQUES
from probe import targets as targets_file
from probe.judge import Evidence, judge
from probe.model import Access, ControlMeasurement, Measurement, Target, Verdict
from tests.collector.replay.stories import SMALL, small

TARGETS = targets_file.packaged()
MOMENT = moment_ms("2016-01-15T12:00")
QUIET = SMALL.replace("noise: {lost: 5}", "noise: {}")


def measured(episode: Episode, line: Line, moment_ms: int = MOMENT, *, again: bool = False) -> tuple[Measurement, ...]:
    one = cycle(episode, TARGETS, line, moment_ms, again=again)
    return () if one is None else one.measurements


def line(episode: Episode, name: str) -> Line:
    return next(each for each in episode.lines if each.name == name)


def judged(episode: Episode, target: Target, name: str) -> Verdict:
    """The verdict of the last round, with the episode's controls beside it."""
    rounds = [each for each in measured(episode, line(episode, name)) if each.target == target.id]
    controls = tuple(
        ControlMeasurement(key=each.name, network=each.place.network, measurement=seen)
        for each in episode.controls
        for again in (False, True)
        for seen in measured(episode, each, again=again)
        if seen.target == target.id
    )
    return judge(
        Evidence(
            measurement=rounds[-1],
            target=target,
            earlier=rounds[0] if len(rounds) > 1 else None,
            network=line(episode, name).place.network,
            controls=controls,
            calibrating=controls,
        )
    )


@pytest.mark.parametrize(
    ("technique", "target", "state", "mechanism"),
    [
        ("silence", "viber/call", "likely_blocked", "udp.endpoint.drop"),
        ("silence", "whatsapp/chat", "likely_blocked", "ip.drop"),
        ("silence", "whatsapp/web", "likely_blocked", "ip.drop"),
        ("reject", "viber/call", "likely_blocked", "ip.reject"),
        ("reset", "whatsapp/web", "likely_blocked", "tls.sni.reset"),
        ("reset", "viber/call", "insufficient", None),  # leaves UDP alone: the relay answers
        ("allocate", "viber/call", "likely_blocked", "turn.allocate.drop"),
        ("allocate", "whatsapp/web", "ok", None),
    ],
)
def test_the_judge_sees_what_the_technique_does(technique: str, target: str, state: str, mechanism: str | None) -> None:
    text = QUIET.replace("[whatsapp/chat, viber/call]", f"[{target}]").replace("[viber/call]", f"[{target}]")
    episode = small(text.replace("technique: silence", f"technique: {technique}"))
    known = next(each for each in TARGETS.targets if each.id == target)
    hit = judged(episode, known, "iam-4g-1")
    assert (hit.state, hit.mechanism) == (state, mechanism)
    free = judged(episode, known, "inwi-4g-1")
    assert free.state == ("insufficient" if known.role == "call" else "ok")
    assert free.mechanism is None


def test_what_is_silent_everywhere_is_down() -> None:
    text = QUIET.replace("technique: silence", "technique: silence\n    everywhere: true")
    episode = small(text.replace("viber/call", "whatsapp/web"))
    verdict = judged(episode, next(each for each in TARGETS.targets if each.id == "whatsapp/web"), "iam-4g-1")
    assert (verdict.state, verdict.rule) == ("down", "down")


def test_every_technique_is_judged_above() -> None:
    assert set(TECHNIQUES) == {"silence", "reject", "reset", "allocate"}


def test_every_target_that_is_shipped_can_be_simulated() -> None:
    """Whatever its handshake: free, a service is `ok`, and of a call the relay answers."""
    for target in TARGETS.targets:
        if target.service == "baseline" or not target.endpoints:
            continue
        episode = small(QUIET.replace("[whatsapp/chat, viber/call]", f"[viber/call, {target.id}]"))
        verdict = judged(episode, target, "inwi-adsl-1")
        assert (verdict.state, verdict.rule) in {("ok", "complete"), ("insufficient", "relay_only")}, target.id


def test_the_same_cycle_is_simulated_twice_alike() -> None:
    episode = small()
    for one in (*episode.lines, *episode.controls):
        assert measured(episode, one) == measured(small(), one)
    both = {measured(episode, one)[0].uid for one in episode.lines}
    assert len(both) == len(episode.lines)


def test_uids_never_repeat() -> None:
    episode = small()
    moments = [MOMENT + hour * 3_600_000 for hour in range(24)]
    uids = [each.uid for one in episode.lines for moment in moments for each in measured(episode, one, moment)]
    assert len(uids) == len(set(uids)) > 500


def test_noise_is_what_the_episode_says() -> None:
    episode = small(SMALL.replace("noise: {lost: 5}", "noise: {lost: 20, absent: 10, offline: 5}"))
    one = line(episode, "inwi-adsl-1")
    cycles = [measured(episode, one, MOMENT + hour * 3_600_000) for hour in range(1000)]
    assert 60 < sum(not each for each in cycles) < 150
    present = [each for each in cycles if each]
    assert 20 < sum(not each[0].link.up for each in present) < 80
    seen = [each for found in present for each in found if each.link.up]
    again = sum(each.round == 2 for each in seen)
    assert 0.14 < again / (len(seen) - again) < 0.26


def test_a_control_is_before_the_lines_and_never_fails() -> None:
    episode = small(SMALL.replace("lost: 5", "lost: 100"))
    controls = [measured(episode, each) for each in episode.controls]
    first = min(seen.started_ms for each in episode.lines for seen in measured(episode, each))
    assert all(seen.round == 1 and seen.attempts for each in controls for seen in each)
    assert max(seen.started_ms for each in controls for seen in each) < first


def test_everything_says_that_it_is_simulated() -> None:
    episode = small()

    def texts(value: Any) -> str:
        return msgspec.json.encode(value).decode()

    for one in (*episode.controls, *episode.lines):
        for each in measured(episode, one):
            assert '"simulated":true' in texts(each)
            assert each.link.declared is (Access.UNKNOWN if one.control else one.access)
            assert one.address not in texts(each)
