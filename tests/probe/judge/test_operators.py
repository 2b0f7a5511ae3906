"""Whose two networks are: systems of one operator in one country are one owner's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge.operators import owner, same_operator
from probe.model import Network

OURS = Network(country="MA", asn=6713, operator="Maroc Telecom")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(OURS, True, id="itself"),
        pytest.param(replace(OURS, asn=36903), True, id="another of its systems"),
        pytest.param(replace(OURS, country="FR"), True, id="the same system abroad"),
        pytest.param(replace(OURS, asn=9, country="FR"), False, id="another country's of that name"),
        pytest.param(replace(OURS, operator="Virtual"), False, id="a guest in its system"),
        pytest.param(Network(), False, id="nobody knows whose"),
    ],
)
def test_whose_a_network_is(other: Network, same: bool) -> None:
    assert same_operator(OURS, other) is same
    assert same_operator(other, OURS) is same


def test_what_has_no_name_is_its_own_system_only() -> None:
    unnamed = Network(country="MA", asn=6713)
    assert same_operator(unnamed, unnamed)
    assert not same_operator(unnamed, replace(unnamed, asn=36903))
    assert owner(unnamed) != owner(replace(unnamed, asn=36903))


NETWORKS = st.builds(
    Network,
    country=st.sampled_from(["MA", "FR"]),
    asn=st.sampled_from([0, 1, 2]),
    operator=st.sampled_from(["unknown", "one", "two"]),
)


@given(NETWORKS, NETWORKS)
def test_what_has_one_owner_is_one_operators(one: Network, other: Network) -> None:
    if 0 not in (one.asn, other.asn):
        assert (owner(one) == owner(other)) == (one.country == other.country and same_operator(one, other))
