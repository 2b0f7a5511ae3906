"""Who counts in a cell: established lines, at most two of a source, and no source alone decides what is made public."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge import Line, cell
from probe.judge.cells import SHARED, sources_floor
from probe.judge.conclusion import Floors, concluded, seen, without_each
from probe.judge.voices import votes
from probe.model import Access, Cell, Depth, Network, State, Verdict
from tests.probe.judge.test_cells import DROPPED, REACHED, UDP_DEAD, VERDICT

ACCESSES = [Access.ADSL, Access.G4]
# Every kind of line: all states, a drop that others contradict, an answer that contradicts one, UDP that is dead.
VERDICTS = [
    *(replace(VERDICT, state=state) for state in (State.OK, State.OK, State.BLOCKED, State.LIKELY_BLOCKED)),
    *(replace(VERDICT, state=state) for state in (State.IMPAIRED, State.DOWN, State.DEGRADED, State.INSUFFICIENT)),
    replace(VERDICT, state=State.BLOCKED, mechanism="tls.mitm"),
    *(DROPPED, DROPPED, REACHED, REACHED, UDP_DEAD, UDP_DEAD),
]


def line(state: str, bucket: str | None, *, established: bool = True, verdict: Verdict = VERDICT) -> Line:
    return Line(verdict=replace(verdict, state=State(state)), established=established, bucket=bucket)


def made_of(lines: Iterable[Line], access: Access = Access.ADSL) -> Cell:
    return cell("service/call", Network(), access, 0, 3_600_000, list(lines))


def of(*said: str, established: bool = True) -> list[Line]:
    """Lines from words such as `a:blocked`: a bucket and a state."""
    return [
        line(state, bucket or None, established=established) for bucket, state in (word.split(":") for word in said)
    ]


TRUE = st.just(True)


def lines_of(buckets: str, *, established: st.SearchStrategy[bool] = TRUE) -> st.SearchStrategy[list[Line]]:
    return st.lists(
        st.builds(
            Line,
            verdict=st.sampled_from(VERDICTS),
            established=established,
            bucket=st.sampled_from([*buckets]),
        ),
        max_size=14,
    )


access = st.sampled_from(ACCESSES)
CONCLUSIVE_FAMILIES = [{State.BLOCKED, State.LIKELY_BLOCKED}]  # `likely_blocked` says less than `blocked`


def is_one_conclusion(states: set[State]) -> bool:
    return len(states - {State.INSUFFICIENT}) <= 1 or any(
        states - {State.INSUFFICIENT} <= family for family in CONCLUSIVE_FAMILIES
    )


@settings(max_examples=500)
@given(access, lines_of("abcd"), lines_of("x"), lines_of("x"))
def test_no_single_source_flips_what_is_public(
    access: Access, others: list[Line], one: list[Line], other: list[Line]
) -> None:
    """Whatever it says: it can complete a finding, or keep it from being made, and not decide which it is."""
    told = {made_of([*others, *said], access).public_state for said in ([], one, other)}
    assert is_one_conclusion(told)


@settings(max_examples=500)
@given(access, lines_of("abc"), lines_of("x"))
def test_no_single_source_makes_a_finding(access: Access, others: list[Line], one: list[Line]) -> None:
    """What is public with it, the others say without it, of however few lines; and never more than they say."""
    public = made_of([*others, *one], access).public_state
    rest = concluded(seen((each.bucket, each.verdict) for each in others), Floors()).state
    assert public in (State.INSUFFICIENT, rest) or (public, rest) == (State.LIKELY_BLOCKED, State.BLOCKED)


@given(access, lines_of("x", established=st.booleans()))
def test_one_source_alone_makes_nothing_even_for_the_operator(access: Access, lines: list[Line]) -> None:
    found = made_of(lines, access)
    assert (found.public_state, found.state) == (State.INSUFFICIENT, State.INSUFFICIENT)


@given(access, lines_of("abcd", established=st.booleans()), st.randoms(use_true_random=False))
def test_order_does_not_matter(access: Access, lines: list[Line], chance: random.Random) -> None:
    shuffled = list(lines)
    chance.shuffle(shuffled)
    assert made_of(shuffled, access) == made_of(lines, access)


@settings(max_examples=200)
@given(lines_of("abcd"))
def test_leaving_a_source_out_is_leaving_its_lines_out(lines: list[Line]) -> None:
    """What is subtracted from the sums is what the rest would say by itself."""
    pairs = [(each.bucket, each.verdict) for each in lines]
    sources = dict.fromkeys(source for source, _ in pairs)
    each = [concluded(seen(p for p in pairs if p[0] != source), Floors()).state for source in sources]
    assert list(without_each(seen(pairs))) == each


@pytest.mark.parametrize(
    ("buckets", "access", "floor"),
    [
        ("", Access.ADSL, 3),
        ("aabc", Access.ADSL, 3),
        ("aab", Access.G4, 2),
        ("AAB", Access.ADSL, 2),
        ("A", Access.WIFI, 2),
        ("Ab", Access.ADSL, 3),
        ("AABc", Access.ADSL, 2),
        ("ABcd", Access.ADSL, 3),
        ("Abbbbb", Access.ADSL, 3),
    ],
)
def test_fewer_sources_are_enough_where_thousands_share_most(buckets: str, access: Access, floor: int) -> None:
    """Capitals are sources behind a carrier's NAT."""
    names = [f"{each}{SHARED}" if each.isupper() else each for each in buckets]
    assert sources_floor((access, name) for name in names) == floor
    found = made_of([line("blocked", name) for name in names], access)
    assert found.sources_floor == floor
    assert (found.public_state is State.BLOCKED) is (len(names) >= 3 and found.buckets >= floor)


