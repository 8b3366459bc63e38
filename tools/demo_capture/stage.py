"""Builds the network, starts the servers, captures while the plan is played, and clears up.

A process of its own (`python -m demo_capture.stage FOLDER SEED`), which `make_demo_capture.py`
starts in namespaces of its own for mounts, processes and the network. It ends what it started by
process id and removes every namespace it made, whatever happened. Should it be killed outright, the
kernel does the same: all of it lived in those three namespaces, in which it is process 1. No link
leads out of them.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo_capture.network import (
    CAPTURE_DEVICE,
    NAME_SERVER,
    SERVERS,
    WAN_DEVICES,
    build_network,
    enter,
    remove_network,
    run,
)
from demo_capture.plan import (
    DURATION_S,
    IPERF_PORT_FIRST,
    TRANSFERS,
    draw_plan,
    page_bytes,
)

# The longest usual headers take 14 + 40 + 32 bytes (Ethernet, IPv6, TCP with time stamps); the rest
# shows the whole of a look-up and the first line of a request.
SNAP_BYTES = 112
# The link's own housekeeping has addresses that only mean something on that link: leave it out.
CAPTURE_FILTER = "not net fe80::/10 and not net ff00::/8"
CAPTURE_BUFFER_KIB = 16_384
RAW_CAPTURE = "raw.pcap"

STOPPED = 128 + signal.SIGTERM  # as shells report it

READY_TIMEOUT_S = 10.0
END_TIMEOUT_S = 3.0
# What the last packets need to arrive: the longest round trip and the queue, several times over.
LINGER_S = 1.0

NGINX_CONFIGURATION = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type text/plain;
    server {{ listen 80; listen [::]:80; root {folder}/www; index index.txt; }}
}}
"""


