"""The control server: who may ask, its bounds, and that nobody makes it wait."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saactors.errors import ControlError
from saactors.gateway.control.client import ControlClient
from saactors.gateway.control.frames import (
    REPLY_BYTES_MAX,
    REQUEST_BYTES_MAX,
    FrameDecoder,
    encode_frame,
)
from saactors.gateway.control.socket_file import SocketFile

Serve = Callable[..., Any]
NOBODY = 65534


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def spoken(path: str, octets: bytes, *, leaves: bool = False) -> list[dict[str, Any]]:
    """All messages that come back for these octets until the server closes."""
    decoder = FrameDecoder(REPLY_BYTES_MAX)
    found = []
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        client.sendall(octets)
        if leaves:
            client.shutdown(socket.SHUT_WR)
        while received := client.recv(65536):
            decoder.handle_octets(received)
            while (message := decoder.poll_message()) is not None:
                found.append(message)
    return found


def test_requests_are_answered_one_after_the_other(served: Serve) -> None:
    """What is asked comes to the gateway as it was sent, and its answer back."""
    with served() as server, ControlClient(server.path) as client:
        assert client.call("status") == {"command": "status", "listening": 0}
        assert client.call("sa.pin", {"spi": 0x1000, "where": "nic"})["command"] == "sa.pin"
        assert server.behind.asked[1] == ("sa.pin", {"spi": 0x1000, "where": "nic"})


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("sa.show", {"spi": 4096},
         "spi: found 0x1000, expected an SA's; see 'saactors ctl sa list'"),
        ("card.resize", {"slots": 2048}, "slots: found 2048, expected at most 1024"),
        ("sa.shw", {}, "command: found 'sa.shw', expected one of status, "),
        ("status", {"all": True}, "status: all: found an unknown argument, expected no arguments"),
        ("policy.list", {}, "frame: found 20,"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_and_the_connection_stays(
    served: Serve, command: str, arguments: dict[str, Any], expected: str
) -> None:
    """The gateway's errors come through with all that they say."""
    with served() as server, ControlClient(server.path) as client:
        with pytest.raises(ControlError) as caught:
            client.call(command, arguments)
        assert str(caught.value).startswith(expected)
        assert client.call("status")["command"] == "status"


@pytest.mark.parametrize(("command", "kind"), [("card.reset", "Runtime"), ("history", "Type")])
def test_a_defect_behind_it_is_told_by_its_kind_alone(
    served: Serve, command: str, kind: str
) -> None:
    """Its words may quote a key; the traffic goes on, and so does the connection."""
    with served() as server, ControlClient(server.path) as client:
        with pytest.raises(ControlError, match=f"a defect of saactors .{kind}Error in ") as caught:
            client.call(command)
        assert "1234" not in str(caught.value)
        assert client.call("status")["command"] == "status"


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(served: Serve) -> None:
    """0600 whatever the mask; nothing is left behind."""
    former = os.umask(0)
    try:
        with served() as server:
            mode = Path(server.path).stat().st_mode
            assert stat.S_ISSOCK(mode)
            assert stat.S_IMODE(mode) == 0o600
    finally:
        os.umask(former)
    assert not Path(server.path).exists()


def test_a_dead_gateways_socket_is_replaced_and_a_living_ones_is_not(
    served: Serve, tmp_path: Path
) -> None:
    """The living one is named by its process; a file that is no socket is left alone."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    with served() as server:
        with pytest.raises(ControlError, match=f"on which process {os.getpid()} answers, expected"):
            SocketFile(server.path)
        with ControlClient(server.path) as client:
            assert client.call("status")["command"] == "status"
    other = tmp_path / "file"
    other.write_text("kept")
    with pytest.raises(ControlError, match="found a file that is no socket"):
        SocketFile(str(other))
    assert other.read_text() == "kept"


def test_another_gateways_socket_is_not_removed(tmp_path: Path) -> None:
    """Who comes to its end late leaves its successor's file alone."""
    path = str(tmp_path / "control.sock")
    first = SocketFile(path)
    Path(path).unlink()
    second = SocketFile(path)
    first.close()
    assert Path(path).exists()
    second.close()
    second.close()
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("path", "found"),
    [("x" * 108, "a path of 108 octets"), ("", "a path of 0 octets"),
     ("no/such/folder/x.sock", "No such file or directory")],
)  # fmt: skip
def test_a_place_that_cannot_be_is_named(path: str, found: str) -> None:
    """Before anything has been started."""
    with pytest.raises(ControlError, match=f"found {found}, expected"):
        SocketFile(path)


