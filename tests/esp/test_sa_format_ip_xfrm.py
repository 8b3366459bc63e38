"""Commands of iproute2 as people and scripts write them: read as ip reads them, or refused."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Final

import pytest

from saactors.errors import KeyTableError
from saactors.esp.association import Association
from saactors.esp.header_rules import DontFragment, Ecn, HeaderRules
from saactors.esp.sa_formats.ip_xfrm import parse_ip_xfrm
from saactors.model.sa import Mode
from saactors.scenario.sa_files import sniffed

KEY: Final = bytes(range(64))
ENDS: Final = "src 192.0.2.1 dst 198.51.100.7"
GCM: Final = f"aead 'rfc4106(gcm(aes))' 0x{KEY[:20].hex()} 128"
ADD: Final = f"xfrm state add {ENDS} proto esp spi 0x1001"
EXPECTED: Final = Association(
    0x1001, "aes-gcm-128", KEY[:20], source=ip_address("192.0.2.1"),
    destination=ip_address("198.51.100.7"), mode=Mode.TRANSPORT,
)  # fmt: skip


@pytest.mark.parametrize(
    "beginning",
    ["", "ip ", "ip -6 ", "ip -4 ", "sudo ip ", "sudo -n /sbin/ip -family inet ",
     "ip -n blue ", "sudo ip netns exec blue ip ", "  ip "],
)  # fmt: skip
def test_a_command_begins_as_in_scripts(beginning: str) -> None:
    """With options, sudo and name spaces; none is passed over in silence."""
    line = f"{beginning}{ADD} {GCM}\n"
    assert parse_ip_xfrm(line, "x") == [EXPECTED]
    assert sniffed(line, "x") == "ip-xfrm"


def test_words_may_be_shortened_as_ip_has_it() -> None:
    """``s`` and ``sa`` are state, ``a`` is add."""
    for short in ("x s a", "xfrm sa add", "xfrm state update"):
        assert parse_ip_xfrm(f"ip {ADD.replace('xfrm state add', short)} {GCM}", "x") == [EXPECTED]


def test_a_command_without_a_mode_is_in_transport_mode() -> None:
    """As ip has it; printed SAs always say theirs."""
    assert parse_ip_xfrm(f"{ADD} {GCM}", "x")[0].mode is Mode.TRANSPORT
    assert parse_ip_xfrm(f"{ADD} mode tunnel {GCM}", "x")[0].mode is Mode.TUNNEL


@pytest.mark.parametrize(
    "selector",
    ["sel src 10.0.0.0/8 dst 10.1.0.0/16", "sel dst 10.1.2.3 dev eth0",
     "sel src 10.0.0.1 proto udp sport 53 dport 53", "sel proto icmp type 8 code 0"],
)  # fmt: skip
def test_a_selector_leaves_the_endpoints_alone(selector: str) -> None:
    """Its addresses are of inner packets, its ports not those of ESP in UDP."""
    for words in (f"{selector} {GCM}", f"{GCM} {selector}"):
        assert parse_ip_xfrm(f"{ADD} {words}", "x") == [EXPECTED]
    encapsulated = parse_ip_xfrm(f"{ADD} {GCM} encap espinudp 4500 4501 0.0.0.0 {selector}", "x")[0]
    assert (encapsulated.source_port, encapsulated.destination_port) == (4500, 4501)


def test_quotes_continued_lines_and_comments_are_a_shell_s() -> None:
    """Line numbers are those of the beginning."""
    script = f"""#!/bin/sh
ip link set eth0 up  # it's no command of ours, and has one quote
# ip {ADD} \\
ip xfrm policy flush
ip xfrm state add {ENDS} proto esp \\
    spi 0x1001 \\
    aead "rfc4106(gcm(aes))" '0x{KEY[:20].hex()}' 128  # a comment
