"""The lab: placement rules over whole traces, and the best possible.

    import saactors.lab

    saactors.lab.compare(["office.pcap", "synth:zipf"], rules=["metric", "first-come"])
    saactors.lab.size("office.pcap", profile="nfp")
    saactors.lab.tune("office.pcap", rule="metric")
    saactors.lab.sweep("study.toml", "results")

All but ``tune`` give a Polars frame. They are imported when they are first used, because that takes
a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from saactors.lab.comparison import compare
    from saactors.lab.sizing import size
    from saactors.lab.sweep_study import sweep
    from saactors.lab.tune_trace import tune

__all__ = ["compare", "size", "sweep", "tune"]

# None may be called as a module of this package: importing that would put it in the name's place.
_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "compare": "saactors.lab.comparison",
        "size": "saactors.lab.sizing",
        "sweep": "saactors.lab.sweep_study",
        "tune": "saactors.lab.tune_trace",
    }
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of whatever is exported
    """What is exported, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
