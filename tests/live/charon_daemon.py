"""A charon with children that it rekeys, and whose log has their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from charon import DAEMON, PLUGINS
from namespaces import Namespace, command
from patience import wait_until
from tunnels import THEIRS, Tunnel, host_prefix

TUN_DEVICE: Final = "ipsec0"
_IKE_PROPOSAL: Final = "aes128gcm16-prfsha256-x25519"
_INITIATE_PATIENCE_S: Final = 10
# A child that is not rekeyed in time is gone; nothing here is about that.
_LIFE_S: Final = 3600


@dataclass(frozen=True)
class Role:
    """Which end it is, and how often it rekeys (0: never)."""

    side: int
    rekey_s: int = 0

    @property
    def name(self) -> str:
        """Its identity and the name of its files."""
        return "theirs" if self.side == THEIRS else "ours"


@dataclass(frozen=True)
class Charon:
    """A running daemon."""

    role: Role
    folder: Path

    def initiate(self, tunnel: Tunnel) -> None:
        """Negotiate a tunnel's first SAs."""
        words = ("--initiate", "--child", tunnel.name, "--timeout", str(_INITIATE_PATIENCE_S))
        command([*self._swanctl(), *words, "--uri", self._uri])

    def load(self) -> None:
        """Have it read its connections."""
        file = f"{self.folder}/swanctl.conf"
        command([*self._swanctl(), "--load-all", "--file", file, "--uri", self._uri])

    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "charon.log").read_text(errors="replace")

    @property
    def _uri(self) -> str:
        return f"unix://{self.folder}/vici"

    def _swanctl(self) -> list[str]:
        settings = [f"STRONGSWAN_CONF={self.folder}/strongswan.conf", f"SWANCTL_DIR={self.folder}"]
        return ["env", *settings, "swanctl"]


@contextmanager
def charon_daemon(
    namespace: Namespace, folder: Path, role: Role, tunnels: Sequence[Tunnel], secret: str
) -> Iterator[Charon]:
    """Have a daemon running for a while, ready to negotiate these tunnels."""
    folder.mkdir(mode=0o700)
    settings, output = folder / "strongswan.conf", folder / "output"
    settings.write_text(_SETTINGS.format(plugins=PLUGINS, folder=folder))
    connections = "".join(_connection(role, tunnel) for tunnel in tunnels)
    file = folder / "swanctl.conf"
    file.touch(mode=0o600)
    file.write_text(_CONNECTIONS.format(connections=connections, secret=secret))
    environment = {"STRONGSWAN_CONF": str(settings)}
    with namespace.program([DAEMON], output=output, environment=environment) as process:

        def is_up() -> bool:
            if process.poll() is not None:
                said = output.read_text()[-2000:]
                raise RuntimeError(f"charon {role.name} ended at once: {said}")
            return (folder / "vici").exists()

        wait_until(is_up, f"the control socket of charon {role.name}")
        daemon = Charon(role, folder)
        daemon.load()
        yield daemon


def _connection(role: Role, tunnel: Tunnel) -> str:
    own, other = role.side, 3 - role.side
    times = f"rekey_time = {role.rekey_s}s\n        life_time = {_LIFE_S}s"
    if role.rekey_s:
        times += f"\n        rand_time = {max(1, role.rekey_s // 3)}s"
    return _CONNECTION.format(
        name=tunnel.name,
        ike=_IKE_PROPOSAL,
        esp=tunnel.parameters.strongswan,
        local=tunnel.outer(own),
        remote=tunnel.outer(other),
        own=own,
        other=other,
        local_traffic=host_prefix(tunnel.inner(own)),
        remote_traffic=host_prefix(tunnel.inner(other)),
        times=times if role.rekey_s else "rekey_time = 0",
    )


# chd = 4 logs the keys, esp = 1 those packets only that are refused.
_SETTINGS: Final = """
charon-systemd {{
  load = {plugins}
  install_virtual_ip = no
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
      path = {folder}/charon.log
      flush_line = yes
      default = 1
      chd = 4
      esp = 1
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{folder}/vici
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

_CONNECTIONS: Final = """
connections {{{connections}
}}
secrets {{
  ike-1 {{
    secret = "{secret}"
  }}
}}
"""

_CONNECTION: Final = """
  {name} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = {ike}
    rekey_time = 0
    encap = yes
    mobike = no
    local {{
      auth = psk
      id = side{own}.example
    }}
    remote {{
      auth = psk
      id = side{other}.example
    }}
    children {{
      {name} {{
        local_ts = {local_traffic}
        remote_ts = {remote_traffic}
        esp_proposals = {esp}
        {times}
      }}
    }}
  }}"""