class Stage:
    """The processes that run, and where their words go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, namespace: str, *command: str, cwd: Path | None = None) -> int:
        """Start a program in a namespace.

        Returns:
            Its place in `self`, which names it from now on.
        """
        place = len(self._processes)
        with self.log(place).open("wb") as log:
            process = subprocess.Popen(
                enter(namespace, *command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if command[0] == "curl" else log,
                stderr=log,
                cwd=cwd or self.folder,
            )
        self._processes.append(process)
        return place

    def log(self, place: int) -> Path:
        """What a program has printed."""
        return self.folder / f"program-{place}.log"

    def end(self, place: int, how: signal.Signals = signal.SIGTERM) -> int:
        """End a program, if it still runs, and return its status."""
        process = self._processes[place]
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait()

    def end_all(self) -> None:
        """End whatever still runs, the last one first."""
        for place in reversed(range(len(self._processes))):
            self.end(place)


@contextmanager
def network_and_servers(folder: Path, seed: int) -> Iterator[Stage]:
    """The stage, set: network up and servers answering. Cleared when the block is left."""
    stage = Stage(folder)
    try:
        print("building namespaces and links", flush=True)
        build_network()
        print("starting the wide-area link, nginx, dnsmasq and iperf3", flush=True)
        tools_folder = Path(__file__).parent.parent
        module = (sys.executable, "-m", "demo_capture.delay_line")
        stage.start("wan", *module, *WAN_DEVICES, cwd=tools_folder)
        _start_servers(stage, seed)
        yield stage
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what comes now shall not be interrupted
        print("ending all programs and removing all namespaces", flush=True)
        stage.end_all()
        remove_network()


def _start_servers(stage: Stage, seed: int) -> None:
    """Start all servers and wait until each has its port."""
    _write_pages(stage.folder / "www", seed)
    configuration = stage.folder / "nginx.conf"
    configuration.write_text(NGINX_CONFIGURATION.format(folder=stage.folder))
    stage.start("servers", "nginx", "-c", str(configuration), "-e", "stderr")

    records = [
        f"--host-record={server.name},{server.ipv4}" + (f",{server.ipv6}" if server.ipv6 else "")
        for server in SERVERS
    ]
    switches = "--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces"
    identity = f"--user=root --pid-file= --local=/example/ --listen-address={NAME_SERVER.ipv4}"
    stage.start("servers", "dnsmasq", *switches.split(), *identity.split(), *records)

    ports = range(IPERF_PORT_FIRST, IPERF_PORT_FIRST + len(TRANSFERS))
    for port, transfer in zip(ports, TRANSFERS, strict=True):
        stage.start("servers", "iperf3", "-s", "-B", transfer.address(), "-p", str(port))

    wanted = {f":{port} " for port in (53, 80, *ports)}
    _wait("the servers", lambda: all(port in _listening() for port in wanted))


def _listening() -> str:
    return run(enter("servers", "ss", "-Hltn"))


def _write_pages(root: Path, seed: int) -> None:
    """Write the web servers' files: lines of text, each file as long as the plan says."""
    for name, size_bytes in page_bytes(seed).items():
        path = root / (name[1:] or "index.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        line = f"{name}: demo text of no meaning\n".encode()
        path.write_bytes((line * (size_bytes // len(line) + 1))[:size_bytes])


def _wait(what: str, is_ready: Callable[[], bool]) -> None:
    """Wait until `is_ready()`; RuntimeError if it takes too long."""
    give_up_s = time.monotonic() + READY_TIMEOUT_S
    while not is_ready():
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"{what} not ready within {READY_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


@contextmanager
def capture(stage: Stage) -> Iterator[None]:
    """Capture at the gateway's wide-area side while the block runs.

    Raises:
        RuntimeError: tcpdump lost packets.
    """
    place = stage.start(
        "gateway",
        *shlex.split(f"tcpdump -i {CAPTURE_DEVICE} -n -Z root --time-stamp-precision=nano"),
        *shlex.split(f"-s {SNAP_BYTES} -B {CAPTURE_BUFFER_KIB} -w {RAW_CAPTURE}"),
        CAPTURE_FILTER,
    )
    _wait("tcpdump", lambda: "listening on" in stage.log(place).read_text())
    yield
    stage.end(place, signal.SIGINT)
    words = stage.log(place).read_text()
    print(words, end="", flush=True)
    if "\n0 packets dropped by kernel" not in words:
        raise RuntimeError("tcpdump could not keep up: run it again on a less busy machine")


def play(stage: Stage, seed: int) -> None:
    """Start each activity of the plan at its time, end them all, and list what failed."""
    plan = draw_plan(seed)
    (stage.folder / "names").write_text(
        "".join(f"{server.name} {kind}\n" for server in SERVERS for kind in ("A", "AAAA"))
        + "no-such-name.hq.example A\n",
    )
    print(f"playing {len(plan)} activities in {DURATION_S:.0f} s", flush=True)
    begin_s = time.monotonic()
    places = {}
    for activity in plan:
        time.sleep(max(0, begin_s + activity.start_s - time.monotonic()))
        print(
            f"{activity.start_s:6.2f} s  {activity.host}  {shlex.join(activity.command)}",
            flush=True,
        )
        places[stage.start(activity.host, *activity.command)] = activity
    time.sleep(max(0, begin_s + DURATION_S + LINGER_S - time.monotonic()))
    for place, activity in places.items():
        status = stage.end(place)
        if status:
            last_words = stage.log(place).read_text(errors="replace").strip().splitlines()[-1:]
            print(f"status {status}: {activity.host} {shlex.join(activity.command)} {last_words}")


def keep_names_inside(folder: Path) -> None:
    """Let every program ask our name server, in this mount namespace only."""
    for path, text in (
        ("/etc/resolv.conf", f"nameserver {NAME_SERVER.ipv4}\noptions timeout:2\n"),
        ("/etc/nsswitch.conf", "hosts: dns\n"),
    ):
        ours = folder / Path(path).name
        ours.write_text(text)
        run(["mount", "--bind", str(ours), path])
    Path("/run/netns").mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"])


def main() -> None:
    """Play the plan with the seed and leave the capture in the folder."""
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep_names_inside(folder)
    with network_and_servers(folder, seed) as stage, capture(stage):
        play(stage, seed)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except RuntimeError as failure:
        sys.exit(f"error: {failure}")
