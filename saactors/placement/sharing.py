"""Who has the card's slots when a rule is steered: the rule, pinned SAs, and whoever has to go.

    slots = residents and loads of the rule  +  held by the steering  +  evictions not yet polled

**Held** are SAs pinned to the card and *strays*: loads under way that nobody wants any more. A
stray is evicted as soon as it arrives. A slot is reserved for whoever is held, and what is left is
the rule's (``SteerableArbiter.limit``); the same with the loader. ``settle`` brings this about:

1. as long as more is on the card than it has slots, the rule's coldest resident has to go;
2. pinned SAs that wait are loaded, into a free slot or in place of the rule's coldest resident;
3. the rule is told what is left.

An evicted SA and a load's victim are *leaving* until whoever drives has polled the command. Until
then the rule must not load them again, for the card would hear of it in the wrong order, and the
slot of an eviction is not free.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.placement.hiding import HEARD, IN_SOFTWARE, LISTENING, ON_CARD, OPEN, VIEW
from saactors.placement.rule import COMMAND, NOTHING_DECIDED, SteerableArbiter


class Where(StrEnum):
    """Where somebody wants the crypto of an SA to run."""

    AUTO = "auto"  # where the rule says
    NIC = "nic"  # on the card, as soon as possible and as long as it is so pinned
    SOFTWARE = "software"  # never on the card


class Held(IntEnum):
    """Where an SA stands that the steering holds."""

    WAITING = 0  # to be loaded as soon as possible
    FAILED = 1  # the card did not load it; again with its next packet, or the next tick
    LOADING = 2
    RESIDENT = 3


class SharedSlots:
    """The slots of the card, and who has them."""

    __slots__ = (
        "_commands",
        "_dropped",
        "held",
        "inner",
        "leaving",
        "loads_max",
        "pins",
        "quiet",
        "slots",
        "views",
    )

    def __init__(self, inner: SteerableArbiter, slots: int, loads_max: int) -> None:
        self.inner = inner
        self.slots = slots
        self.loads_max = loads_max
        self.pins: dict[int, Where] = {}
        self.held: dict[int, Held] = {}  # in the order in which they are to be loaded
        self.leaving: set[int] = set()
        self.views = np.zeros(0, VIEW)
        self.quiet = True  # nobody has a wish, and nothing is to be polled
        self._dropped: list[int] = []
        self._commands: list[tuple[float, float, int, int, int]] = []

    def receive(self, sa_count: int) -> None:
        """SAs up to ``sa_count`` are known."""
        self.inner.receive(sa_count)
        self.views = grown(self.views, sa_count)

    def count(self, *states: Held) -> int:
        """How many held SAs stand so."""
        return sum(state in states for state in self.held.values())

    @property
    def inner_count(self) -> int:
        """Slots that the rule's residents and loads under way take."""
        return self.inner.resident_count + self.inner.loads_outstanding

    @property
    def held_count(self) -> int:
        """Slots that held SAs take by now."""
        return self.count(Held.LOADING, Held.RESIDENT)

    def settle(self) -> None:
        """Let everybody have what is theirs, as far as that is possible now."""
        for sa, state in self.held.items():
            if state is Held.FAILED and self.views["way"][sa] == HEARD:
                self.hold(sa, Held.WAITING)
        while self.inner_count + self.held_count > self.slots and self.inner.resident_count:
            self.drop_coldest()
        self._load_waiting()
        self.limit_inner()
        steered = self.pins or self.held or self.leaving or self._commands
        self.quiet = not steered and self.inner_count <= self.slots

    def _load_waiting(self) -> None:
        for sa in [sa for sa, state in self.held.items() if state is Held.WAITING]:
            if sa in self.leaving:
                continue
            if self.inner.loads_outstanding + self.count(Held.LOADING) >= self.loads_max:
                return
            victim, lowest = NO_SA, 0.0
            if self.inner_count + self.held_count + len(self._dropped) >= self.slots:
                if self._dropped or not self.inner.resident_count:
                    return
                victim = self.inner.coldest()
                lowest = self.inner.metric(victim)
                self.inner.evict(victim)
                self.leave(victim)
            self.hold(sa, Held.LOADING)
            self._commands.append((float(self.views["metric"][sa]), lowest, sa, victim, -1))

    def limit_inner(self) -> None:
        """Tell the rule how many slots and loads are left to it."""
        reserved = max(len(self.held), self.held_count + len(self._dropped))
        wanted = self.count(Held.LOADING, Held.WAITING)
        self.inner.limit(
            max(self.inner_count, self.slots - reserved),
            max(self.inner.loads_outstanding, self.loads_max - wanted),
        )

    def hold(self, sa: int, state: Held) -> None:
        """The steering holds the SA, which stands so."""
        self.held[sa] = state
        self.look(sa)

    def look(self, sa: int) -> None:
        """Work out anew what becomes of the SA's packets."""
        state = self.held.get(sa)
        way = OPEN
        if state is Held.RESIDENT:
            way = ON_CARD
        elif state is Held.FAILED:
            way = LISTENING
        elif state is not None or sa in self.pins or sa in self.leaving:
            way = IN_SOFTWARE
        self.views["way"][sa] = way

    def leave(self, sa: int) -> None:
        """The card will be told that the SA has to go."""
        self.leaving.add(sa)
        self.look(sa)

    def drop(self, sa: int) -> None:
        """Let a resident go that is nobody's any more."""
        self._dropped.append(sa)
        self.leave(sa)

    def drop_coldest(self) -> None:
        """Let the rule's coldest resident go."""
        sa = self.inner.coldest()
        self.inner.evict(sa)
        self.drop(sa)

    def withdraw(self, sa: int) -> None:
        """Take back a load that nobody has polled yet; whose slot it was to take has to go."""
        for command in self._commands:
            if command[2] == sa:
                self._commands.remove(command)
                self.hold(sa, Held.WAITING)
                if command[3] != NO_SA:
                    self.drop(command[3])
                return

    def resize(self, slots: int) -> None:
        """The card has so many slots from now on; loads that nobody has polled are thought over."""
        self.slots = slots
        for command in list(self._commands):
            self.withdraw(command[2])

    def release(self, sa: int, tick: int, now_ns: int) -> None:
        """Hand a held SA to the rule, if it has room."""
        state = self.held.pop(sa)
        self.limit_inner()
        if state in (Held.LOADING, Held.RESIDENT):
            if self.inner_count < self.inner.slots:
                metric = float(self.views["metric"][sa])
                loading = state is Held.LOADING
                self.inner.adopt(sa, metric, tick, now_ns, loading=loading)
            elif state is Held.RESIDENT:
                self.drop(sa)
            else:
                self.held[sa] = state  # a stray from now on
        self.look(sa)

    def take_over(
        self, new: SteerableArbiter, metric_of: Callable[[int], float], tick: int, now_ns: int
    ) -> None:
        """Let another arbiter have the rule's part of the card, and whoever it has room for.

        Its metrics are as of ``tick``. The others have to go, the coldest first; a load under way
        that it has no room for becomes a stray.
        """
        old = self.inner
        room = max(0, min(new.slots, self.slots - self.held_count))
        loading = old.loading().tolist()
        metrics = {sa: metric_of(sa) for sa in [*loading, *old.residents().tolist()]}
        for sa in loading[room:]:
            self.hold(sa, Held.LOADING)
        del loading[room:]
        while old.resident_count > room - len(loading):
            self.drop_coldest()
        for sa in loading:
            new.adopt(sa, metrics[sa], tick, now_ns, loading=True)
        for sa in old.residents().tolist():
            new.adopt(sa, metrics[sa], tick, now_ns, loading=False)
        self.inner = new

    def retry(self) -> None:
        """Let loads that have failed be tried again."""
        for sa, state in self.held.items():
            if state is Held.FAILED:
                self.hold(sa, Held.WAITING)

    def reset(self) -> None:
        """The card has forgotten its residents."""
        self.inner.reset()
        for sa, state in self.held.items():
            if state is Held.RESIDENT:
                self.hold(sa, Held.WAITING)
        self._commands = [(*command[:3], NO_SA, -1) for command in self._commands]
        self._dropped.clear()
        self._gone(list(self.leaving))

    def take_evictions(self) -> list[int]:
        """The SAs that the card has to drop; their slots are free from now on."""
        dropped, self._dropped = self._dropped, []
        self._gone(dropped)
        return dropped

    def take_commands(self) -> npt.NDArray[np.void]:
        """The loads that the card has to be told to do."""
        if not self._commands:
            return NOTHING_DECIDED.commands
        commands = np.array(self._commands, COMMAND)
        self._commands = []
        self._gone([sa for sa in commands["victim"].tolist() if sa != NO_SA])
        return commands

    def _gone(self, sas: list[int]) -> None:
        self.leaving.difference_update(sas)
        for sa in sas:
            self.look(sa)
