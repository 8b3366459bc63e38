"""What a live proof needs of the machine, and whether it is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from charon import DAEMON
from kernel_guest import KERNEL

_PLUGINS: Final = Path("/usr/lib/ipsec/plugins")
_STRONGSWAN_PACKAGES: Final = (
    "charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins "
    "tcpdump iproute2"
)


def why_not_strongswan() -> str:
    """What is missing for strongSwan as the peer; "" if nothing is."""
    missing = [name for name in ("ip", "tcpdump", "swanctl", DAEMON) if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found; apt-get install {_STRONGSWAN_PACKAGES}"
    for plugin in ("kernel-libipsec", "openssl"):
        if not (_PLUGINS / f"libstrongswan-{plugin}.so").exists():
            return f"strongSwan has no plugin {plugin}; apt-get install {_STRONGSWAN_PACKAGES}"
    return _why_no_namespaces()


def why_not_linux() -> str:
    """What is missing for the Linux kernel as the peer; "" if nothing is."""
    if not KERNEL.exists() or shutil.which("ip") is None:
        return f"{KERNEL} or ip not found; apt-get install user-mode-linux iproute2"
    return _why_no_namespaces()


def _why_no_namespaces() -> str:
    if os.geteuid() != 0:
        return "it has to be root, to make network namespaces"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun for tunnel devices"
    return ""


WHY_NOT: Final[Mapping[str, Callable[[], str]]] = {
    "strongswan": why_not_strongswan,
    "linux": why_not_linux,
}
