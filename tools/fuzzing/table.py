"""Which targets there are."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from fuzzing.target import Target

TARGETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "esp_open": "ESP packets, from any bytes to authentic ones of any content",
        "headers": "IP headers, and what a tunnel does to them",
        "fragments": "cutting packets and joining fragments",
        "icmp_messages": "ICMP errors, sent and understood",
        "captures": "pcap and pcapng files",
        "scenarios": "scenario files, in TOML",
        "esp_sa": "Wireshark's table of SAs",
        "ip_xfrm": "SAs as iproute2 prints and takes them",
        "sa_files": "files of SAs in any format, and a scenario's tables",
        "dpdk": "the configuration of DPDK's ipsec-secgw",
    }
)
"""Module in this package → what it is about. Imported when used: a worker instruments one."""


def load_target(name: str) -> Target:
    """The target of that name, or the one in a Python file, for trying out another.

    Raises:
        ImportError: there is no such file, or it cannot be imported.
    """
    if name in TARGETS:
        return cast("Target", importlib.import_module(f"fuzzing.{name}"))
    path = Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"no target {name!r}; there are {', '.join(TARGETS)}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Target", module)