def as_another_user(path: str) -> subprocess.CompletedProcess[str]:
    """Ask for the status as nobody, who may open the socket here."""
    Path(path).chmod(0o666)
    for folder in list(Path(path).parents)[:-2]:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    program = (
        "import os, sys\n"
        "from saactors.gateway.control.client import ControlClient\n"
        f"os.setuid({NOBODY})\n"
        "print(ControlClient(sys.argv[1]).call('status'))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_only_root_and_the_owner_may_ask(served: Serve) -> None:
    """Others are told and closed, even where the file's mode lets them in."""
    with served() as server:
        ran = as_another_user(server.path)
        assert f"found user {NOBODY}, expected root or user {os.geteuid()}" in ran.stderr
        assert server.behind.asked == []
    with served(owner=NOBODY) as server:
        assert "'command': 'status'" in as_another_user(server.path).stdout


def test_a_client_too_many_is_told_and_closed(served: Serve) -> None:
    """And has its turn once another has left."""
    with served(clients_max=2) as server:
        first, second = ControlClient(server.path), ControlClient(server.path)
        for client in (first, second):
            client.call("status")
        with (
            ControlClient(server.path) as third,
            pytest.raises(ControlError, match="found 2 clients, expected at most 2"),
        ):
            third.call("status")
        first.close()

        def answered() -> bool:
            with ControlClient(server.path) as fourth:
                try:
                    return bool(fourth.call("status"))
                except ControlError:
                    return False

        eventually(answered)
        second.close()


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a length of 1,195,725,856 octets"),
        ((REQUEST_BYTES_MAX + 1).to_bytes(4, "big"), "a length of 4,194,305 octets"),
        (b"\0\0\0\1\xc1", "1 octets of something else"),
        (encode_frame({"v": 1, "command": "status"}, 1000), "none"),
    ],
)
def test_what_is_no_request_is_told_and_closed(served: Serve, octets: bytes, found: str) -> None:
    """The refusal has the id 0, for it is about the connection."""
    with served() as server:
        (told,) = spoken(server.path, octets)
        assert told["id"] == 0
        assert told["error"]["found"] == found
        with ControlClient(server.path) as client:
            assert client.call("status")["command"] == "status"


def test_another_version_is_told_under_the_requests_own_number(served: Serve) -> None:
    """And the next request may be of ours."""
    requests = [{"v": version, "id": 5, "command": "status"} for version in (2, 1)]
    with served() as server:
        first, second = spoken(
            server.path,
            b"".join(encode_frame(request, 1000) for request in requests),
            leaves=True,
        )
        assert (first["v"], first["id"], first["error"]["found"]) == (1, 5, "version 2")
        assert second["answer"]["command"] == "status"


def test_a_frame_that_is_not_whole_in_time_ends_its_client(served: Serve) -> None:
    """However its octets trickle; who waits between frames may wait."""
    with served(frame_s=0.3) as server, ControlClient(server.path) as patient:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            began = time.monotonic()
            client.settimeout(0.1)
            client.sendall(b"\0\0\0\x20")
            told = b""
            while not told:
                try:
                    told = client.recv(65536)
                except TimeoutError:
                    client.sendall(b"\x81")
            assert 0.2 < time.monotonic() - began < 5
            assert b"a part of one after 0.3 s" in told
        assert patient.call("status")["command"] == "status"


def test_a_gateway_that_is_not_there_is_named_with_the_mend(tmp_path: Path) -> None:
    """By its socket, whether it never ran or was killed."""
    path = str(tmp_path / "x.sock")
    with pytest.raises(ControlError, match="found no such file or directory, expected a running"):
        ControlClient(path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(ControlError, match=r"connection refused, .* its process has ended; start"):
        ControlClient(path)


def test_who_is_cut_off_within_an_answer_is_told_what_it_means(tmp_path: Path) -> None:
    """The gateway can say nothing more there, but its client knows."""
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with ControlClient(path) as client:
            accepted, _ = listening.accept()
            accepted.sendall(encode_frame({"v": 1, "id": 1, "answer": {}}, 1000)[:-1])
            accepted.close()
            with pytest.raises(ControlError, match="as to a client that reads too slowly"):
                client.next_of(1, 10)


def test_a_gateway_that_does_not_answer_is_given_up(served: Serve) -> None:
    """After the time that the client gives it."""
    told = "found nothing for too long, expected an answer"
    with (
        served() as server,
        ControlClient(server.path, answer_s=0.2) as client,
        pytest.raises(ControlError, match=told),
    ):
        client.call("moves")
