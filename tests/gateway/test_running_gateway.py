"""Two real gateways: every command, every signal, a page, listeners; as their users have them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

CHECKOUT: Final = Path(__file__).parents[2]
sys.path.append(str(CHECKOUT / "tools"))

from soaking.changes import Changes  # noqa: E402 - tools are no package
from soaking.pair import Gateway, in_namespace, new_key, pair  # noqa: E402 - likewise

from saactors.gateway.control.schema import COMMANDS  # noqa: E402 - likewise

SAACTORS: Final = (sys.executable, "-m", "saactors")
PATIENCE_S: Final = 20.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="NAMESPACES NEED ROOT: run as root"),
]


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Both ends of eight tunnels, with keys."""
    with pair(tmp_path_factory.mktemp("pair"), web_port=0) as both:
        Changes(both, seed=1).begin()
        yield both


def ctl(gateway: Gateway, *words: str, status: int = 0) -> dict[str, Any]:
    """What ``saactors ctl --json`` prints."""
    path = str(gateway.folder / "control.sock")
    done = subprocess.run(
        [*SAACTORS, "ctl", "--socket", path, "--json", *words],
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"said": done.stderr}
    return told


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something to be so."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} did not come within {PATIENCE_S:.0f} s")


def ping(gateway: Gateway, peer: Gateway, tunnel: int, *words: str) -> str:
    """What ping says."""
    ends = ["-I", gateway.inner(tunnel), peer.inner(tunnel)]
    command = ["ping", "-c", "5", "-i", "0.05", "-W", "5", *words, *ends]
    told = ""
    for _ in range(3):  # it waits for its last reply only about two round trips
        done = subprocess.run(
            in_namespace(gateway, command),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        told += done.stdout
        if " 0% packet loss" in done.stdout:
            break
    return told


def log_of(gateway: Gateway) -> list[dict[str, Any]]:
    """The lines of its log, which are JSON where it is no terminal."""
    lines = (gateway.folder / "log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_packets_of_all_sizes_come_through_and_are_counted_once(
    gateways: tuple[Gateway, Gateway],
) -> None:
    """There and back, also what the kernel has to cut for the tunnel; and the sums are right."""
    one, other = gateways
    for size in (0, 56, 1300, 4000):
        assert "5 received" in ping(one, other, 0, "-s", str(size))
    for gateway in gateways:
        packets = until(lambda g=gateway: settled(g), "rest")
        gone = packets["out_packets"] + sum(packets["dropped"].values())
        assert packets["in_packets"] == gone


def settled(gateway: Gateway) -> dict[str, Any] | None:
    """The packets of a gateway in which nothing is left."""
    packets: dict[str, Any] = ctl(gateway, "status")["packets"]
    return packets if packets["in_flight_packets"] == 0 else None


def test_every_command_that_only_looks_answers_as_the_schema_says(
    gateways: tuple[Gateway, Gateway],
) -> None:
    """The models are what docs/control.md is made from."""
    one, other = gateways
    ping(one, other, 1)
    [row] = ctl(one, "sa", "list", "tunnel-1")["rows"]
    spi = f"{row['spi']:#x}"
    asked = {
        "status": ("status",),
        "sa.list": ("sa", "list"),
        "sa.show": ("sa", "show", spi),
        "explain": ("explain", spi),
        "rule.show": ("rule", "show"),
        "card.show": ("card", "show"),
        "policy.list": ("policy", "list"),
        "moves": ("moves",),
        "history": ("history",),
    }
    looking = {name for name, command in COMMANDS.items() if not command.changes}
    assert set(asked) == looking - {"attach", "trace.add"}
    for name, words in asked.items():
        COMMANDS[name].answer.model_validate(ctl(one, *words))
    assert row["packets"] >= 5
    assert ctl(one, "explain", spi)["text"][0].startswith(f"SA {row['spi']:#010x} (tunnel-1) is ")


def test_an_sa_s_life_from_adding_to_deleting(
    gateways: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    """Added with a policy, pinned to the card, taken off it, deleted; traffic follows."""
    one, other = gateways
    key = tmp_path / "key"
    key.write_text(new_key())
    ends = ["--source", one.outer, "--destination", other.outer, "--source-port", "4500"]
    ends += ["--destination-port", "4500"]
    common = ["--suite", "aes-gcm-128", "--key-file", str(key), *ends]
    ctl(other, "sa", "add", "0x5001", "--direction", "in", *common)
    added = ctl(one, "sa", "add", "0x5001", "--direction", "out", "--name", "extra", *common)
    assert (added["spi"], added["name"]) == (0x5001, "extra")
    number = ctl(one, "policy", "add", "protect", "--destination", f"{other.inner(2)}/32",
                 "--sa", "extra", "--before", "0")["number"]  # fmt: skip
    assert number == 0
    assert ctl(one, "sa", "pin", "0x5001", "nic")["pinned"] == "nic"
    assert "5 received" in ping(one, other, 2)
    shown = until(lambda: on_card(one, "0x5001"), "the pinned SA on the card")
    assert shown["packets"] >= 5
    assert ctl(one, "sa", "pin", "0x5001", "auto")["pinned"] == "auto"
    assert ctl(one, "policy", "delete", "0")["number"] == 0
    for gateway in gateways:
        assert ctl(gateway, "sa", "delete", "0x5001")["spi"] == 0x5001
        assert "expected the SPI of an SA" in str(ctl(gateway, "sa", "show", "0x5001", status=1))
    assert "5 received" in ping(one, other, 2)


def on_card(gateway: Gateway, spi: str) -> dict[str, Any] | None:
    """The SA, if it is on the card."""
    shown = ctl(gateway, "sa", "show", spi)
    return shown if shown["where"] == "nic" else None


def test_the_rule_and_the_card_change_under_a_stream_that_does_not_notice(
    gateways: tuple[Gateway, Gateway],
) -> None:
    """TCP through the tunnel, every rule in turn, slots and resets: not a byte is wrong."""
    one, other = gateways
    with stream(one, other) as (server, client):
        for rule in ("lru", "never", "first-come", "adaptive", "metric"):
            for gateway in gateways:
                COMMANDS["rule.set"].answer.model_validate(ctl(gateway, "rule", "set", rule))
                assert ctl(gateway, "rule", "show")["name"] == rule
            COMMANDS["card.resize"].answer.model_validate(ctl(one, "card", "resize", "2"))
            COMMANDS["card.reset"].answer.model_validate(ctl(other, "card", "reset"))
        ctl(one, "card", "resize", "4")
        assert "expected 1 to 4" in ctl(one, "card", "resize", "5", status=1)["said"]
        client.terminate()
        client.wait(PATIENCE_S)
        told = json.loads(server.communicate(timeout=PATIENCE_S)[0].splitlines()[-1])
    assert told["wrong"] == 0
    assert told["bytes"] > 1_000_000


@contextmanager
def stream(one: Gateway, other: Gateway) -> Iterator[tuple[Any, Any]]:
    """Somebody sends a pattern through tunnel 3, somebody checks it; both end with the ``with``."""
    words = [sys.executable, "-I", "-c", STREAM]
    with ExitStack() as ends:
        server = ends.enter_context(
            subprocess.Popen(
                in_namespace(other, [*words, "server", other.inner(3)]),
                stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        ends.callback(server.kill)
        assert server.stdout is not None
        server.stdout.readline()
        client = ends.enter_context(
            subprocess.Popen(in_namespace(one, [*words, one.inner(3), other.inner(3)]))
        )
        ends.callback(client.kill)
        yield server, client


STREAM: Final = """
import json, signal, socket, sys
piece = bytes(range(256)) * 64
role, address = sys.argv[1:]
if role == "server":
    listening = socket.create_server((address, 7001))
    print("listening", flush=True)
    connection, _ = listening.accept()
    got, wrong = 0, 0
    while octets := connection.recv(65536):
        for at in range(0, len(octets), 4096):
            part = octets[at : at + 4096]
            first = (got + at) % 256
            wrong += part != (piece + piece)[first : first + len(part)]
        got += len(octets)
    print(json.dumps({"bytes": got, "wrong": wrong}), flush=True)
else:
    connection = socket.create_connection((address, 7001), source_address=(role, 0))
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    while not ended:
        connection.sendall(piece)
    connection.close()
"""


def test_one_change_goes_to_many_gateways_at_once(gateways: tuple[Gateway, Gateway]) -> None:
    """A line for each, and a status that says whether all took it."""
    sockets = [word for each in gateways for word in ("--to", str(each.folder / "control.sock"))]
    done = subprocess.run(
        [*SAACTORS, "ctl", *sockets, "rule", "set", "metric", "threshold=7"],
        capture_output=True, text=True, timeout=150, check=True,
    )  # fmt: skip
    assert all(str(each.folder) in done.stdout for each in gateways)
    for gateway in gateways:
        assert ctl(gateway, "rule", "show")["parameters"]["threshold"] == 7


def test_a_traced_packet_shows_every_step_of_its_way(gateways: tuple[Gateway, Gateway]) -> None:
    """From the port to the egress, in the order of time."""
    one, other = gateways
    path = str(one.folder / "control.sock")
    trace = subprocess.Popen(
        [*SAACTORS, "ctl", "--socket", path, "--json", "trace", "add", "--count", "1",
         "--destination", f"{other.inner(4)}/32"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: ctl(one, "status")["attached"], "the trace")
    ping(one, other, 4)
    told = trace.communicate(timeout=PATIENCE_S)[0]
    actors = ("source", "classifier", "keeper", "arbiter", "egress")
    places = [told.index(f'"{actor}"') for actor in actors]
    assert places == sorted(places)
    assert '"left"' in told


def test_a_listener_that_is_stuck_loses_events_and_nobody_else_waits(
    gateways: tuple[Gateway, Gateway],
) -> None:
    """Stopped by a signal, it is cut off or loses; pings go on."""
    one, other = gateways
    path = str(one.folder / "control.sock")
    listener = subprocess.Popen(
        [*SAACTORS, "attach", "--socket", path, "--kind", "burst_handled", "--format", "json"],
        stdout=subprocess.PIPE,
    )
    until(lambda: ctl(one, "status")["attached"], "the listener")
    listener.send_signal(signal.SIGSTOP)
    assert "5 received" in ping(one, other, 5)
    assert "0% packet loss" in ping(one, other, 5, "-c", "50", "-i", "0.01")
    listener.send_signal(signal.SIGCONT)
    listener.terminate()
    listener.communicate(timeout=PATIENCE_S)
    until(lambda: not ctl(one, "status")["attached"], "its end")


def test_the_page_and_the_metrics_say_what_ctl_says(gateways: tuple[Gateway, Gateway]) -> None:
    """One set of answers, however they are asked for."""
    one, other = gateways
    ping(one, other, 6)
    until(lambda: settled(one), "rest")
    page = until(lambda: page_of(one), "the page's address in the log")
    fetch = f"import urllib.request as u; print(u.urlopen('{page}metrics').read().decode())"
    done = subprocess.run(
        in_namespace(one, [sys.executable, "-I", "-c", fetch]),
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    packets = ctl(one, "status")["packets"]
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(done.stdout)
        for sample in family.samples
    }
    for component in ("software", "nic"):
        key = ("saactors_packets_total", ("component", component))
        assert samples[key] == packets[f"{component}_packets"]


LOOK: Final = """
import json, sys, tempfile, trio
from pathlib import Path
from browser import open_browser

async def look(url):
    with tempfile.TemporaryDirectory() as folder:
        async with open_browser(Path(folder)) as browser:
            page = await browser.open(url)
            await trio.sleep(3)
            print(json.dumps({"numbers": await page.numbers(), "complaints": page.complaints}))

trio.run(look, sys.argv[1])
"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="CHROMIUM MISSING: install chromium")
def test_the_page_shows_the_numbers_of_ctl(gateways: tuple[Gateway, Gateway]) -> None:
    """In a real browser, with nothing to complain about."""
    one, other = gateways
    ping(one, other, 7)
    until(lambda: settled(one), "rest")
    page = until(lambda: page_of(one), "the page's address in the log")
    done = subprocess.run(
        in_namespace(one, [sys.executable, "-c", LOOK, page]),
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "web")},
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    status = ctl(one, "status")
    assert told["complaints"] == []
    for name in ("in_packets", "out_packets", "nic_packets", "software_packets"):
        assert told["numbers"][f"packets.{name}"] == status["packets"][name]
    assert told["numbers"]["card.slots_max"] == status["card"]["slots_max"]
    assert told["numbers"]["sas.total"] == status["sas"]["total"]


def page_of(gateway: Gateway) -> str | None:
    """Where the page is."""
    return next((line["page"] for line in log_of(gateway) if line["event"] == "ready"), None)


def test_a_reload_applies_what_it_can_and_names_the_rest(
    gateways: tuple[Gateway, Gateway],
) -> None:
    """A file that is wrong changes nothing."""
    one, _ = gateways
    file = one.folder / "gateway.toml"
    before, policies = file.read_text(), len(ctl(one, "policy", "list")["rows"])
    extra = f'[[sas]]\nname = "new"\nspi = 0x7001\nsuite = "aes-gcm-128"\nkey = "0x{new_key()}"\n'
    extra += f'source = "{one.outer}"\ndestination = "192.0.2.9"\n'
    extra += '[[policies]]\naction = "discard"\ndestination = "10.9.0.0/16"\n'
    file.write_text(before.replace('profile = "82599"', 'profile = "nfp"') + extra)
    os.kill(one.pid, signal.SIGHUP)
    line = until(lambda: last_line(one, "reloaded"), "the reload")
    assert line["not_applied"] == ["card has changed, which needs a restart"]
    assert len(ctl(one, "policy", "list")["rows"]) == policies + 1
    assert ctl(one, "sa", "show", "0x7001")["name"] == "new"
    file.write_text("[gateway]\nnam = 1\n")
    os.kill(one.pid, signal.SIGHUP)
    line = until(lambda: last_line(one, "not_reloaded"), "the refusal")
    assert "unknown key" in line["problem"]
    file.write_text(before)
    os.kill(one.pid, signal.SIGHUP)
    until(lambda: not ctl(one, "sa", "list", "new")["rows"], "the SA's end")


def last_line(gateway: Gateway, event: str) -> dict[str, Any] | None:
    """The last line of the log, if it is of that event."""
    lines = log_of(gateway)
    return lines[-1] if lines and lines[-1]["event"] == event else None


def test_a_crash_never_lets_a_number_come_twice(tmp_path: Path) -> None:
    """Killed in the middle, started with the same keys: the next packet's number is a new one."""
    with pair(tmp_path / "both") as (one, other):
        extra = '[[sas]]\nname = "tunnel-0"\nspi = 0x7001\nsuite = "aes-gcm-128"\n'
        extra += f'key = "0x{new_key()}"\nsource = "{one.outer}"\n'
        extra += f'destination = "{other.outer}"\nudp_encapsulation = true\n'
        file = one.folder / "gateway.toml"
        file.write_text(file.read_text() + extra)
        os.kill(one.pid, signal.SIGHUP)
        until(lambda: last_line(one, "reloaded"), "the reload")
        ping(one, other, 0, "-W", "1")
        before = ctl(one, "sa", "show", "0x7001")["sequence"]
        assert before >= 5
        one.process.kill()
        one.process.wait()
        one.start()
        assert ctl(one, "sa", "show", "0x7001")["sequence"] > before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_in_good_order(number: int, tmp_path: Path) -> None:
    """Status 0, nothing left inside, the socket gone, and the last number given back."""
    with pair(tmp_path / "both") as both:
        Changes(both, seed=2).begin()
        one, other = both
        ping(one, other, 0)
        os.kill(one.pid, number)
        assert one.process.wait(PATIENCE_S) == 0
        line = last_line(one, "ended")
        assert line is not None
        assert (line["drained"], line["left_inside"]) == (True, 0)
        assert not (one.folder / "control.sock").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nothing.toml",), 2, "nothing.toml: cannot be read: No such file"),
        (("--check", "nothing.toml"), 2, "nothing.toml: cannot be read: No such file"),
        ((), 2, "Missing argument 'GATEWAY.toml'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    words: tuple[str, ...], status: int, said: str, tmp_path: Path
) -> None:
    """On standard error, with the status that says whose fault it is."""
    done = subprocess.run(
        [*SAACTORS, "run", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_socket_that_another_gateway_has_is_refused(tmp_path: Path) -> None:
    """Before any packet is touched."""
    with socket.socket(socket.AF_UNIX) as other:
        path = tmp_path / "control.sock"
        other.bind(str(path))
        other.listen()
        file = tmp_path / "gateway.toml"
        port = f'kind = "capture"\nfile = "{CHECKOUT / "demo" / "traffic.pcap.gz"}"\n'
        file.write_text(
            f'[gateway]\ncontrol = "{path}"\nstate = "{tmp_path / "state"}"\n'
            f'[[ports]]\nside = "inside"\n{port}[[ports]]\nside = "outside"\n{port}'
        )
        done = subprocess.run(
            [*SAACTORS, "run", str(file)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "control.sock" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_packet_too_big_for_its_sa_s_path_is_answered(tmp_path: Path) -> None:
    """The sender hears of it, and the next one fits (RFC 4301 §8.2)."""
    with pair(tmp_path / "both") as (one, other):
        key, spi = new_key(), 0x7001
        for gateway, direction, name in ((one, "out", "tunnel-0"), (other, "in", "back")):
            text = f'[[sas]]\nname = "{name}"\nspi = {spi}\nsuite = "aes-gcm-128"\n'
            text += f'direction = "{direction}"\nkey = "0x{key}"\nudp_encapsulation = true\n'
            text += f'source = "{one.outer}"\ndestination = "{other.outer}"\n'
            text += "path_mtu_bytes = 1000\n" if direction == "out" else ""
            file = gateway.folder / "gateway.toml"
            file.write_text(file.read_text() + text)
            os.kill(gateway.pid, signal.SIGHUP)
            until(lambda g=gateway: last_line(g, "reloaded"), "the reload")
        told = ping(one, other, 0, "-M", "do", "-s", "1200")
        assert "Frag needed" in told or "message too long" in told
        assert ctl(one, "status")["packets"]["dropped"]["packet_too_big"] > 0
