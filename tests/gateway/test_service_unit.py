"""The systemd unit in ``docs``: it says what its reasons and ``docs/gateway.md`` speak of."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from saactors.scenario.gateway_tables import CONTROL_SOCKET, STATE_FOLDER, Settings

CHECKOUT = Path(__file__).parents[2]
UNIT = CHECKOUT / "docs" / "saactors.service"
TEXT = UNIT.read_text(encoding="utf-8")
CAPABILITIES = {"CAP_NET_ADMIN", "CAP_NET_RAW"}
REFUSED = {"MemoryDenyWriteExecute", "ProcSubset", "PrivateUsers", "PrivateDevices"}
REFUSED |= {"PrivateNetwork"}
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "DevicePolicy": "closed",
    "DeviceAllow": "/dev/net/tun rw",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "LimitCORE": "0",
}
EXPOSURE_MAX = 25  # tenths, of 100


def directives(text: str = TEXT) -> dict[str, list[str]]:
    """All lines by name; a name that comes twice has two values."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        name, is_one, value = line.partition("=")
        if is_one and not line.startswith("#"):
            found[name].append(value)
    return found


GIVEN = directives()


def words(name: str) -> set[str]:
    """The words of all lines of that name."""
    return {word for value in GIVEN[name] for word in value.split()}


@pytest.mark.parametrize("name", HARDENED)
def test_the_unit_is_hardened(name: str) -> None:
    """What the page promises: a user of its own, two capabilities, three folders."""
    assert GIVEN[name] == [HARDENED[name]]


def test_capabilities_are_those_that_ports_need() -> None:
    """They are ambient, as the user is not root, and nothing can add to them."""
    assert words("AmbientCapabilities") == words("CapabilityBoundingSet") == CAPABILITIES
    assert GIVEN["User"] == ["saactors"]


def test_every_family_of_sockets_that_is_used_is_allowed() -> None:
    """A port that cannot be opened under systemd alone would be hard to explain."""
    families = {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"}
    assert words("RestrictAddressFamilies") == families
    opened = set()
    for path in (CHECKOUT / "saactors" / "gateway").rglob("*.py"):
        opened |= set(re.findall(r"\bAF_[A-Z0-9]+\b", path.read_text(encoding="utf-8")))
    assert opened - {"AF_UNSPEC"} <= families


def test_folders_are_the_files_defaults() -> None:
    """A gateway's file need not say where systemd lets it write."""
    assert GIVEN["RuntimeDirectory"] == [Path(CONTROL_SOCKET).parent.name]
    assert GIVEN["StateDirectory"] == [Path(STATE_FOLDER).name]
    assert GIVEN["Environment"] == [f"NUMBA_CACHE_DIR=/var/cache/{GIVEN['CacheDirectory'][0]}"]
    assert {GIVEN[f"{kind}DirectoryMode"][0] for kind in ("Runtime", "State", "Cache")} == {"0700"}


def test_the_service_manager_is_told() -> None:
    """The protocol that the process speaks, and times that it can keep."""
    assert GIVEN["Type"] == ["notify"]
    assert GIVEN["WatchdogSec"] == ["30s"]
    assert GIVEN["ExecReload"][-1] == "kill -HUP $MAINPID"
    default = Settings.model_fields["drain_timeout_s"].default
    assert int(GIVEN["TimeoutStopSec"][0].removesuffix("s")) > default


def test_what_cannot_be_set_is_argued() -> None:
    """Each name that a reader would miss stands in a remark, and in no line."""
    remarks = "\n".join(line for line in TEXT.splitlines() if line.startswith("#"))
    for name in REFUSED:
        assert name in remarks
        assert name not in GIVEN


def test_ports_that_need_capabilities_are_named_in_the_unit() -> None:
    """Whoever leaves a capability out has to know what it was for."""
    remark = TEXT[: TEXT.index("AmbientCapabilities=")].rpartition("\n\n")[2]
    for kind in ("TUN", "esp", "packet"):
        assert kind in remark


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Whatever it complains of is a misspelt name or value; the command is put in its place."""
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/saactors/bin/saactors", "/bin/true"))
    asked = ["systemd-analyze", "verify", "--man=no", str(unit)]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in told.stderr.splitlines() if UNIT.name in line]
    assert not complaints


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_thinks_the_unit_little_exposed() -> None:
    """Of what it would have on top, most is what a gateway is for: networks and a device."""
    asked = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}"]
    told = subprocess.run(
        [*asked, "--no-pager", str(UNIT)], capture_output=True, text=True, timeout=60, check=False
    )
    if "offline" in told.stderr and told.returncode:
        pytest.skip("this systemd-analyze has no --offline")
    assert told.returncode == 0, told.stdout
