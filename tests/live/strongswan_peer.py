"""strongSwan's user-space ESP as the other end of our tunnels, in network namespaces.

    ours (the gateway, its TUN device) ── veth ── theirs (charon with kernel-libipsec)
      └─ veth ─ ike (the charon that negotiates for us)

Both charons have kernel-libipsec, since charon wants a backend. Ours gets IKE alone
(``ike_relay.py``), never ESP, and nobody in its namespace sends: what moves packets on our side is
the gateway, with keys from a file that grows as the charon rekeys (``key_file.py``).

For comparison, ``charon_at_both_ends`` has no gateway: our charon moves the packets.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from charon_daemon import Charon, Role, charon_daemon
from charon_log import Fate
from key_file import KeyFile, key_file
from links import OUTSIDE, give_addresses, give_inner_addresses, join
from namespaces import Namespace, namespace
from patience import wait_until
from tunnels import OURS, THEIRS, Tunnel

_TO_IKE, _IKE = "saa-ike", "ike-out"
_RELAY: Final = Path(__file__).with_name("ike_relay.py")
TUNNELS: Final = (
    Tunnel(1),
    Tunnel(2),
    Tunnel(3, suite="aes-gcm-256"),
    Tunnel(4, suite="aes-cbc-128-hmac-sha2-256-128"),
    Tunnel(5, inner_version=6, outer_version=6),
    Tunnel(6, inner_version=6),
)
REKEY_S: Final = 15


@dataclass(frozen=True)
class Peer:
    """The stage, with the first SAs of all tunnels negotiated."""

    ours: Namespace
    theirs: Namespace
    our_charon: Charon
    their_charon: Charon
    keys: KeyFile

    def rekeyings(self) -> int:
        """How many pairs of SAs were made beyond the first of each tunnel."""
        self.keys.update()
        names = [name for name, _ in self.keys.sas]
        return len(names) // 2 - len(set(names))

    def refused(self) -> dict[str, int]:
        """Packets of ours that the other end did not take, by its reasons."""
        log = self.their_charon.log()
        reasons = [fate.value for fate in Fate if fate is not Fate.TAKEN]
        return {reason: log.count(reason) for reason in reasons if reason in log}


@contextmanager
def strongswan_peer(
    folder: Path, tunnels: Sequence[Tunnel], *, rekey_s: int = REKEY_S, hold_ports: bool = False
) -> Iterator[Peer]:
    """Everything but our data path; keys go to ``folder/esp_sa``.

    ``hold_ports``: whether port 4500 is taken for a gateway that has no socket there.
    """
    with ExitStack() as stack:
        ours, theirs, ike = (
            stack.enter_context(namespace(f"live-{name}-")) for name in ("ours", "theirs", "ike")
        )
        join((ours, OUTSIDE[OURS], OURS), (theirs, OUTSIDE[THEIRS], THEIRS))
        give_addresses(ours, OURS, OUTSIDE[OURS], tunnels)
        give_addresses(theirs, THEIRS, OUTSIDE[THEIRS], tunnels)
        give_inner_addresses(theirs, THEIRS, "lo", tunnels)
        # Either end as the one on the real wire that it stands for.
        join((ours, _TO_IKE, THEIRS), (ike, _IKE, OURS))
        ours.ip("link", "set", _TO_IKE, "up")
        give_addresses(ike, OURS, _IKE, tunnels)
        give_inner_addresses(ike, OURS, "lo", tunnels)  # or it refuses to install its policies
        ports = ["500", "4500"] if hold_ports else ["500"]
        words = [sys.executable, "-I", str(_RELAY), OUTSIDE[OURS], _TO_IKE, *ports]
        output = folder / "relay-output"
        stack.enter_context(ours.program(words, output=output))
        wait_until(lambda: "between" in output.read_text(), "the relay to begin")
        secret = secrets.token_hex(16)
        role = Role(THEIRS)
        other = stack.enter_context(charon_daemon(theirs, folder / "theirs", role, tunnels, secret))
        role = Role(OURS, rekey_s=rekey_s)
        own = stack.enter_context(charon_daemon(ike, folder / "ours", role, tunnels, secret))
        for tunnel in tunnels:
            own.initiate(tunnel)
        keys = stack.enter_context(key_file(folder / "ours" / "charon.log", folder / "esp_sa"))
        yield Peer(ours, theirs, own, other, keys)


@contextmanager
def charon_at_both_ends(
    folder: Path, tunnels: Sequence[Tunnel], *, rekey_s: int = 0
) -> Iterator[tuple[Namespace, Namespace]]:
    """The same tunnels with strongSwan's ESP on our side, too: what ours is measured by."""
    with ExitStack() as stack:
        ours, theirs = (
            stack.enter_context(namespace(f"both-{name}-")) for name in ("ours", "theirs")
        )
        join((ours, OUTSIDE[OURS], OURS), (theirs, OUTSIDE[THEIRS], THEIRS))
        secret, daemons = secrets.token_hex(16), []
        for side, place in ((THEIRS, theirs), (OURS, ours)):
            give_addresses(place, side, OUTSIDE[side], tunnels)
            give_inner_addresses(place, side, "lo", tunnels)
            role = Role(side, rekey_s=rekey_s if side == OURS else 0)
            files = folder / role.name
            daemons.append(stack.enter_context(charon_daemon(place, files, role, tunnels, secret)))
        for tunnel in tunnels:
            daemons[1].initiate(tunnel)
        yield ours, theirs