def test_a_source_that_nobody_shares_hides_nothing_beside_two_that_thousands_do() -> None:
    names = [f"A{SHARED}", f"B{SHARED}"]
    honest = [line("blocked", name) for name in names * 2]
    assert made_of(honest).public_state is State.BLOCKED
    assert made_of([*honest, line("ok", "liar")]).public_state is State.BLOCKED


@given(lines_of("abcdef"))
def test_a_public_state_is_said_by_enough_established_sources(lines: list[Line]) -> None:
    for access, least in ((Access.ADSL, 3), (Access.G4, 2)):
        found = made_of(lines, access)
        if found.public_state is not State.INSUFFICIENT:
            assert found.established >= 3
            assert found.buckets >= least


@settings(max_examples=5, deadline=None)
@given(access, lines_of("abcdef"))
def test_a_thousand_fresh_keys_change_nothing_public(access: Access, honest: list[Line]) -> None:
    """Of three networks' addresses, all saying whatever they like."""
    before, flood = made_of(honest, access), [replace(each, established=False) for each in honest]
    flood += [line(state, bucket, established=False) for state in ("ok", "blocked") for bucket in "xyz"] * 167
    after = made_of([*honest, *flood], access)
    for field in ("public_state", "public_mechanism", "established", "buckets"):
        assert getattr(after, field) == getattr(before, field)


@pytest.mark.parametrize(
    ("lines", "access", "public"),
    [
        ("a:blocked b:blocked c:blocked", "adsl", "blocked"),
        ("a:ok b:ok c:ok", "adsl", "ok"),
        ("a:blocked a:blocked b:blocked b:blocked", "adsl", "insufficient"),
        ("a:blocked a:blocked b:blocked b:blocked", "4g", "blocked"),
        ("a:ok a:blocked b:ok b:blocked", "adsl", "insufficient"),
        ("a:ok a:blocked b:ok b:blocked", "4g", "mixed"),
        ("a:blocked b:blocked", "4g", "insufficient"),
        ("a:blocked a:blocked a:blocked a:blocked", "4g", "insufficient"),
        ("a:blocked b:blocked c:ok", "adsl", "insufficient"),
        ("a:blocked b:blocked c:blocked d:ok", "adsl", "blocked"),
        ("a:blocked b:blocked c:blocked d:ok d:ok", "adsl", "insufficient"),
        ("a:blocked b:blocked c:likely_blocked d:likely_blocked", "adsl", "likely_blocked"),
        ("a:blocked b:blocked c:blocked d:ok e:ok f:ok", "adsl", "mixed"),
        ("a:blocked a:blocked b:ok b:ok", "4g", "insufficient"),
        (":blocked :blocked :blocked", "adsl", "insufficient"),
        (":blocked a:blocked b:blocked", "adsl", "blocked"),
        ("a:blocked b:blocked c:blocked " + "x:ok " * 20, "adsl", "insufficient"),
        ("a:blocked b:blocked c:blocked d:blocked e:blocked " + "x:ok " * 20, "adsl", "blocked"),
    ],
)
def test_what_is_public(lines: str, access: str, public: str) -> None:
    assert made_of(of(*lines.split()), Access(access)).public_state == public


