"""SAs made on demand: by template, with keys that the seed and the index give."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.esp.association import address_of, halves
from saactors.model.sa import Mode, SaTable
from saactors.streams.sa_maker import FIRST_SPI, SaMaker, SaTemplate

TEMPLATES = (
    SaTemplate(),
    SaTemplate(
        suite=3,
        mode=Mode.TRANSPORT,
        source=IPv6Address("2001:db8::1"),
        destination=IPv6Address("2001:db8::2"),
        source_port=4500,
        destination_port=4501,
    ),
)


def made(seed: int, *batches: list[int]) -> SaTable:
    """The SAs of one maker, asked for in batches of templates."""
    sas = SaTable()
    maker = SaMaker(TEMPLATES, seed)
    for batch in batches:
        maker.make(sas, np.array(batch, np.int32))
    return sas


def same_keys(one: SaTable, other: SaTable) -> bool:
    """Compared here, so that no failing test prints them (law 10)."""
    return bool(np.array_equal(one.keys, other.keys))


def test_an_sa_is_what_its_template_says() -> None:
    """Suite, mode, endpoints and ports, each from the template that was asked for."""
    sas = made(1, [0, 1, 0])
    names = ["suite", "mode", "outer_version", "source_port", "destination_port"]
    assert sas.records[names].tolist() == [
        (0, Mode.TUNNEL, 4, 0, 0),
        (3, Mode.TRANSPORT, 6, 4500, 4501),
        (0, Mode.TUNNEL, 4, 0, 0),
    ]
    ends = [
        str(address_of(int(record[f"{end}_high"]), int(record[f"{end}_low"])))
        for record in sas.records[:2]
        for end in ("source", "destination")
    ]
    assert ends == ["192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db8::2"]


def test_indices_go_on_where_the_table_ends() -> None:
    """Given SAs stand before those that are made."""
    sas = made(1, [0, 0])
    assert SaMaker(TEMPLATES, 1).make(sas, np.array([1, 1, 1], np.int32)) == range(2, 5)
    assert len(sas) == 5


def test_no_two_sas_share_an_spi_and_none_is_reserved() -> None:
    """1 to 255 are reserved, 0 is for local use (RFC 4303 §2.1)."""
    spis = made(1, [0] * 300, [1] * 300).records["spi"]
    assert len(set(spis.tolist())) == 600
    assert spis.min() == FIRST_SPI > 255


def test_keys_depend_on_seed_and_index_and_not_on_the_batches() -> None:
    """So the same run makes the same bytes, however its bursts fall."""
    assert same_keys(made(5, [0, 1], [0], [1, 1]), made(5, [0, 1, 0, 1, 1]))
    assert not same_keys(made(5, [0]), made(6, [0]))


def test_no_two_sas_share_a_key() -> None:
    """Sequence numbers start at 1 in each: a shared key would repeat a (key, IV) pair (law 2)."""
    keys = made(5, [0, 1] * 200).keys
    assert len({row.tobytes() for row in keys}) == 400


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_an_address_comes_back_from_its_halves(address: IPv4Address | IPv6Address) -> None:
    """All but mapped IPv6 addresses, which are how IPv4 addresses stand."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert address_of(*halves(address)) == (mapped or address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3", (0, 0xFFFF_0A01_0203)),
        ("2001:db8::5", (0x2001_0DB8_0000_0000, 5)),
        ("::ffff:10.1.2.3", (0, 0xFFFF_0A01_0203)),
        ("::1", (0, 1)),
    ],
)
def test_halves_are_those_of_packet_columns(text: str, expected: tuple[int, int]) -> None:
    """IPv4 as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2)."""
    assert halves(ip_address(text)) == expected
