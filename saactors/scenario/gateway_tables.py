"""The tables that a gateway's file has beside those of a scenario: ports, control, page, keys."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from saactors.model.selector import PORT_MAX
from saactors.scenario.tables import Array, Scenario, Table
from saactors.scenario.values import Endpoint, HardwareAddress, Name, Prefix, whole

CONTROL_SOCKET: Final = "/run/saactors/control.sock"
STATE_FOLDER: Final = "/var/lib/saactors"
WEB_PORT: Final = 9477
MTU_MIN_BYTES: Final = 576
MTU_MAX_BYTES: Final = 9000

Path = Annotated[str, Field(min_length=1, max_length=4096, description="a path")]


class Port(Table):
    """One of ``[[ports]]``: where packets come in and go out. Which keys apply says ``kind``."""

    side: Annotated[Literal["inside", "outside"], Field(description="'inside' or 'outside'")]
    kind: Annotated[
        Literal["tun", "udp", "esp", "packet", "capture"],
        Field(description="'tun', 'udp', 'esp', 'packet' or 'capture'"),
    ]
    name: Annotated[
        Name | None, Field(description="a name; else it is made of kind and number")
    ] = None
    device: Annotated[
        str | None,
        Field(max_length=15, pattern=r"^[^\s/]+$", description="a device's name such as 'saa0'"),
    ] = None
    addresses: Annotated[
        Array[str], Field(description="addresses with prefix lengths, such as ['10.1.0.1/24']")
    ] = ()
    mtu: Annotated[int | None, whole(MTU_MIN_BYTES, MTU_MAX_BYTES, "bytes")] = None
    address: Endpoint = None
    port: Annotated[int, whole(1, PORT_MAX)] = 4500
    interface: Annotated[
        str | None,
        Field(max_length=15, pattern=r"^[^\s/]+$", description="an interface such as 'eth1'"),
    ] = None
    peer: HardwareAddress = None
    file: Annotated[Path | None, Field(description="a capture's path")] = None
    write: Annotated[Path | None, Field(description="a capture's path")] = None
    speed: Annotated[float, Field(gt=0, le=1e6, description="a factor above 0")] = 1.0
    networks: Annotated[
        Array[Prefix], Field(description="prefixes that are reached by this port")
    ] = ()
    receive_buffer_bytes: Annotated[int | None, whole(4096, 1 << 30, "bytes")] = None


class Settings(Table):
    """``[gateway]``: the process."""

    name: Annotated[Name, Field(description="a name, for people and metrics")] = "gateway"
    control: Annotated[Path, Field(description="the control socket's path")] = CONTROL_SOCKET
    state: Annotated[
        Path, Field(description="a folder that outlives the process: sequence numbers in use")
    ] = STATE_FOLDER
    burst: Annotated[int, whole(1, 256, "packets")] = 256
    burst_wait_us: Annotated[int, whole(0, 1_000_000, "microseconds")] = 0
    drain_timeout_s: Annotated[int, whole(0, 3600, "seconds")] = 5
    software_workers: Annotated[int, whole(1, 64, "workers")] = 1
    sas_max: Annotated[int, whole(1, 1 << 24, "SAs")] = 1 << 20
    events: Annotated[Path | None, Field(description="an event log's path")] = None


class Web(Table):
    """``[web]``: the page and the metrics."""

    address: Annotated[str, Field(description="an address to listen on")] = "127.0.0.1"
    port: Annotated[int, whole(0, PORT_MAX)] = WEB_PORT
    token_file: Annotated[Path | None, Field(description="the path of a file with a token")] = None


class FollowedKeys(Table):
    """``[follow_keys]``: a key file of strongSwan's save-keys plugin, followed as it grows."""

    file: Annotated[Path, Field(description="the path of an esp_sa file")]
    local: Annotated[
        Array[str], Field(min_length=1, description="our outer addresses, such as ['192.0.2.1']")
    ]
    udp_encapsulation: Annotated[bool, Field(description="true or false")] = False
    retire_after_s: Annotated[int, whole(1, 86_400, "seconds")] = 30


class Live(Scenario):
    """A gateway described. Policies may name a ``peer`` in place of an SA."""

    gateway: Annotated[Settings, Field(description="a table")] = Settings()
    ports: Annotated[Array[Port], Field(min_length=1, description="an array of tables, [[ports]]")]
    web: Annotated[Web | None, Field(description="a table")] = None
    follow_keys: Annotated[FollowedKeys | None, Field(description="a table")] = None
