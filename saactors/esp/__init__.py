"""ESP (RFC 4303) as a pure protocol: wire format, suites, replay window, lifetimes.

    from saactors.esp import Association, InboundProcessor, OutboundProcessor

No I/O and no clock: packets and time come in, packets, verdicts and events come out. An example is
the beginning of ``docs/esp.md``. For packets as ``bytes`` there are the processors; beneath them is
the same on columns of bursts (``Sealer``, ``Opener``, ``ReplayWindows``), which the running system
uses.

What is exported is imported when it is first used, since compiled code takes a while to load.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from saactors.esp.association import Association, sa_table, suite_named
    from saactors.esp.fragments import Fragmenting
    from saactors.esp.header_rules import DontFragment, Ecn, FlowLabel, HeaderRules
    from saactors.esp.inbound import InboundProcessor
    from saactors.esp.lifetime import Lifetime
    from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
    from saactors.esp.open import Opener
    from saactors.esp.outbound import OutboundProcessor
    from saactors.esp.outcome import Outcome
    from saactors.esp.reassembly import Reassembler, ReassemblyLimits
    from saactors.esp.seal import Sealer
    from saactors.esp.suites import SUITES, Suite
    from saactors.esp.window import ReplayWindows
    from saactors.model.sa import Mode, SaTable
    from saactors.model.verdicts import Verdict

__all__ = [
    "SUITES",
    "Association",
    "DontFragment",
    "Ecn",
    "FlowLabel",
    "Fragmenting",
    "HeaderRules",
    "InboundProcessor",
    "Lifetime",
    "LifetimeEvent",
    "Lifetimes",
    "Mode",
    "Opener",
    "OutboundProcessor",
    "Outcome",
    "Reassembler",
    "ReassemblyLimits",
    "ReplayWindows",
    "SaTable",
    "Sealer",
    "Suite",
    "Verdict",
    "sa_table",
    "suite_named",
]

_NAMES_BY_HOME: Final[Mapping[str, str]] = MappingProxyType(
    {
        "saactors.esp.association": "Association sa_table suite_named",
        "saactors.esp.fragments": "Fragmenting",
        "saactors.esp.header_rules": "DontFragment Ecn FlowLabel HeaderRules",
        "saactors.esp.inbound": "InboundProcessor",
        "saactors.esp.lifetime": "Lifetime",
        "saactors.esp.lifetimes": "LifetimeEvent Lifetimes",
        "saactors.esp.open": "Opener",
        "saactors.esp.outbound": "OutboundProcessor",
        "saactors.esp.outcome": "Outcome",
        "saactors.esp.reassembly": "Reassembler ReassemblyLimits",
        "saactors.esp.seal": "Sealer",
        "saactors.esp.suites": "SUITES Suite",
        "saactors.esp.window": "ReplayWindows",
        "saactors.model.sa": "Mode SaTable",
        "saactors.model.verdicts": "Verdict",
    }
)
_HOMES: Final = {name: home for home, names in _NAMES_BY_HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of whatever is exported
    """What is exported, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
