"""The optimum of a small trace, exactly: slots as a flow of least cost.

``slots`` units flow along a timeline with one node per gap. A unit may leave it where a load
starts, into the visit that the load is for; go on to the SA's next visit (kept) or back to the
timeline, to the node where the slot is free again (left). A visit is passed at most once:

    timeline  o ──────▶ o ──────▶ o ──────▶ o ──────▶ o      staying costs nothing
               │ load                      ▲ leave
               ▼                           │
               in ──pass─▶ out ──keep─▶ in ──pass─▶ out    a pass costs less its saving

Units are sent one by one, each along the path of least cost through what the others have left, on
which it may also push them back (successive shortest paths; Edmonds and Karp 1972). Potentials of
the nodes keep every arc's reduced cost at or above 0, so Dijkstra's method finds the path, and they
are a proof in the end: what the timeline's potential falls by in a gap is the price of a slot in it
at which no SA wants anything else (``priced``).

At most ``slots`` paths, each in O(n log n).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.lab.optimum.priced import KEPT, LEFT, Bytes
from saactors.lab.optimum.visits import Floats, Int32s, Int64s, Visits
from saactors.model.compiled import compiled


class _Network(NamedTuple):
    """The visits, found by gap, and the flow so far.

    Nodes: the timeline's are 0 to ``gaps``, then two for each visit: in, out.
    """

    visits: Visits
    sa_first: npt.NDArray[np.bool_]  # (visits + 1,): the first of its SA; the end counts as one
    by_start: Int32s  # visits in the order of start, and where those of each node begin
    by_start_first: Int64s
    by_stop: Int32s
    by_stop_first: Int64s
    stay: Int32s  # (gaps,): units
    load: npt.NDArray[np.bool_]  # (visits,): whether a unit takes the arc
    keep: npt.NDArray[np.bool_]  # from the visit before
    passed: npt.NDArray[np.bool_]
    leave: npt.NDArray[np.bool_]


class _Search(NamedTuple):
    """Dijkstra's: nodes wait in a heap, or in a stack if they are as near as the one at hand."""

    potential: Floats  # (nodes,)
    distance: Floats  # (nodes,)
    parent: Int32s  # (nodes,)
    done: npt.NDArray[np.bool_]  # (nodes,)
    heap_distance: Floats
    heap_node: Int32s
    stack: Int32s
    sizes: Int64s  # (2,): of heap and stack


def solve(visits: Visits, slots: int, load_host_ns: float) -> tuple[Bytes, Floats]:
    """The best choice (visits,), as in ``priced``, and the rent (gaps + 1,) that proves it."""
    count, gaps = len(visits.start), visits.gaps
    nodes = gaps + 1 + 2 * count
    sa_first = np.zeros(count + 1, np.bool_)
    sa_first[visits.first] = True
    network = _Network(
        visits,
        sa_first,
        *_by_node(visits.start, gaps),
        *_by_node(visits.stop, gaps),
        np.zeros(gaps, np.int32),
        *(np.zeros(count, np.bool_) for _ in range(4)),
    )
    arcs = gaps + 4 * count
    search = _Search(
        np.full(nodes, np.inf),
        np.empty(nodes),
        np.empty(nodes, np.int32),
        np.empty(nodes, np.bool_),
        np.empty(2 * arcs),
        np.empty(2 * arcs, np.int32),
        np.empty(2 * arcs, np.int32),
        np.zeros(2, np.int64),
    )
    _first_potentials(network, load_host_ns, search.potential)
    _send(network, search, slots, load_host_ns)
    # Loaded again though never gone, which is no better than kept and no worse if loads are free.
    again = np.flatnonzero(network.leave[:-1] & network.load[1:] & ~sa_first[1:-1])
    again = again[visits.start[again + 1] <= visits.stop[again]]
    network.leave[again], network.keep[again + 1] = False, True
    choice = (KEPT * network.keep + LEFT * network.leave).astype(np.uint8)
    rent_ns = search.potential[0] - search.potential[: gaps + 1]
    return choice, np.maximum.accumulate(rent_ns)


def _by_node(node: Int32s, gaps: int) -> tuple[Int32s, Int64s]:
    first = np.zeros(gaps + 2, np.int64)
    np.cumsum(np.bincount(node, minlength=gaps + 1), out=first[1:])
    return np.argsort(node, kind="stable").astype(np.int32), first


@compiled
def _first_potentials(network: _Network, load_host_ns: float, potential: Floats) -> None:
    """The least cost from the first node to each, with nothing sent yet: in the order of time."""
    visits = network.visits
    base = visits.gaps + 1
    potential[0] = 0.0
    for gap in range(base):
        for place in range(network.by_stop_first[gap], network.by_stop_first[gap + 1]):
            visit = network.by_stop[place]
            into, out = base + 2 * visit, base + 2 * visit + 1
            # Its load started before its stop, and the visit before has stopped by now.
            potential[into] = potential[visits.start[visit]] + load_host_ns
            if not network.sa_first[visit]:
                potential[into] = min(potential[into], potential[out - 2])
            potential[out] = potential[into] - visits.saving_ns[visit]
            potential[gap] = min(potential[gap], potential[out])
        if gap + 1 < base:
            potential[gap + 1] = potential[gap]


