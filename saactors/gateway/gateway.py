"""The gateway: the system of actors, and everything that somebody may ask of it while it runs.

Commands are carried out between bursts, because nothing in trio runs beside a task that does not
await. What concerns the arbiter goes there as a message, behind the bursts that are on their way
(``Instruction``); what concerns a classifier or a keeper is a call. An SA is deleted in steps that
wait for what is under way (``live_sas``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final, TypeVar

import trio

from nicmodel.residency import Residency
from saactors.actors.arbiter import Instruction
from saactors.actors.depth_news import depth_teller
from saactors.errors import ControlError
from saactors.gateway.attachments import ATTACHED_MAX, Attachment
from saactors.gateway.build import build_gateway
from saactors.gateway.control.arguments import AddTrace
from saactors.gateway.live_sa import LiveSa
from saactors.gateway.packet_tracer import PacketTrace
from saactors.gateway.status import packet_totals
from saactors.gateway.steering import CardSteering
from saactors.model.burst import Component
from saactors.observe.events import (
    EVENTS,
    USUAL_EVENTS,
    EdgeDepth,
    Event,
    PacketTraced,
    RuleChanged,
    SaDeleted,
)
from saactors.placement.change import change_of
from saactors.runtime.edges import Outlet
from saactors.scenario.gateway_tables import Live

ResultT = TypeVar("ResultT")


_SECOND_S: Final = 1.0
_TOP_UP_S: Final = 0.1
_TELL_S: Final = 0.05
_QUIET_POLL_S: Final = 0.002
_QUIET_MAX_S: Final = 5.0


class Gateway:
    """A gateway that is built; ``run_system`` of its parts makes it run."""

    def __init__(self, file: Live, files: ExitStack) -> None:
        """Open the ports and build everything.

        Raises:
            UserError: something that the file names cannot be used.
            OutputError: a file cannot be written.
        """
        self.started_epoch_ns = time.time_ns()
        self.ready = self.draining = False
        self.parts = build_gateway(file, self, files)
        self.steering = CardSteering(self.parts.steered)
        self._outlets: Mapping[str, Outlet[Any]] = {}
        self._attached: dict[int, Attachment] = {}
        self._attachments = 0
        self._lost_before = 0

    # What topology.Control asks for.

    def wired(self, outlets: Mapping[str, Outlet[Any]], /) -> None:
        """Take the outlets that instructions and rule changes go by."""
        self._outlets = outlets
        self.ready = True

    async def flush(self) -> None:
        """Wait until the ports have taken what has left."""
        await self.parts.outgoing.flush()

    # Steering.

    async def instruct(self, carry_out: Callable[[int, int], ResultT]) -> ResultT:
        """Have the arbiter carry something out between two bursts, and wait until it has.

        Raises:
            Whatever ``carry_out`` raises.
        """
        if self.draining or not self.ready:
            raise _ends()
        done = trio.Event()
        outcome: list[ResultT] = []
        problem: list[Exception] = []

        def carried(tick: int, now_ns: int) -> None:
            try:
                outcome.append(carry_out(tick, now_ns))
            except Exception as raised:  # noqa: BLE001 - it belongs to whoever asked
                problem.append(raised)
            done.set()

        try:
            await self._outlets["keeper_arbiter"].send(Instruction(carried))
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise _ends() from None  # its captures have been played, or it drains since just now
        await done.wait()
        if problem:
            raise problem[0]
        return outcome[0]

    async def change_rule(self, name: str, parameters: Mapping[str, object]) -> None:
        """Let keeper, decay timer and arbiter go on by another rule or other parameters.

        Raises:
            ParameterError: no such rule, or parameters that it cannot have.
            ControlError: the gateway ends.
        """
        parts = self.parts
        change = change_of(name, parameters, parts.system.rule.cost)
        assert change.plan is not None, "such a change always has a plan"
        # A rule that this machine has never run takes seconds to compile; traffic goes on.
        await trio.to_thread.run_sync(change.plan.compile)
        if self.draining or not self.ready:
            raise _ends()
        in_force = trio.Event()
        change = replace(change, time_ns=parts.clock.now_ns(), followed=in_force.set)
        try:
            for follower in ("signals_keeper", "signals_decay"):
                await self._outlets[follower].send(change)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise _ends() from None
        await in_force.wait()
        if parts.system.emitters["signals"]:
            parts.system.emitters["signals"](
                RuleChanged(parts.clock.now_ns(), change.rule, change.given)
            )

    async def delete(self, gone: Sequence[LiveSa], reason: str) -> None:
        """Delete SAs: no further packets, then wait for those under way, then wipe the keys.

        Raises:
            ControlError: something of one was still under way when the time was over.
        """
        parts = self.parts
        for known in gone:
            parts.sas.begin_delete(known)
        parts.sas.lead()
        for known in gone:
            await self._release(known)
        left = await self._until_all(gone, self._is_gone)
        ended = [known for known in gone if known not in left]
        for known in ended:
            self._forget(known, reason)
        parts.sas.end_delete(ended)
        if left:
            names = ", ".join(f"{known.spi:#010x}" for known in left)
            raise ControlError("sa.delete", f"packets of {names} still under way", "", "ask again")

    async def _until_all(
        self, sas: Sequence[LiveSa], is_done: Callable[[LiveSa], bool]
    ) -> list[LiveSa]:
        """Wait until all are done with, but not for ever; returns those that are not."""
        left = list(sas)
        # Polled: what is waited for is told in several arrays, and nobody listens to them.
        with trio.move_on_after(_QUIET_MAX_S):
            while left := [known for known in left if not is_done(known)]:  # noqa: ASYNC110 - see above
                await trio.sleep(_QUIET_POLL_S)
        return left

    async def _release(self, known: LiveSa) -> None:
        """Have arbiter and card let go of an SA, as soon as it is not on its way to the card."""
        steered = self.parts.steered

        def release(tick: int, now_ns: int) -> None:
            steered.receive(self.parts.sas.rows)  # no burst may have come since it was added
            steered.release(known.sa, tick, now_ns)

        await self.instruct(release)

    def _is_gone(self, known: LiveSa) -> bool:
        """Whether nothing of an SA is under way, with packets or with the card."""
        parts = self.parts
        return (
            parts.sas.is_quiet(known, parts.system.leave)
            and parts.system.card.residency(known.sa) is Residency.ABSENT
            and parts.steered.residency(known.sa) == Residency.ABSENT
        )

    def _forget(self, known: LiveSa, reason: str) -> None:
        """Let nothing of an SA be left in any array, for its index may be another's soon."""
        parts, sa = self.parts, known.sa
        parts.steered.forget(sa)
        parts.keeper.forget(sa)
        parts.system.hottest.forget(sa)
        parts.system.leave.forget(sa)
        parts.system.placement_news.loads_of.pop(sa, None)
        parts.moves.forget(sa)
        for crypto in parts.crypto:
            crypto.forget(sa)
        emit = parts.system.emitters["run"]
        if emit.wants(SaDeleted):
            emit(SaDeleted(parts.clock.now_ns(), sa, known.spi, reason))

    # Listening.

    def open_attachment(
        self, kinds: Sequence[str], sas: Collection[int], sample: int
    ) -> Attachment:
        """Collect events of these kinds (none: the usual ones) and SAs (none: all).

        Raises:
            ControlError: too many listen already.
        """
        wanted = [EVENTS[kind] for kind in kinds] or list(USUAL_EVENTS)
        return self._attach(wanted, sas, sample, None, self._detached)

    def open_trace(self, wanted: AddTrace) -> Attachment:
        """Collect the steps of the packets that are wanted, and nothing else.

        Raises:
            ControlError: too many listen already.
            ParameterError: there is no SA of that SPI.
        """
        only = wanted.filter
        trace = PacketTrace(
            wanted.count,
            None if only.direction is None else only.direction == "in",
            None if only.spi is None else self.find(only.spi).sa,
            only.protocol,
            only.source,
            only.destination,
        )
        tracer, news = self.parts.tracer, self.parts.system.burst_news

        def ended(attachment: Attachment) -> None:
            tracer.remove(trace)
            news.tracing = bool(tracer)
            self._detached(attachment)

        attachment = self._attach([PacketTraced], (), 1, trace.numbers, ended)
        tracer.add(trace)
        news.tracing = True
        return attachment

    @property
    def attached(self) -> list[Attachment]:
        """Who listens."""
        return list(self._attached.values())

    @property
    def events_lost(self) -> int:
        """Events that listeners were too slow for, since the start."""
        return self._lost_before + sum(each.lost for each in self._attached.values())

    def _attach(
        self,
        kinds: Sequence[type[Event]],
        sas: Collection[int],
        sample: int,
        packets: Collection[int] | None,
        on_close: Callable[[Attachment], None],
    ) -> Attachment:
        if len(self._attached) >= ATTACHED_MAX:
            expected = f"fewer than {ATTACHED_MAX} listeners"
            raise ControlError("attach", f"{len(self._attached)}", expected, "detach one of them")
        self._attachments += 1
        attachment = Attachment(
            self._attachments, self.parts.observers, kinds, sas, sample, on_close, packets
        )
        self._attached[attachment.number] = attachment
        self._watch_depths()
        return attachment

    def _detached(self, attachment: Attachment) -> None:
        self._attached.pop(attachment.number, None)
        self._lost_before += attachment.lost
        self._watch_depths()

    def _watch_depths(self) -> None:
        """Let edges tell of their depth as long as somebody wants to know."""
        wanted = self.parts.observers.wants(EdgeDepth)
        for name, gauge in self.parts.system.gauges.items():
            if not wanted:
                gauge.watch = None
            elif gauge.watch is None:
                emit = self.parts.system.emitters["depths"]
                gauge.watch = depth_teller(name, emit, self.parts.clock)

    # Housekeeping.

    async def keep_house(self) -> None:
        """Rates, reserved numbers and events, each in its time; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sample_rates)
            nursery.start_soon(self._top_up)
            nursery.start_soon(self._tell_events)

    async def _sample_rates(self) -> None:
        parts = self.parts
        while True:
            leave = parts.system.leave
            totals = (
                leave.packets[Component.SOFTWARE],
                leave.packets[Component.NIC],
                leave.packets[Component.NONE],
                sum(packet_totals(parts)["dropped"].values()),
                parts.system.placement_news.loads,
            )
            residents = parts.system.card.resident_count
            parts.rates.sample(
                parts.clock.now_ns(), leave.counters, parts.sas.rows, totals, residents
            )
            await trio.sleep(_SECOND_S)

    async def _top_up(self) -> None:
        while True:
            self.parts.sas.top_up()
            await trio.sleep(_TOP_UP_S)

    async def _tell_events(self) -> None:
        """Events are held back until time moves on; behind the last one nothing moves it."""
        while True:
            self.parts.observers.flush()
            await trio.sleep(_TELL_S)

    def find(self, spi: int, destination: object = None) -> LiveSa:
        """The SA with that SPI and, if given, destination.

        Raises:
            ParameterError: there is none, or there are several.
        """
        return self.parts.sas.find(spi, None if destination is None else str(destination))


def _ends() -> ControlError:
    return ControlError("gateway", "one that ends", "one that runs", "ask when it is back")
