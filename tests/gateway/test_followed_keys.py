"""A key file that grows: every line once, whatever pieces it comes in, whatever happens to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from saactors.esp.association import Association
from saactors.esp.sa_formats.wireshark import format_key_table
from saactors.gateway.followed_keys import LINE_BYTES_MAX, FollowedKeys, Found, follow_file

OURS, THEIRS = ip_address("192.0.2.1"), ip_address("198.51.100.1")


def association(spi: int, *, outbound: bool = True) -> Association:
    """An SA with keys of its own."""
    source, destination = (OURS, THEIRS) if outbound else (THEIRS, OURS)
    key = spi.to_bytes(20, "big")
    return Association(spi, "aes-gcm-128", key, source=source, destination=destination)


def lines(*sas: Association) -> bytes:
    """Their lines, as the plugin writes them."""
    return format_key_table(sas).encode()


def followed(udp_ports: tuple[int, int] | None = None) -> FollowedKeys:
    """The follower of a file of ours."""
    return FollowedKeys("esp_sa", {OURS}, udp_ports)


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_sas_are_the_same_whatever_pieces_the_file_comes_in(cuts: list[int]) -> None:
    """Half a line waits for its other half; each line is given once, with its direction."""
    sas = [association(0x1000), association(0x1001, outbound=False), association(0x1002)]
    text, keys = lines(*sas), followed()
    ends = [0, *sorted(cut % len(text) for cut in cuts), len(text)]
    found: list[tuple[str, Association]] = []
    for start, end in pairwise(ends):
        part = keys.handle_bytes(text[start:end])
        assert part.problems == []
        found += part.sas
    assert found == [("out", sas[0]), ("in", sas[1]), ("out", sas[2])]


def test_a_line_is_given_once_even_if_the_file_is_replaced() -> None:
    """Whoever rotates the file and copies old lines into it does not bring old SAs back."""
    keys, text = followed(), lines(association(0x1000))
    assert len(keys.handle_bytes(text).sas) == 1
    keys.handle_replaced()
    assert keys.handle_bytes(text + lines(association(0x1001))).sas == [
        ("out", association(0x1001))
    ]


def test_ports_are_the_gateway_s_own_setting() -> None:
    """The file does not tell them."""
    [(_, sa)] = followed((4500, 4501)).handle_bytes(lines(association(0x1000))).sas
    assert (sa.source_port, sa.destination_port) == (4500, 4501)


def test_what_cannot_be_read_is_told_once_by_line_and_never_quoted() -> None:
    """And what follows is taken all the same."""
    secret = "0x" + "feedface" * 4
    bad = f'"IPv4","192.0.2.1","*","0x1","AES-GCM [RFC4106]","{secret}","NULL",""\n'.encode()
    found = followed().handle_bytes(b"# comment\n" + bad + b"junk " + secret.encode() + b"\n")
    assert [problem.partition(":")[0] for problem in found.problems] == ["line 2", "line 3"]
    assert secret[2:] not in str(found.problems)
    others = Association(
        0x1000, "aes-gcm-128", bytes(20), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"),
    )  # fmt: skip
    found = followed().handle_bytes(lines(others) + lines(association(0x2000)))
    assert found.problems == ["line 1: 10.0.0.1 to 10.0.0.2, neither of them ours"]
    assert [sa.spi for _, sa in found.sas] == [0x2000]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    """It is told, the rest of it is skipped, and the next line is taken."""
    keys = followed()
    found = keys.handle_bytes(b"x" * (LINE_BYTES_MAX + 1))
    assert found.problems == [f"line 1 is longer than {LINE_BYTES_MAX} bytes"]
    assert keys.handle_bytes(b"y" * LINE_BYTES_MAX) == Found([], [])
    assert len(keys.handle_bytes(b"\n" + lines(association(0x1000))).sas) == 1


@pytest.mark.parametrize(
    "between", ["\N{NO-BREAK SPACE}", "\x1c# comment", "{line}\x0c{line}", "\N{LINE SEPARATOR}"]
)
def test_what_ends_lines_elsewhere_ends_none_here(between: str) -> None:
    """A line is one SA or a problem, and the next line is taken all the same."""
    given = between.replace("{line}", lines(association(0x1000)).decode().strip())
    found = followed().handle_bytes(f"{given}\n".encode() + lines(association(0x1001)))
    assert [problem.partition(":")[0] for problem in found.problems] == ["line 1"]
    assert found.sas == [("out", association(0x1001))]


def test_lines_of_strongswan_s_plugin_are_read() -> None:
    """Eight fields, the old name of GCM, an empty key behind 0x; both directions of a child."""
    key = "00112233" * 5
    plugin = [
        f'"IPv4","{source}","{destination}","0x{spi:08x}","AES-GCM [RFC4106]","0x{key}",'
        '"ANY 128 bit authentication [no checking]","0x"\n'
        for source, destination, spi in ((THEIRS, OURS, 0xC0000001), (OURS, THEIRS, 0xC0000002))
    ]
    found = followed().handle_bytes("".join(plugin).encode())
    assert found.problems == []
    assert [(way, sa.spi, sa.suite) for way, sa in found.sas] == [
        ("in", 0xC0000001, "aes-gcm-128"),
        ("out", 0xC0000002, "aes-gcm-128"),
    ]


@pytest.mark.trio
async def test_a_file_is_followed_from_before_it_is_there_through_a_replacement(
    tmp_path: Path,
) -> None:
    """Missing, written in halves, replaced by another: no SA is missed and none comes twice."""
    path, spis = tmp_path / "esp_sa", []
    come = trio.Event()

    async def deliver(found: Found) -> None:
        nonlocal come
        assert found.problems == []
        spis.extend(sa.spi for _, sa in found.sas)
        come.set()
        come = trio.Event()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_file, str(path), followed(), deliver)
        await trio.testing.wait_all_tasks_blocked()
        text = lines(association(0x1000), association(0x1001))
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        with trio.fail_after(10):
            for part in (text[:-20], text[-20:]):
                with path.open("ab") as file:
                    file.write(part)
                await come.wait()
            other = tmp_path / "other"
            os.close(os.open(other, os.O_CREAT | os.O_WRONLY, 0o600))
            other.write_bytes(lines(association(0x1001), association(0x1002)))
            other.replace(path)
            await come.wait()
        nursery.cancel_scope.cancel()
    assert spis == [0x1000, 0x1001, 0x1002]


@pytest.mark.trio
async def test_a_file_that_others_can_read_is_complained_about(tmp_path: Path) -> None:
    """Its keys are out already, so it is used."""
    path, problems, spis = tmp_path / "esp_sa", [], []
    path.write_bytes(lines(association(0x1000)))
    path.chmod(0o644)

    async def deliver(found: Found) -> None:
        problems.extend(found.problems)
        spis.extend(sa.spi for _, sa in found.sas)

    with trio.move_on_after(0.5):
        await follow_file(str(path), followed(), deliver)
    assert problems == [f"{path} can be read by others; chmod 600 it"]
    assert spis == [0x1000]


async def taken(path: Path, seconds: float = 0.3) -> tuple[list[int], list[str]]:
    """SPIs and problems of what is delivered meanwhile."""
    spis: list[int] = []
    problems: list[str] = []

    async def deliver(found: Found) -> None:
        problems.extend(found.problems)
        spis.extend(sa.spi for _, sa in found.sas)

    with trio.move_on_after(seconds):
        await follow_file(str(path), followed(), deliver)
    return spis, problems


@pytest.mark.trio
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
async def test_a_file_that_others_can_write_is_not_used_until_they_cannot(
    tmp_path: Path, mode: int
) -> None:
    """They could have our traffic sealed with keys of theirs."""
    path = tmp_path / "esp_sa"
    path.write_bytes(lines(association(0x1000)))
    path.chmod(mode)
    assert await taken(path) == (
        [],
        [f"{path} is not followed: others can write it; chmod 600 it"],
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_after, 0.1, lambda: path.chmod(0o600))
        spis, problems = await taken(path)
    assert (spis, len(problems)) == ([0x1000], 1)


async def _after(seconds: float, act: Callable[[], object]) -> None:
    await trio.sleep(seconds)
    act()


@pytest.mark.trio
async def test_what_is_no_file_is_told_and_holds_nobody_up(tmp_path: Path) -> None:
    """A pipe that nobody writes would be waited for; a folder cannot be read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path):
        spis, problems = await taken(path, 0.1)
        assert spis == []
        assert problems == [f"{path} is not followed: found no regular file, expected one"]


@pytest.mark.trio
async def test_a_file_that_is_replaced_is_read_to_its_end(tmp_path: Path) -> None:
    """What was appended right before would be missed otherwise."""
    path = tmp_path / "esp_sa"
    path.write_bytes(lines(association(0x1000)))
    path.chmod(0o600)

    def rotate() -> None:
        with path.open("ab") as file:
            file.write(lines(association(0x1001)))
        path.rename(tmp_path / "rotated")
        path.touch(0o600)
        path.write_bytes(lines(association(0x1002)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_after, 0.1, rotate)
        assert await taken(path) == ([0x1000, 0x1001, 0x1002], [])
