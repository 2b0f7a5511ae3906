"""Controls: what they say of one target's endpoints and names, summed up once for all measurements that they bear on.

Each is asked once what it saw; then a measurement only looks up what is near it in time (probe.judge.looks).

An anycast address that answers a control may answer it from another site than this line's. Whether an address is
anycast cannot be told here; so its answer abroad only says that it is a service's at all, and what then accuses is told
from the line's own catchment: other bytes to the same site, the operator's own routers, or other operators' lines in
the same country (probe.judge.attempt.routing).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Generic, TypeVar, overload

from msgspec import Struct

from probe.addresses import QTYPES
from probe.judge.control_answers import (
    certificate_of,
    got_through,
    got_through_at,
    has_no_name,
    heard,
    is_usable,
    issuer_of,
    leaf_of,
    public_answers,
    resolved,
    started_ms,
    tried_at,
)
from probe.judge.in_time import Control, FailureSpan, Look
from probe.judge.looks import Cycle, Looks, Window, is_any_within
from probe.judge.operators import owner
from probe.model import ControlMeasurement, Endpoint, Observation, Outage

K = TypeVar("K")
V = TypeVar("V")


class _Part(Struct, frozen=True):
    """The controls of one window, beside what all of them say."""

    summary: _Summary
    window: Window
    within: Sequence[ControlMeasurement]


class Controls(Sequence[ControlMeasurement]):
    """The controls that bear on a measurement, in order of time. What they say is shared with other windows of them."""

    def __init__(self, controls: Iterable[ControlMeasurement] = ()) -> None:
        every = sorted(controls, key=started_ms)
        window = Window(started_ms(every[0]), started_ms(every[-1])) if every else Window(0, 0)
        part = _Part(_Summary(every), window, every)
        self._find: Callable[[], _Part] = lambda: part

    @classmethod
    def when_asked(cls, find: Callable[[], Controls]) -> Controls:
        """Those that `find` finds, which is called when the first question comes: most measurements ask none."""
        asked = cls.__new__(cls)
        asked._find = lambda: find()._part
        return asked

    @property
    def is_asked(self) -> bool:
        """Whether anything was asked of them: what was judged without asking does not depend on them."""
        return "_part" in vars(self)

    @cached_property
    def _part(self) -> _Part:
        return self._find()

    @property
    def _summary(self) -> _Summary:
        return self._part.summary

    @property
    def _window(self) -> Window:
        return self._part.window

    def between(self, since_ms: int, until_ms: int) -> Controls:
        """Those of this time, its ends included."""
        summary, window = self._summary, Window(since_ms, until_ms)
        found = _Part(summary, window, summary.within(window))
        part = Controls.__new__(Controls)
        part._find = lambda: found
        return part

    def __len__(self) -> int:
        return len(self._part.within)

    @overload
    def __getitem__(self, at: int) -> ControlMeasurement: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[ControlMeasurement]: ...

    def __getitem__(self, at: int | slice) -> ControlMeasurement | Sequence[ControlMeasurement]:
        return self._part.within[at]

    # --- An endpoint

    def of_endpoint(self, endpoint: Endpoint, failed: FailureSpan, family: int | None = None) -> Control:
        """Whether the service itself is there, at this endpoint; `family` None: in either."""
        return self._looks(endpoint, family).standing(self._window, failed)

    def tried(self, endpoint: Endpoint, family: int | None = None) -> bool:
        """Whether any control did, in this family."""
        return self._looks(endpoint, family).are_any(self._window)

    def answered_at(self, endpoint: Endpoint, address: str | None, failed: FailureSpan) -> bool:
        """Whether this address answered as the service, in some network nearest in time, whoever named it."""
        if address is None:
            return False
        looks = self._summary.endpoint(endpoint).at(address).within(self._window)
        return any(look.through for look in looks.nearest(self._window, failed))

    def reached(self, endpoint: Endpoint) -> bool:
        """Whether one got the endpoint's positive answer, whenever it was."""
        return is_any_within(self._summary.endpoint(endpoint).reached, self._window)

    def were_shown(self, endpoint: Endpoint, leaf: str | None) -> bool:
        """Whether one met this certificate there, good or not."""
        return self._summary.endpoint(endpoint).leaves.has(leaf, self._window)

    def got_through_by(self, endpoint: Endpoint, issuer: str | None) -> bool:
        """Whether one got through there with a certificate of this issuer."""
        return self._summary.endpoint(endpoint).issuers.has(issuer, self._window)

    def met_any(self, endpoint: Endpoint, hashes: Iterable[str]) -> bool:
        """Whether one was shown there a certificate that has, or whose issuer has, one of these hashes."""
        certificates = self._summary.endpoint(endpoint).certificates
        return any(certificates.has(each, self._window) for each in hashes)

    def _looks(self, endpoint: Endpoint, family: int | None) -> Looks:
        return self._summary.endpoint(endpoint).in_family(family).within(self._window)

    # --- A name

    def of_name(self, host: str, failed: FailureSpan) -> Control:
        """Whether the name exists: one that is given up is still remembered by some resolvers."""
        return self._looks_of(host).standing(self._window, failed)

    def addresses_given(self, host: str, family: int) -> frozenset[str]:
        """The public addresses that they were given for a name, whenever it was: the service has them, or just had."""
        return frozenset(self._summary.name(host).given[family].within(self._window))

    def addresses_still_given(self, host: str, family: int, failed: FailureSpan) -> frozenset[str]:
        """Those that some network was given nearest in time to the failure."""
        heard = _heard(self._looks_of(host).nearest(self._window, failed))
        return frozenset(answer for each in heard for answer in public_answers(each, family))

    def failures_of_name(self, host: str, failed: FailureSpan) -> set[str]:
        """With which networks could not resolve a name, nearest in time, or first since the line could not."""
        return {each.failure for each in self._told(host, failed) if each.failure is not None}

    def report_outage(self, outage: Outage | None, failed: FailureSpan) -> bool:
        """Whether one was told by the service's own status name that it is out of order.

        Nearest in time, or first since the line failed: a status is set some minutes late.
        """
        if outage is None:
            return False
        return any(each.dns and outage.address in each.dns.answers for each in self._told(outage.name, failed))

    def _told(self, host: str, failed: FailureSpan) -> Iterator[Observation]:
        looks = self._looks_of(host)
        return _heard((*looks.nearest(self._window, failed), *looks.since(self._window, failed)))

    def _looks_of(self, host: str) -> Looks:
        return self._summary.name(host).looks.within(self._window)


