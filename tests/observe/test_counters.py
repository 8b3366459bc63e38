"""Per-SA counters against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Component
from saactors.model.packets import NO_SA, PACKET
from saactors.observe.counters import SaCounters

SHARES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(NO_SA, 200), st.integers(20, 1500)), max_size=20),
        st.sampled_from(list(Component)),
    ),
    max_size=10,
)


@settings(deadline=None)  # the first call may compile
@given(SHARES)
def test_each_packet_is_counted_once_for_its_sa(
    shares: list[tuple[list[tuple[int, int]], Component]],
) -> None:
    """Packets, bytes, and those that the card did; packets without an SA count for none."""
    counters = SaCounters()
    packets: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    on_nic: Counter[int] = Counter()
    for content, component in shares:
        burst = np.zeros(len(content), PACKET)
        burst["sa"] = [sa for sa, _ in content]
        burst["length_bytes"] = [size for _, size in content]
        rows = np.arange(len(content), dtype=np.int32)
        total_bytes = counters.record(burst, rows, component, 201)
        assert total_bytes == sum(size for _, size in content)
        for sa, size in content:
            packets[sa] += 1
            sizes[sa] += size
            on_nic[sa] += component == Component.NIC
    found = counters.of(201)
    for sa in range(201):
        assert tuple(found[sa]) == (packets[sa], sizes[sa], on_nic[sa])


def test_only_the_rows_of_a_share_are_counted() -> None:
    """A burst's other rows belong to another component's share."""
    burst = np.zeros(4, PACKET)
    burst["sa"] = [0, 1, 2, 3]
    counters = SaCounters()
    counters.record(burst, np.array([1, 3], np.int32), Component.SOFTWARE, 4)
    assert counters.of(4)["packets"].tolist() == [0, 1, 0, 1]


def test_the_hottest_come_first_and_idle_sas_not_at_all() -> None:
    """Equals stand in the order in which the agent received them."""
    burst = np.zeros(7, PACKET)
    burst["sa"] = [5, 2, 5, 9, 5, 2, 9]
    counters = SaCounters()
    counters.record(burst, np.arange(7, dtype=np.int32), Component.NIC, 10)
    assert counters.hottest(10).tolist() == [5, 2, 9]
    assert counters.hottest(2).tolist() == [5, 2]
