"""Two strongSwan daemons with user-space ESP, each in its own network namespace.

``kernel-libipsec`` does ESP in the daemon and reaches the host through a TUN device: what is routed
into it is sealed by strongSwan's own code, with no kernel's IPsec in the way. It does tunnel mode
in UDP (RFC 3948) and nothing else, and refuses extended sequence numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from namespaces import Namespace, command
from patience import wait_until

from saactors.esp.suites import Suite

DAEMON: Final = "/usr/sbin/charon-systemd"
TUN_DEVICE: Final = "ipsec0"

# kernel-libipsec has to stand before kernel-netlink, which then does routes and addresses only;
# openssl before the plain implementations, for its speed.
PLUGINS: Final = (
    "random nonce openssl aes sha1 sha2 hmac kdf gcm pem pkcs1 x509 pubkey "
    "kernel-libipsec kernel-netlink socket-default vici"
)
_IKE_PROPOSAL: Final = "aes128gcm16-prfsha256-x25519"
_INITIATE_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class Child:
    """A child SA to be negotiated: one suite between a small network behind each end.

    ``number``, 1 to 254, sets its networks apart from those of the other children.
    """

    name: str
    suite: Suite
    number: int
    inner_version: int = 4
    outer_version: int = 4

    @property
    def mode(self) -> str:
        """What rows call this kind of tunnel."""
        if (self.inner_version, self.outer_version) == (4, 4):
            return "tunnel UDP"
        return f"tunnel UDP, IPv{self.inner_version} in IPv{self.outer_version}"

    def network(self, side: int) -> str:
        """The traffic selector of end 1 or 2."""
        if self.inner_version == 4:
            return f"10.{side}.{self.number}.0/24"
        return f"fd00:{side}:{self.number:x}::/64"

    def address(self, side: int) -> IPv4Address | IPv6Address:
        """The address inside that network that end 1 or 2 has on its loopback device."""
        if self.inner_version == 4:
            return IPv4Address(f"10.{side}.{self.number}.1")
        return IPv6Address(f"fd00:{side}:{self.number:x}::1")


@dataclass(frozen=True)
class End:
    """One of the two ends: side 1 is "a", which initiates; side 2 is "b"."""

    side: int
    namespace: Namespace
    folder: Path

    @property
    def name(self) -> str:
        """Also the name of its identity, its device and its log."""
        return "ab"[self.side - 1]

    @property
    def device(self) -> str:
        """Its end of the veth pair."""
        return f"veth-{self.name}"

    def outer(self, version: int) -> str:
        """Its address on that device."""
        return outer_address(self.side, version)


def outer_address(side: int, version: int) -> str:
    """Where the tunnels of end 1 or 2 end."""
    return f"192.168.77.{side}" if version == 4 else f"fd77::{side}"


@dataclass(frozen=True)
class Daemon:
    """A running charon, as ``swanctl`` and its log show it."""

    end: End

    def swanctl(self, *words: str) -> None:
        """Have swanctl tell the daemon something; raises RuntimeError where it is refused."""
        command(self.swanctl_words(*words))

    def swanctl_words(self, *words: str) -> list[str]:
        """The command line for this daemon, for callers that do not want to wait for it."""
        folder = self.end.folder
        settings = [f"STRONGSWAN_CONF={folder}/strongswan.conf", f"SWANCTL_DIR={folder}"]
        return ["env", *settings, "swanctl", *words, "--uri", f"unix://{folder}/vici"]

    def initiate(self, child: Child) -> None:
        """Negotiate a child SA."""
        timeout = str(_INITIATE_TIMEOUT_S)
        self.swanctl("--initiate", "--child", child.name, "--timeout", timeout)

    def log(self) -> str:
        """What it has logged so far."""
        return (self.end.folder / "charon.log").read_text(errors="replace")


@contextmanager
def charon(end: End, children: Sequence[Child], secret: str) -> Iterator[Daemon]:
    """A daemon that is ready to negotiate these children, with a pre-shared secret."""
    end.folder.mkdir(mode=0o700)
    (end.folder / "strongswan.conf").write_text(_daemon_settings(end))
    (end.folder / "swanctl.conf").write_text(_connections(end, children, secret))
    output, environment = (
        end.folder / "output",
        {"STRONGSWAN_CONF": f"{end.folder}/strongswan.conf"},
    )
    with end.namespace.program([DAEMON], output=output, environment=environment) as process:
        daemon = Daemon(end)

        def is_up() -> bool:
            if process.poll() is not None:
                message = f"charon {end.name} ended at once: {output.read_text()[-2000:]}"
                raise RuntimeError(message)
            return (end.folder / "vici").exists()

        wait_until(is_up, f"the control socket of charon {end.name}")
        daemon.swanctl("--load-all", "--file", f"{end.folder}/swanctl.conf")
        yield daemon


def _daemon_settings(end: End) -> str:
    """strongswan.conf: ``chd = 4`` logs the keys, ``esp = 2`` every packet received."""
    return f"""
charon-systemd {{
  load = {PLUGINS}
  install_virtual_ip = no
  retransmit_tries = 1
  journal {{
    default = -1
  }}
  syslog {{
    daemon {{
      default = -1
    }}
    auth {{
      default = -1
    }}
  }}
  filelog {{
    main {{
      path = {end.folder}/charon.log
      flush_line = yes
      default = 1
      chd = 4
      esp = 2
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{end.folder}/vici
    }}
    kernel-libipsec {{
      load = yes
      allow_peer_ts = no
    }}
  }}
}}
swanctl {{
  load = random openssl pem pkcs1 x509 pubkey
}}
"""


def _connections(end: End, children: Sequence[Child], secret: str) -> str:
    """swanctl.conf: a connection for each version of the outer header that is asked for."""
    versions = sorted({child.outer_version for child in children})
    connections = "".join(_connection(end, children, version) for version in versions)
    return f"""
connections {{{connections}
}}
secrets {{
  ike-1 {{
    secret = "{secret}"
  }}
}}
"""


def _connection(end: End, children: Sequence[Child], version: int) -> str:
    other = 3 - end.side
    theirs = "".join(_child(end, child) for child in children if child.outer_version == version)
    return f"""
  ipv{version} {{
    version = 2
    local_addrs = {end.outer(version)}
    remote_addrs = {outer_address(other, version)}
    proposals = {_IKE_PROPOSAL}
    rekey_time = 0
    encap = yes
    mobike = no
    local {{
      auth = psk
      id = {end.name}.example
    }}
    remote {{
      auth = psk
      id = {"ab"[other - 1]}.example
    }}
    children {{{theirs}
    }}
  }}"""


def _child(end: End, child: Child) -> str:
    return f"""
      {child.name} {{
        local_ts = {child.network(end.side)}
        remote_ts = {child.network(3 - end.side)}
        esp_proposals = {child.suite.strongswan}
        rekey_time = 0
      }}"""