@compiled
def _send(network: _Network, search: _Search, slots: int, load_host_ns: float) -> None:
    """Send units while one more saves anything."""
    gaps = network.visits.gaps
    for _ in range(slots):
        _find(network, search, load_host_ns)
        most = search.distance[gaps]
        for node in range(len(search.potential)):
            search.potential[node] += min(search.distance[node], most)
        if search.potential[gaps] >= search.potential[0]:
            return
        node = gaps
        while node != 0:
            _shift(network, search.parent[node], node)
            node = search.parent[node]


@compiled
def _find(network: _Network, search: _Search, load_host_ns: float) -> None:
    """The nearest way from the first node of the timeline to the last, by reduced cost."""
    gaps = network.visits.gaps
    search.distance[:] = np.inf
    search.done[:] = False
    search.sizes[:] = 0
    _offer(search, 0, 0, 0.0, 0.0)
    while True:
        if search.sizes[1] > 0:
            search.sizes[1] -= 1
            node = search.stack[search.sizes[1]]
        else:
            node = _nearest(search)
        if search.done[node]:
            continue
        search.done[node] = True
        if node == gaps:
            return
        if node <= gaps:
            _expand_timeline(network, search, node, load_host_ns)
        else:
            _expand_visit(network, search, node, load_host_ns)


@compiled
def _expand_timeline(network: _Network, search: _Search, node: int, load_host_ns: float) -> None:
    base = network.visits.gaps + 1
    here = search.distance[node]
    for place in range(network.by_start_first[node], network.by_start_first[node + 1]):
        visit = network.by_start[place]
        if not network.load[visit]:
            _offer(search, node, base + 2 * visit, here, load_host_ns)
    for place in range(network.by_stop_first[node], network.by_stop_first[node + 1]):
        visit = network.by_stop[place]
        if network.leave[visit]:
            _offer(search, node, base + 2 * visit + 1, here, 0.0)
    if node > 0 and network.stay[node - 1] > 0:
        _offer(search, node, node - 1, here, 0.0)
    _offer(search, node, node + 1, here, 0.0)


@compiled
def _expand_visit(network: _Network, search: _Search, node: int, load_host_ns: float) -> None:
    visits = network.visits
    base = visits.gaps + 1
    visit = (node - base) // 2
    here = search.distance[node]
    if node == base + 2 * visit:  # in
        if not network.passed[visit]:
            _offer(search, node, node + 1, here, -visits.saving_ns[visit])
        if network.load[visit]:
            _offer(search, node, visits.start[visit], here, -load_host_ns)
        if network.keep[visit]:
            _offer(search, node, node - 1, here, 0.0)
        return
    if not network.leave[visit]:
        _offer(search, node, visits.stop[visit], here, 0.0)
    if not network.sa_first[visit + 1] and not network.keep[visit + 1]:
        _offer(search, node, node + 1, here, 0.0)
    if network.passed[visit]:
        _offer(search, node, node - 1, here, visits.saving_ns[visit])


@compiled
def _offer(search: _Search, source: int, target: int, here: float, cost_ns: float) -> None:
    """There is a way to ``target`` over ``source``, which is ``here`` away."""
    if search.done[target]:
        return
    # Below 0 by rounding only.
    reduced = max(cost_ns + search.potential[source] - search.potential[target], 0.0)
    distance = here + reduced
    if distance >= search.distance[target]:
        return
    search.distance[target] = distance
    search.parent[target] = source
    if distance == here:
        search.stack[search.sizes[1]] = target
        search.sizes[1] += 1
        return
    place = search.sizes[0]
    search.sizes[0] += 1
    while place > 0 and search.heap_distance[(place - 1) // 2] > distance:
        search.heap_distance[place] = search.heap_distance[(place - 1) // 2]
        search.heap_node[place] = search.heap_node[(place - 1) // 2]
        place = (place - 1) // 2
    search.heap_distance[place], search.heap_node[place] = distance, target


@compiled
def _nearest(search: _Search) -> int:
    """Take the nearest node off the heap."""
    node = search.heap_node[0]
    search.sizes[0] -= 1
    size = search.sizes[0]
    distance, moved = search.heap_distance[size], search.heap_node[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and search.heap_distance[child + 1] < search.heap_distance[child]:
            child += 1
        if search.heap_distance[child] >= distance:
            break
        search.heap_distance[place] = search.heap_distance[child]
        search.heap_node[place] = search.heap_node[child]
        place = child
    search.heap_distance[place], search.heap_node[place] = distance, moved
    return int(node)


@compiled
def _shift(network: _Network, source: int, target: int) -> None:
    """Send a unit over the arc from ``source`` to ``target``, or push one on its reverse back."""
    base = network.visits.gaps + 1
    if source < base and target < base:
        if target > source:
            network.stay[source] += 1
        else:
            network.stay[target] -= 1
    elif source < base:
        visit = (target - base) // 2
        if target == base + 2 * visit:
            network.load[visit] = True
        else:
            network.leave[visit] = False
    elif target < base:
        visit = (source - base) // 2
        if source == base + 2 * visit:
            network.load[visit] = False
        else:
            network.leave[visit] = True
    else:
        visit, other = (source - base) // 2, (target - base) // 2
        if visit == other:
            network.passed[visit] = target > source
        elif other > visit:
            network.keep[other] = True
        else:
            network.keep[visit] = False
