"""What the card has to be told because somebody steers: from wishes to commands."""

from __future__ import annotations

from collections.abc import Sequence

from saactors.model.burst import CardCommand, EvictCommand
from saactors.placement.rule import Decisions
from saactors.placement.steered import SteeredArbiter


class CardSteering:
    """Asks the steered arbiter, and passes on what the gateway itself wants of the card."""

    def __init__(self, steered: SteeredArbiter) -> None:
        self._steered = steered
        self._wanted: list[CardCommand] = []

    def wants(self, command: CardCommand) -> None:
        """Have the card told that, too."""
        self._wanted.append(command)

    def poll_commands(self, tick: int, _now_ns: int) -> Sequence[CardCommand | Decisions]:
        """Commands since this was last asked: evictions before the loads that need their slots."""
        evictions = self._steered.poll_evictions(tick)
        loads = self._steered.poll_loads()
        if not evictions and not self._wanted and not len(loads.commands):
            return ()
        commands: list[CardCommand | Decisions] = [*self._wanted, *map(EvictCommand, evictions)]
        self._wanted = []
        if len(loads.commands):
            commands.append(loads)
        return commands
