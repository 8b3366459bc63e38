"""Static: SAs chosen beforehand are loaded with their first packet, and nobody is ever replaced.

Who chooses must know the whole trace (``saactors.lab.clairvoyant``), so the rule is clairvoyant: it
says how far a good choice alone would go, without any replacement. Where nobody has chosen, nobody
is loaded.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy
from saactors.placement.seats import Table


@compiled
def wants(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> bool:
    """If it is chosen."""
    return bool(table.standings[sa]["mark"] == 1)


STATIC: Final = Policy(wants=wants)