"""
    assert parse_ip_xfrm(script, "x") == [EXPECTED]
    with pytest.raises(KeyTableError, match=r"^x:5: proto: found another protocol"):
        parse_ip_xfrm(script.replace("proto esp", "proto ah"), "x")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flag esn", replace(EXPECTED, extended_sequence=True)),
        ("flag 0x80", replace(EXPECTED, extended_sequence=True)),
        ("flag 0x5", replace(EXPECTED, headers=HeaderRules(
            ecn=Ecn.NOT_CAPABLE, dont_fragment=DontFragment.CLEAR))),
        ("flag af-unspec icmp align4", EXPECTED),
        ("extra-flag 0x1", replace(EXPECTED, headers=HeaderRules(dscp=0))),
        ("extra-flag oseq-may-wrap", EXPECTED),
    ],
)  # fmt: skip
def test_flags_may_be_numbers(flags: str, expected: Association) -> None:
    """The bits of the kernel's interface."""
    assert parse_ip_xfrm(f"{ADD} {flags} {GCM}", "x") == [expected]


@pytest.mark.parametrize(
    ("name", "key_bytes", "icv_bits", "suite"),
    [
        ("hmac(sha1)", 20, 96, "aes-cbc-128-hmac-sha1-96"),
        ("hmac(sha384)", 48, 192, "aes-cbc-128-hmac-sha2-384-192"),
        ("hmac(sha512)", 64, 256, "aes-cbc-128-hmac-sha2-512-256"),
    ],
)
def test_auth_without_a_length_has_the_kernel_s(
    name: str, key_bytes: int, icv_bits: int, suite: str
) -> None:
    """Its table says how many bits are kept; of SHA-2-256 they are a draft's 96, which is weak."""
    cipher = f"enc 'cbc(aes)' 0x{KEY[:16].hex()}"
    key = f"0x{KEY[:key_bytes].hex()}"
    (sa,) = parse_ip_xfrm(f"{ADD} auth '{name}' {key} {cipher}", "x")
    (said,) = parse_ip_xfrm(f"{ADD} auth-trunc '{name}' {key} {icv_bits} {cipher}", "x")
    assert sa == said
    assert sa.suite == suite
    with pytest.raises(KeyTableError, match="96 bits of ICV"):
        parse_ip_xfrm(f"{ADD} auth 'hmac(sha256)' 0x{KEY[:32].hex()} {cipher}", "x")


def test_null_encryption_is_read_with_an_empty_key_and_with_none() -> None:
    """In a command it is a pair of quotes; printed, nothing may stand there."""
    integrity = f"auth-trunc hmac(sha1) 0x{KEY[:20].hex()} 96"
    quoted = integrity.replace("hmac(sha1)", '"hmac(sha1)"')
    command = f'{ADD} mode tunnel enc "ecb(cipher_null)" "" {quoted}'
    printed = f"{ENDS}\n\tproto esp spi 0x1001 mode tunnel\n\t{integrity}\n\tenc ecb(cipher_null)\n"
    assert parse_ip_xfrm(command, "x") == parse_ip_xfrm(printed, "x")


def test_what_does_not_bear_on_an_sa_is_passed_over() -> None:
    """Marks, offload, where it comes from; each with its values."""
    more = "mark 1 mask 0xff output-mark 2 if_id 7 offload packet dev eth0 dir out reqid 1 ctx a"
    assert parse_ip_xfrm(f"{ADD} {more} {GCM}", "x") == [EXPECTED]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{ADD} {GCM} hunter2", "word 13 behind add: expected one that xfrm state add takes"),
        (f"{ADD} {GCM} flag hunter2", "flag: expected noecn, "),
        (f"{ADD} 'hunter2", "found a quote that does not end"),
        (f"do_it hunter2 {ADD} {GCM}", "found another command with xfrm state"),
        ("ip xfrm state delete hunter2", "found another command, expected xfrm state add"),
        (f"{ADD} {GCM}\n  flag esn hunter2", "expected a backslash to end the line above"),
        (f"{ADD} {GCM} limit hunter2 1", "limit: expected one of"),
        (f"{ADD} aead rfc4106(gcm(aes)) 0xhunter2 128", "hexadecimal digits"),
        (f"{ENDS}\n\taead rfc4106(gcm(aes)) <<Keys hidden>> 128", "leave out nokeys"),
    ],
)  # fmt: skip
def test_what_is_no_command_of_ours_is_refused_and_never_quoted(line: str, expected: str) -> None:
    """A password may stand anywhere (law 10)."""
    with pytest.raises(KeyTableError) as refused:
        parse_ip_xfrm(line, "x")
    assert expected in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert KEY[:20].hex() not in str(refused.value)
