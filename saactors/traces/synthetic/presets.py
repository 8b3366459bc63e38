"""Gateways: models with the figures of a kind of installation in place of their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from saactors.traces.synthetic.bursts import OnOff
from saactors.traces.synthetic.flows import Flows
from saactors.traces.synthetic.parameters import SAS_MAX, SECOND_NS, parameter
from saactors.traces.synthetic.steady import Rekeying


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Flows):
    """A branch office: few tunnels, users' flows."""

    packets_per_s: float = parameter(
        10_000.0, "packets/s", "70 Mb/s at 870.6 bytes a packet, an office's uplink", least=1e-3,
        most=1e9,
    )  # fmt: skip
    pairs: int = parameter(
        64, "tunnels", "cloud gateways have 30 to 100", assumed=False, least=1, most=SAS_MAX
    )
    exponent: float = parameter(1.2, "", "Zipf weights of the tunnels: site to site", most=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccess(Rekeying):
    """Remote access: thousands of thin tunnels that rekey."""

    packets_per_s: float = parameter(
        50_000.0, "packets/s", "10 packets/s a tunnel", least=1e-3, most=1e9
    )
    sas: int = parameter(5_000, "tunnels", "one SA a user", least=1, most=SAS_MAX)
    exponent: float = parameter(0.8, "", "thin tunnels that differ little", most=10)
    lifetime_ns: int = parameter(
        20 * SECOND_NS,
        "ns",
        "short, so that a trace of 40 s sees two rekeyings; strongSwan's default is 1 h",
        least=1_000,
        most=10**15,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGateway(OnOff):
    """A mobile operator's gateway: tens of thousands of SAs, bursty, in the 5G/4G size mix.

    SAs do not rekey: at a lifetime of 1 h one in 180 would within the default's 20 s.
    """

    sas: int = parameter(
        40_000, "SAs", "a chassis has 64 k tunnels at most; taken to be well filled", least=1,
        most=SAS_MAX,
    )  # fmt: skip
    exponent: float = parameter(
        1.0, "", "base stations differ more than users do (0.8), less than sites (1.2)", most=10
    )
