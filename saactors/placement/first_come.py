"""Today's drivers: an SA goes to the card when it is installed, and stays there.

Linux offers an SA to the card once, as it is added (``xfrm_dev_state_add`` in xfrm_device.c). A
driver without room says so (``ixgbe_ipsec_find_empty_idx``: ENOSPC) and nobody asks again, whatever
the SA turns out to carry: it is turned away for good. So is one whose load failed. After a reset a
driver installs again what the card had held (``ixgbe_ipsec_restore``).

Here an SA is installed by its first packet; while the loader has no room it waits for a later one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.placement.functions import (
    RuleFunctions,
    cache_nothing,
    inherit_nothing,
    observe_nothing,
    receive_nothing,
    review_nothing,
)
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.routing import (
    ABSENT,
    LOADING,
    NIC,
    RESIDENT,
    SOFTWARE,
    needs_crypto,
)
from saactors.placement.rule import COMMAND, NOTHING_DECIDED, Decisions, Packets, RuleParameters
from saactors.placement.unmeasured import check_parameters

INSTALL_LEDGER: Final = np.dtype(
    [("slots", "i8"), ("taken", "i8"), ("loading", "i8"), ("loading_max", "i8")]
)


class Installed(NamedTuple):
    """The arrays, passed together to the functions here."""

    residency: npt.NDArray[np.uint8]  # (SAs,): ABSENT, LOADING or RESIDENT
    turned_away: npt.NDArray[np.uint8]  # (SAs,): 1 once the card had no slot or the load failed
    ledger: npt.NDArray[np.void]  # (1,) of INSTALL_LEDGER; taken: LOADING or RESIDENT


@compiled
def install_burst(
    installed: Installed,
    packets: Packets,
    commands: npt.NDArray[np.void],
    _tick: int,
    _now_ns: int,
) -> tuple[int, int, int]:
    """Route every packet, install every new SA; counts (commands, refused, card full)."""
    ledger = installed.ledger[0]
    commanded = refused = card_full = 0
    for row in range(len(packets)):
        packet = packets[row]
        if not needs_crypto(packet):
            continue
        sa = packet["sa"]
        packet["route"] = NIC if installed.residency[sa] == RESIDENT else SOFTWARE
        if installed.residency[sa] != ABSENT or installed.turned_away[sa]:
            continue
        if ledger["taken"] == ledger["slots"]:
            installed.turned_away[sa] = 1
            card_full += 1
        elif ledger["loading"] == ledger["loading_max"]:
            refused += 1
        else:
            installed.residency[sa] = LOADING
            ledger["taken"] += 1
            ledger["loading"] += 1
            command = commands[commanded]
            command["sa"] = sa
            command["victim"] = NO_SA
            command["row"] = row
            commanded += 1
    return commanded, refused, card_full


@compiled
def answer_install(installed: Installed, sa: int, _tick: int, loaded: bool) -> None:
    """The card holds the SA from now on, or it is turned away for good and the slot free."""
    assert installed.residency[sa] == LOADING
    installed.residency[sa] = RESIDENT if loaded else ABSENT
    installed.ledger[0]["loading"] -= 1
    if not loaded:
        installed.turned_away[sa] = 1
        installed.ledger[0]["taken"] -= 1


FIRST_COME_FUNCTIONS: Final = RuleFunctions(
    receive_nothing,
    observe_nothing,
    cache_nothing,
    install_burst,
    review_nothing,
    answer_install,
    inherit_nothing,
)


class FirstComeArbiter:
    """The arbiter half (``saactors.placement.rule.CacheArbiter``)."""

    __slots__ = ("_commands", "_installed")

    def __init__(self, card_slots: int, loads_outstanding_max: int) -> None:
        self._installed = Installed(
            np.zeros(0, np.uint8),
            np.zeros(0, np.uint8),
            np.array([(card_slots, 0, 0, loads_outstanding_max)], INSTALL_LEDGER),
        )
        # Zeroed: without a metric, both metrics of a command stay 0.
        self._commands = np.zeros(min(card_slots, loads_outstanding_max), COMMAND)

    @property
    def state(self) -> Installed:
        """The arrays, for the compiled functions."""
        return self._installed

    @property
    def loads_outstanding(self) -> int:
        """Commands not answered yet."""
        return int(self._installed.ledger["loading"][0])

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones are ABSENT."""
        known = self._installed
        if sa_count > len(known.residency):
            self._installed = known._replace(
                residency=grown(known.residency, sa_count),
                turned_away=grown(known.turned_away, sa_count),
            )

    def decide(self, packets: Packets, _tick: int, _now_ns: int, /) -> Decisions:
        """Route the burst's packets in order and install the SAs that are new."""
        commanded, refused, card_full = install_burst(
            self._installed, packets, self._commands, 0, 0
        )
        if commanded or refused or card_full:
            return Decisions(self._commands[:commanded].copy(), refused, card_full)
        return NOTHING_DECIDED

    def review(
        self,
        _sas: npt.NDArray[np.int32],
        _metrics: npt.NDArray[np.float64],
        _tick: int,
        _now_ns: int,
        /,
    ) -> Decisions:
        """Change nothing: who is there stays."""
        return NOTHING_DECIDED

    def inherit(self, _sa: int, _predecessor: int, _now_ns: int, /) -> None:
        """A rekeyed SA starts as any other."""

    def loaded(self, sa: int, tick: int, /) -> None:
        """The card holds the SA: RESIDENT from the next packet on."""
        answer_install(self._installed, sa, tick, True)

    def failed(self, sa: int, tick: int, /) -> None:
        """The card refused or lost the load: turned away for good, the slot free."""
        answer_install(self._installed, sa, tick, False)

    def reset(self) -> None:
        """The card has forgotten its residents: their next packets install them again."""
        residents = self.residents()
        self._installed.residency[residents] = ABSENT
        self._installed.ledger["taken"] -= len(residents)

    def evict(self, sa: int, /) -> None:
        """Somebody else takes a RESIDENT SA off the card: turned away for good, like latecomers."""
        assert self.residency(sa) == RESIDENT
        self._installed.residency[sa] = ABSENT
        self._installed.turned_away[sa] = 1
        self._installed.ledger["taken"] -= 1

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted: whoever has its index next is offered to the card anew."""
        assert self.residency(sa) != LOADING, f"SA {sa} is still being loaded"
        if self.residency(sa) == RESIDENT:
            self.evict(sa)
        self._installed.turned_away[sa] = 0

    def adopt(self, sa: int, _metric: float, _tick: int, _now_ns: int, /, *, loading: bool) -> None:
        """The card holds the SA, or is loading it."""
        ledger = self._installed.ledger[0]
        assert self.residency(sa) == ABSENT, f"SA {sa} is on the card, or on its way, already"
        assert ledger["taken"] < ledger["slots"], "there is no room"
        self._installed.residency[sa] = LOADING if loading else RESIDENT
        ledger["taken"] += 1
        ledger["loading"] += loading

    def limit(self, slots: int, loads: int, /) -> None:
        """Work with so many slots and loads at once from now on."""
        ledger = self._installed.ledger[0]
        assert ledger["taken"] <= slots
        assert ledger["loading"] <= loads
        ledger["slots"], ledger["loading_max"] = slots, loads

    @property
    def slots(self) -> int:
        """How many slots it works with."""
        return int(self._installed.ledger["slots"][0])

    def coldest(self) -> int:
        """The last index: SAs are numbered as they come, and the last to come has to go."""
        return int(self.residents()[-1])

    def metric(self, _sa: int, /) -> float:
        """There is none."""
        return 0.0

    def loading(self) -> npt.NDArray[np.int32]:
        """The SAs on their way to the card, ascending."""
        return np.flatnonzero(self._installed.residency == LOADING).astype(np.int32)

    def residency(self, sa: int, /) -> int:
        """Where the SA stands with the card."""
        return int(self._installed.residency[sa])

    @property
    def resident_count(self) -> int:
        """How many SAs are on the card."""
        return len(self.residents())

    def residents(self) -> npt.NDArray[np.int32]:
        """The SAs on the card, ascending."""
        return np.flatnonzero(self._installed.residency == RESIDENT).astype(np.int32)

    def lowest(self) -> tuple[int, float] | None:
        """No resident is ever replaced, so there is no lowest one."""
        return None

    def follow(self, parameters: RuleParameters, _tick: int, /) -> None:
        """Take note of parameters that say nothing."""
        check_parameters(parameters, PolicyParameters)
