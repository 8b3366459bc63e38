"""Interoperation with strongSwan 5.9's user-space ESP, live: two charons, and ours in between.

    .venv/bin/python tests/interop/strongswan.py --rows OUT.json

Prints a table and ends with status 0 if all of it is right, 1 if not, and 77 where strongSwan
cannot be run. It needs root, for network namespaces. Keys stay in a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import scenarios
from charon import DAEMON, Child
from charon_pair import charon_pair
from live import live
from peer_script import main
from rows import Row, added
from scenarios import Stage
from shots import CUT_AFTER, CUT_BEFORE, HIDING_LENGTHS

from saactors.esp.suites import SUITE_NUMBERS, SUITES, Encryption

_PROGRAMS: Final = ("ip", "tcpdump", "ping", "swanctl", DAEMON)
_PLUGINS: Final = Path("/usr/lib/ipsec/plugins")
_PACKAGES: Final = (
    "charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins "
    "tcpdump iputils-ping iproute2"
)
_MANY: Final = 32
_OF_EACH_KIND: Final = (
    "aes-gcm-128",
    "chacha20-poly1305",
    "aes-ccm-128",
    "aes-cbc-128-hmac-sha2-256-128",
    "aes-ctr-128-hmac-sha2-256-128",
    "null-hmac-sha2-256-128",
)


def why_not() -> str:
    """What is missing for this to run; "" if nothing is."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} not found; apt-get install {_PACKAGES}"
    for plugin in ("kernel-libipsec", "openssl"):
        if not (_PLUGINS / f"libstrongswan-{plugin}.so").exists():
            return f"strongSwan has no plugin {plugin}; apt-get install {_PACKAGES}"
    if os.geteuid() != 0:
        return "it has to be root, to make network namespaces"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun for strongSwan's tunnel device"
    return ""


def run(folder: Path) -> list[Row]:
    """All scenarios, one after the other, with the same two daemons."""
    children = _Children()
    with charon_pair(folder, children.all) as pair:
        pair.negotiate(children.all)
        stage, of_each_kind = Stage(pair, folder), [*children.suites, *children.other_versions]
        rows = scenarios.every_suite(stage, of_each_kind)
        rows += scenarios.every_length(stage, children.every_length)
        rows += scenarios.many(stage, children.many)
        rows += scenarios.rekeyed(stage, children.rekeyed)
        # Behind our sequence numbers, those of end a are too old for end b: no more of its traffic
        # through these children.
        rows += live(pair, of_each_kind)
        rows += live(pair, children.padded, HIDING_LENGTHS)
        rows += live(pair, children.cut_before, CUT_BEFORE)
        rows += live(pair, children.cut_after, CUT_AFTER)
        for version in (6, 4):
            rows += scenarios.outer_fragments(stage, children.fragmented, version)
    return added(rows)


class _Children:
    """The child SAs of each scenario."""

    def __init__(self) -> None:
        self.all: list[Child] = []
        # kernel-libipsec has no GMAC: the peer answers NO_PROPOSAL_CHOSEN.
        self.suites = [
            self._child("suite", name)
            for name in (s.name for s in SUITES if s.encryption is not Encryption.GMAC)
        ]
        self.every_length = [self._child("lengths", name) for name in _OF_EACH_KIND]
        self.many = [self._child(f"many{number}", "aes-gcm-128") for number in range(_MANY)]
        self.rekeyed = [self._child("rekeyed", name) for name in _OF_EACH_KIND]
        self.other_versions = [
            self._child("versions", name, inner, outer)
            for inner, outer in ((6, 4), (4, 6), (6, 6))
            for name in _OF_EACH_KIND
        ]
        self.fragmented = [
            self._child("fragmented", name, version, version)
            for version in (6, 4)
            for name in _OF_EACH_KIND
        ]

        self.padded = [self._child("padded", name) for name in _OF_EACH_KIND]
        self.cut_before = [self._child("cut-before", name) for name in _OF_EACH_KIND]
        self.cut_after = [
            self._child("cut-after", name, 4, outer) for outer in (4, 6) for name in _OF_EACH_KIND
        ]

    def _child(self, scenario: str, suite: str, inner: int = 4, outer: int = 4) -> Child:
        name = f"{scenario}-{suite}-{inner}in{outer}"
        child = Child(name, SUITES[SUITE_NUMBERS[suite]], len(self.all) + 1, inner, outer)
        self.all.append(child)
        return child


if __name__ == "__main__":
    sys.exit(main(__doc__, "strongSwan", why_not, run))
