"""Rekeys taken over live from a followed key file: new SAs in, superseded ones out in time."""

from __future__ import annotations

from typing import Final

import structlog
import trio

from saactors.errors import SaactorsError
from saactors.esp.association import Address
from saactors.gateway.followed_keys import FollowedKeys, Found, addresses, follow_file
from saactors.gateway.gateway import Gateway
from saactors.gateway.live_sa import LiveSa
from saactors.gateway.sa_commands import take_in
from saactors.scenario.gateway_tables import FollowedKeys as Settings

_NAT_PORT: Final = 4500
_RETIRE_S: Final = 1.0
_NS_PER_S: Final = 1_000_000_000


async def follow_keys(gateway: Gateway, settings: Settings) -> None:
    """Take over what the key file gets, and delete what it has superseded; until cancelled."""
    ports = (_NAT_PORT, _NAT_PORT) if settings.udp_encapsulation else None
    keys = FollowedKeys(settings.file, addresses(settings.local), ports)
    rekeying = Rekeying(gateway, settings.retire_after_s * _NS_PER_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_file, settings.file, keys, rekeying.take_over)
        while True:
            await trio.sleep(_RETIRE_S)
            await rekeying.retire()


class Rekeying:
    """The SAs that came from a key file: of each pair of endpoints the newest, and older ones."""

    def __init__(self, gateway: Gateway, retire_after_ns: int) -> None:
        self._gateway = gateway
        self._retire_after_ns = retire_after_ns
        self._newest: dict[tuple[Address | None, Address | None], LiveSa] = {}
        self._superseded: list[tuple[int, LiveSa]] = []  # when, and who

    async def take_over(self, found: Found) -> None:
        """Add the SAs; what is there already, or cannot be, is told and left out."""
        log, sas = structlog.get_logger(), self._gateway.parts.sas
        for problem in found.problems:
            log.warning("key_file_line_ignored", problem=problem)
        given = [(f"ike-{sa.spi:08x}", direction, sa) for direction, sa in found.sas]
        refusals = sas.refusals(given)
        for (name, _, _), refusal in zip(given, refusals, strict=True):
            if refusal is not None:
                log.warning("key_file_sa_ignored", name=name, problem=str(refusal))
        wanted = [each for each, why in zip(given, refusals, strict=True) if why is None]
        try:
            added = take_in(self._gateway, wanted)
        except SaactorsError as problem:
            log.warning("key_file_sas_ignored", problem=str(problem))
            return
        for known in added:
            self._supersede(known)
            log.info("sa_taken_over", spi=f"{known.spi:#010x}", direction=known.direction)

    def _supersede(self, known: LiveSa) -> None:
        ends = (known.source, known.destination)
        before = self._newest.get(ends)
        if before is not None:
            self._superseded.append((self._gateway.parts.clock.now_ns(), before))
        self._newest[ends] = known

    async def retire(self) -> None:
        """Delete the SAs that newer ones have superseded for long enough."""
        parts = self._gateway.parts
        due_ns = parts.clock.now_ns() - self._retire_after_ns
        old = [known for since_ns, known in self._superseded if since_ns <= due_ns]
        self._superseded = [each for each in self._superseded if each[0] > due_ns]
        old = [known for known in old if parts.sas.at(known.sa) is known]
        if not old:
            return
        try:
            await self._gateway.delete(old, "replaced")
        except SaactorsError as problem:
            structlog.get_logger().warning("sa_not_retired", problem=str(problem))