class _Seen(Generic[V]):
    """When controls saw what. `seen` are in order of time."""

    def __init__(self, seen: Iterable[tuple[V, int]]) -> None:
        self._times: dict[V, list[int]] = {}
        for value, at_ms in seen:
            self._times.setdefault(value, []).append(at_ms)

    def has(self, value: V | None, window: Window) -> bool:
        return value is not None and value in self._times and is_any_within(self._times[value], window)

    def within(self, window: Window) -> set[V]:
        return {value for value, times in self._times.items() if is_any_within(times, window)}


class _Summary:
    """What controls say, in order of time, made of an endpoint and of a name when first asked for."""

    def __init__(self, controls: Sequence[ControlMeasurement]) -> None:
        self._controls = controls
        self._times = [started_ms(each) for each in controls]
        self._usable = [each for each in controls if is_usable(each)]
        self._endpoints: dict[Endpoint, _OfEndpoint] = {}
        self._names: dict[str, _OfName] = {}

    def within(self, window: Window) -> Sequence[ControlMeasurement]:
        first = bisect_left(self._times, window.since_ms)
        return self._controls[first : bisect_right(self._times, window.until_ms)]

    def endpoint(self, endpoint: Endpoint) -> _OfEndpoint:
        return _kept(self._endpoints, endpoint, lambda: _OfEndpoint(endpoint, self._usable))

    def name(self, host: str) -> _OfName:
        return _kept(self._names, host, lambda: _OfName(host, self._usable))


class _OfEndpoint:
    """Looks are made when first asked for: most lines never dial the other family, nor most addresses of a pool."""

    def __init__(self, endpoint: Endpoint, controls: Sequence[ControlMeasurement]) -> None:
        self._every = [(control, tried_at(endpoint, control)) for control in controls]
        self._nameless = [has_no_name(endpoint.host, control) for control in controls]
        self._families: dict[int | None, Looks] = {}
        self._addresses: dict[str, Looks] = {}
        self.reached = [started_ms(control) for control, tried in self._every if any(each.positive for each in tried)]
        shown = [
            (each.attempt, observation, started_ms(control))
            for control, tried in self._every
            for each in tried
            for observation in each.attempt.observations
            if observation.tls or observation.noise
        ]
        self.leaves = _Seen((leaf, at_ms) for _, seen, at_ms in shown if (leaf := leaf_of(seen)))
        self.issuers = _Seen(
            (issuer, at_ms)
            for attempt, seen, at_ms in shown
            if attempt.grade is not None and (issuer := issuer_of(seen))
        )
        self.certificates = _Seen((each, at_ms) for _, seen, at_ms in shown for each in certificate_of(seen))

    def in_family(self, family: int | None) -> Looks:
        return _kept(self._families, family, lambda: Looks(_cycles(self._answers(family))))

    def at(self, address: str) -> Looks:
        answers = ((control, got_through_at(tried, address)) for control, tried in self._every)
        return _kept(self._addresses, address, lambda: Looks(_cycles(answers)))

    def _answers(self, family: int | None) -> Iterator[tuple[ControlMeasurement, bool | None]]:
        for (control, tried), nameless in zip(self._every, self._nameless, strict=True):
            yield control, got_through(tried, family, has_no_name=nameless)


class _OfName:
    def __init__(self, host: str, controls: Sequence[ControlMeasurement]) -> None:
        told = [(control, heard(host, control)) for control in controls]
        self.looks = Looks(_cycle(control, resolved(said), said) for control, said in told if said)
        self.given = {
            family: _Seen(
                (answer, started_ms(control))
                for control, said in told
                for each in said
                for answer in public_answers(each, family)
            )
            for family in QTYPES
        }


def _heard(looks: Iterable[Look]) -> Iterator[Observation]:
    return (each for look in looks for each in look.heard)


def _cycles(answers: Iterable[tuple[ControlMeasurement, bool | None]]) -> Iterator[Cycle]:
    """Of those who tried."""
    return (_cycle(control, through) for control, through in answers if through is not None)


def _cycle(control: ControlMeasurement, through: bool, heard: tuple[Observation, ...] = ()) -> Cycle:
    look = Look(owner(control.network), started_ms(control), through, control.measurement.uid, heard)
    return (control.key, control.measurement.cycle), look


def _kept(kept: dict[K, V], key: K, make: Callable[[], V]) -> V:
    found = kept.get(key)
    if found is None:
        found = kept[key] = make()
    return found