@pytest.mark.parametrize(
    ("reached", "silent", "access", "public"),
    [
        ("abc", "", "adsl", True),
        ("ab", "", "adsl", False),
        ("aabb", "", "4g", True),
        ("abc", "d", "adsl", True),
        ("abc", "de", "adsl", False),
        ("abcd", "ef", "adsl", False),  # without a, three of five
        ("abcde", "f", "adsl", True),
        ("abc", "x" * 20, "adsl", False),
        ("a" * 20, "", "adsl", False),
    ],
)
def test_the_public_depth_stands_without_any_source(reached: str, silent: str, access: str, public: bool) -> None:
    answered = [deep(line("insufficient", bucket), Depth.RELAY_ANSWERS) for bucket in reached]
    found = made_of([*answered, *(line("insufficient", bucket) for bucket in silent)], Access(access))
    assert found.public_depth == (Depth.RELAY_ANSWERS if public else None)
    fresh = [replace(each, established=False) for each in answered]
    assert made_of(fresh, Access(access)).public_depth is None


def deep(one: Line, depth: Depth) -> Line:
    return replace(one, verdict=replace(one.verdict, depth=depth))


def test_fresh_keys_count_for_the_operator_only() -> None:
    found = made_of(of("a:blocked", "b:blocked", "c:blocked", established=False))
    assert (found.state, found.public_state, found.established, found.buckets) == ("blocked", "insufficient", 0, 0)


def test_the_operator_too_counts_two_of_a_source_and_hears_two_sources() -> None:
    assert made_of(of(*["a:blocked"] * 9, "b:ok", established=False)).state == State.INSUFFICIENT
    assert made_of(of(*["a:ok"] * 8, "b:blocked", "c:blocked", "d:blocked", "e:blocked")).state == State.BLOCKED
    found = made_of(of(*["a:ok"] * 9, "b:ok"))
    assert (found.state, found.counted, found.lines, found.states) == (State.OK, 3, 10, {"ok": 10})


def test_lines_of_unknown_source_are_one_source_for_strangers_and_each_its_own_for_the_operator() -> None:
    found = made_of(of(*[":blocked"] * 5))
    assert (found.state, found.public_state, found.buckets) == (State.BLOCKED, State.INSUFFICIENT, 1)


@pytest.mark.parametrize(
    ("said", "voices"),
    [
        ("b", "b"),
        ("bb", "bb"),
        ("bo", "bo"),
        ("bbo", "bb"),
        ("bbboo", "bo"),
        ("bbbbooi", "bb"),
        ("bio", "io"),
        ("ooooooooobb", "oo"),
    ],
)
def test_two_thirds_of_a_source_are_both_its_voices(said: str, voices: str) -> None:
    heard = votes(((None, letter) for letter in said), "oib".index).heard
    assert sorted(heard.elements()) == sorted(voices)


def test_a_relay_that_answers_other_sources_defeats_a_public_quorum() -> None:
    dropped = [Line(verdict=DROPPED, established=True, bucket=bucket) for bucket in "abc"]
    assert made_of(dropped).public_state == State.LIKELY_BLOCKED
    answered = [Line(verdict=REACHED, established=True, bucket=bucket) for bucket in "def"]
    assert made_of([*dropped, *answered]).public_state == State.MIXED
    strangers = [replace(each, established=False) for each in answered]
    assert made_of([*dropped, *strangers]).public_state == State.LIKELY_BLOCKED


def test_all_udp_is_dropped_on_lines_of_three_sources() -> None:
    def dead(buckets: Sequence[str]) -> Cell:
        return made_of(Line(verdict=UDP_DEAD, established=True, bucket=bucket) for bucket in buckets)

    assert (dead("abc").public_state, dead("abc").public_mechanism) == (State.LIKELY_BLOCKED, "udp.all.drop")
    assert dead("aabb").public_state == State.INSUFFICIENT
