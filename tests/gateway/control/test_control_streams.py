"""Streams of events on the control socket: nothing waits for who listens, and losses are told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from saactors.errors import ControlError
from saactors.gateway.control.client import ControlClient
from saactors.gateway.control.event_rows import RowReader
from saactors.gateway.control.frames import REQUEST_BYTES_MAX, encode_frame
from saactors.observe.events import PacketTraced, SaDeleted

Serve = Callable[..., Any]


def deleted(count: int) -> list[SaDeleted]:
    """Events."""
    return [SaDeleted(time_ns, sa=1, spi=0x1000, reason="asked") for time_ns in range(count)]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_does_not_read_is_cut_off(served: Serve) -> None:
    """It had the kernel's buffer and its time; the others are answered all the while."""
    with served(slow_client_s=1.5) as server, ControlClient(server.path) as other:
        stuck = ControlClient(server.path)
        stuck.follow("attach")
        (listening,) = server.behind.listening
        longest_s = 0.0

        def filled() -> bool:
            nonlocal longest_s
            server.within(listening.put, deleted(2000))
            began = time.monotonic()
            other.call("status")
            longest_s = max(longest_s, time.monotonic() - began)
            return bool(listening.closed)

        eventually(filled)
        assert longest_s < 1.0
        with stuck, pytest.raises(ControlError, match=r"(reads too slowly|a closed connection)"):
            list(iter(lambda: stuck.next_of(1, 10), None))


def test_events_are_pushed_as_they_happen_and_losses_counted(served: Serve) -> None:
    """Rows in pushes of bounded size, in order; losses as a total."""
    with served() as server, ControlClient(server.path) as client:
        server.behind.capacity = 1500
        wanted = {"kinds": ["sa_deleted"], "sas": [1], "sample": 2}
        following = client.follow("attach", wanted)
        assert server.behind.opened == [(["sa_deleted"], [1], 2)]
        (listening,) = server.behind.listening
        reader = RowReader(following.answer)
        server.within(listening.put, deleted(1510))
        events, sizes = [], []
        while len(events) < 1500:
            push = following.next(10)
            sizes.append(len(push.events))
            events += [reader.event_of(row) for row in push.events]
        assert events == deleted(1500)
        assert sizes == [512, 512, 476]
        assert following.events_lost == 10
        server.within(listening.put, deleted(1501))
        for _ in range(3):
            push = following.next(10)
        assert push.events_lost == 11
        server.within(listening.end)
        assert list(following) == []
        assert following.end == "the gateway has ended"
        eventually(lambda: listening.closed > 0)


def test_who_leaves_ends_its_stream(served: Serve) -> None:
    """So nothing is collected for nobody."""
    with served() as server:
        with ControlClient(server.path) as client:
            client.follow("attach")
            (listening,) = server.behind.listening
            assert not listening.closed
        eventually(lambda: listening.closed > 0)


def test_requests_go_on_beside_a_stream_and_streams_are_bounded(served: Serve) -> None:
    """A page that listens asks over the same connection."""
    with served() as server, ControlClient(server.path) as client:
        for _ in range(4):
            client.follow("attach")
        assert client.call("status") == {"command": "status", "listening": 4}
        with pytest.raises(ControlError, match="found 4 streams of events, expected at most 4"):
            client.follow("attach")
    with served() as server, ControlClient(server.path) as client:
        with pytest.raises(ControlError, match="did you mean 'loaded'"):
            client.follow("attach", {"kinds": ["laoded"]})
        assert client.call("status")["listening"] == 0


def test_a_trace_ends_once_its_packets_are_through(served: Serve) -> None:
    """It follows the packets that it was asked for, and says how many there were."""
    with served() as server, ControlClient(server.path) as client:
        following = client.follow("trace.add", {"count": 2})
        assert following.answer["count"] == 2
        assert server.behind.opened == [(["packet_traced"], [], 2)]
        (listening,) = server.behind.listening
        steps = [
            PacketTraced(time_ns, packet, actor, 1, 0x1000, "passed")
            for time_ns, (packet, actor) in enumerate(
                [(1, "classifier"), (2, "classifier"), (3, "classifier"), (1, "egress")]
            )
        ]
        server.within(listening.put, steps[:3])
        time.sleep(0.2)
        server.within(listening.put, steps[3:])
        rows = [row for push in following for row in push.events]
        reader = RowReader(following.answer)
        assert [reader.event_of(row) for row in rows] == [steps[0], steps[1], steps[3]]
        assert following.end == "2 of 2 packets traced"


def test_a_refused_trace_leaves_nothing_behind(served: Serve) -> None:
    """Nothing is opened for it."""
    with served() as server, ControlClient(server.path) as client:
        with pytest.raises(ControlError, match=r"trace\.add: count: found 0, expected"):
            client.follow("trace.add", {"count": 0})
        with pytest.raises(ControlError, match=r"trace\.add: filter\.spi"):
            client.follow("trace.add", {"count": 1, "filter": {"spi": 1}})
        assert server.behind.listening == []


def test_who_listens_is_told_when_the_gateway_ends(served: Serve) -> None:
    """And a call that it had no time to answer fails with what to do."""
    with (
        served() as server,
        ControlClient(server.path) as listener,
        ControlClient(server.path) as waiting,
    ):
        following = listener.follow("attach")
        waiting._socket.sendall(
            encode_frame({"v": 1, "id": 1, "command": "moves"}, REQUEST_BYTES_MAX)
        )
        eventually(lambda: len(server.behind.asked) == 1)
        server.stop()
        assert list(following) == []
        assert following.end == "the gateway has ended"
        with pytest.raises(ControlError, match="found a closed connection: it has ended"):
            waiting.next_of(1, 10)


def test_a_defect_of_a_stream_ends_its_client_alone(served: Serve) -> None:
    """The others, and the traffic, are served on."""
    with (
        served() as server,
        ControlClient(server.path) as client,
        ControlClient(server.path) as other,
    ):
        client.follow("attach")
        (listening,) = server.behind.listening
        listening.is_broken = True
        server.within(listening.put, deleted(1))
        with pytest.raises(ControlError, match="a closed connection"):
            client.next_of(1, 10)
        assert listening.closed
        assert other.call("status")["command"] == "status"
