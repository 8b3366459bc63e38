"""SAs in files: every format gives back what was put in, and damage is told without keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import KeyTableError, ParameterError, ScenarioError
from saactors.esp.association import Association
from saactors.esp.header_rules import USUAL_HEADERS, DontFragment, Ecn, FlowLabel, HeaderRules
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.sa_formats import dpdk
from saactors.esp.sa_formats.dpdk import format_dpdk, parse_dpdk
from saactors.esp.sa_formats.ip_xfrm import parse_ip_xfrm
from saactors.esp.sa_formats.ip_xfrm_commands import format_ip_xfrm
from saactors.esp.suites import SUITES, Encryption, Suite
from saactors.model.sa import Mode
from saactors.scenario.sa_files import FORMATS, Sas, format_sas, read_key_table, read_sas, sniffed

ENDS = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8:ffff::2")}
KEY = bytes(range(36))
NO_ENDS: dict[str, Any] = {"source": None, "destination": None}
PRINTED = f"""\
src 192.0.2.1 dst 198.51.100.7
\tproto esp spi 0x00001001(4097) reqid 1(0x00000001) mode tunnel
\treplay-window 0 seq 0x00000000 flag nopmtudisc af-unspec esn (0x00100020)
\taead rfc4106(gcm(aes)) 0x{KEY[:20].hex()} (160 bits) 128
\tencap type espinudp sport 4500 dport 4501 addr 0.0.0.0
\tanti-replay esn context:
\t seq-hi 0x0, seq 0x0, oseq-hi 0x1, oseq 0x10
\t replay_window 128, bitmap-length 4
\t 00000000 00000000 00000000 00000000
\tlifetime config:
\t  limit: soft 1000(bytes), hard (INF)(bytes)
\t  limit: soft (INF)(packets), hard 5000(packets)
\t  expire add: soft 3000(sec), hard 3600(sec)
\t  expire use: soft 0(sec), hard 0(sec)
\tlifetime current:
\t  1280(bytes), 10(packets)
\t  add 2026-11-28 00:00:00 use 2026-11-28 00:00:01
\tstats:
\t  replay-window 0 replay 0 failed 0
\tsel src 0.0.0.0/0 dst 0.0.0.0/0
src 2001:db8::1 dst 2001:db8:ffff::2
\tproto esp spi 0x00001002 reqid 0 mode transport
\treplay-window 32
\tauth-trunc hmac(sha256) 0x{KEY[:32].hex()} 128
\tenc cbc(aes) 0x{KEY[:16].hex()}
\tanti-replay context: seq 0x7, oseq 0x0, bitmap 0x0000007f
\tsel src ::/0 dst ::/0
"""


@st.composite
def sas(draw: st.DrawFn, suites: Sequence[Suite] = SUITES, **fixed: Any) -> Association:
    """An SA of any suite and form."""
    suite = draw(st.sampled_from(suites))
    mode = draw(st.sampled_from(Mode))
    source, destination = map(ip_address, ENDS[draw(st.sampled_from((4, 6)))])
    port = draw(st.sampled_from((0, 4500)))
    fields: dict[str, Any] = {
        "extended_sequence": draw(st.booleans()),
        "first_sequence": draw(st.integers(1, 2**32 - 1)),
        "source_port": port,
        "destination_port": port,
    }
    return Association(
        spi=draw(st.integers(256, 2**32 - 1)),
        suite=suite.name,
        key=draw(st.binary(min_size=(n := suite.key_bytes + suite.salt_bytes), max_size=n)),
        integrity_key=draw(
            st.binary(min_size=suite.integrity_key_bytes, max_size=suite.integrity_key_bytes)
        ),
        mode=mode,
        source=source,
        destination=destination,
        **{**fields, **fixed},
    )


limits = st.builds(
    lambda soft, more, kind: Lifetime(**{f"soft_{kind}": soft, f"hard_{kind}": soft + more}),
    st.integers(1, 2**40), st.integers(1, 2**20), st.sampled_from(("packets", "bytes")),
) | st.builds(lambda s: Lifetime(hard_ns=s * 10**9), st.integers(1, 10**6))  # fmt: skip


@given(each=st.lists(sas(), max_size=4), lifetime=limits | st.just(NO_LIMIT), tfc=st.booleans())
def test_ip_xfrm_gives_back_what_it_can_say(
    each: list[Association], lifetime: Lifetime, tfc: bool
) -> None:
    """All suites, both modes, UDP, numbers, limits, TFC padding, and the flags for headers."""
    headers = HeaderRules(dscp=0, ecn=Ecn.NOT_CAPABLE, dont_fragment=DontFragment.CLEAR)
    put_in = [
        replace(
            sa, lifetime=lifetime, headers=headers if tfc else USUAL_HEADERS,
            tfc_bytes=700 if tfc and sa.mode is Mode.TUNNEL else 0,
        )
        for sa in each
    ]  # fmt: skip
    text = format_ip_xfrm(put_in)
    assert "#" not in text
    assert parse_ip_xfrm(text, "x") == put_in


def test_what_ip_xfrm_prints_is_read() -> None:
    """As iproute2 6.1 prints it: two SAs, everything that they have, and what is passed over."""
    first, second = parse_ip_xfrm(PRINTED, "x")
    assert first == Association(
        0x1001, "aes-gcm-128", KEY[:20], source=ip_address(ENDS[4][0]),
        destination=ip_address(ENDS[4][1]), source_port=4500, destination_port=4501,
        extended_sequence=True, first_sequence=(1 << 32) + 0x11,
        headers=HeaderRules(dont_fragment=DontFragment.CLEAR),
        lifetime=Lifetime(soft_bytes=1000, hard_packets=5000, soft_ns=3000 * 10**9,
                          hard_ns=3600 * 10**9),
    )  # fmt: skip
    assert (second.suite, second.mode) == ("aes-cbc-128-hmac-sha2-256-128", Mode.TRANSPORT)
    assert (second.first_sequence, second.integrity_key) == (8, KEY[:32])


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("proto esp spi 0x00001002", "proto ah spi 1", 22, "found another protocol, expected esp"),
        ("mode transport", "mode beet", 22, "mode: found another mode"),
        ("cbc(aes)", "cbc(des3_ede)", 21, "found an unknown encryption with 16 bytes of key, "),
        ("0x00001002", "0x2", 21, "spi: found 2, expected 256 to 4294967295"),
        ("use: soft 0(sec)", "use: soft 9(sec)", 14, "found a limit from first use"),
        ("dst 2001:db8:ffff::2", "dst nowhere", 21, "destination: expected an IPv4 or IPv6 addr"),
        (f"0x{KEY[:16].hex()}\n", "0xzz\n", 25, "enc: expected hexadecimal digits"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_ip_xfrm_is_told_by_line(
    old: str, new: str, line: int, expected: str
) -> None:
    """And nothing that may be a key is quoted (law 10)."""
    with pytest.raises(KeyTableError) as refused:
        parse_ip_xfrm(PRINTED.replace(old, new), "x")
    assert str(refused.value).startswith(f"x:{line}: ")
    assert expected in str(refused.value)
    assert KEY[:16].hex() not in str(refused.value)


@given(st.lists(st.tuples(st.sampled_from(("in", "out")),
       sas([s for s in SUITES if dpdk.has(s)])), max_size=4))  # fmt: skip
def test_dpdk_gives_back_what_it_can_say(found: Sas) -> None:
    """Every suite it has, extended numbers; endpoints of tunnels only."""
    put_in = [
        (way, replace(sa, **(NO_ENDS if sa.mode is Mode.TRANSPORT else {}),
                      first_sequence=sa.first_sequence if sa.extended_sequence else 1))
        for way, sa in found
    ]  # fmt: skip
    text = format_dpdk(dpdk.DpdkFile(tuple(put_in)))
    assert "#" not in text
    assert list(parse_dpdk(text, "x").sas) == put_in


@pytest.mark.parametrize(("words", "first"), [("esn 4294967297", 4294967297), ("esn 0", 1)])
def test_dpdk_s_first_extended_number_is_read(words: str, first: int) -> None:
    """Its guide: the initial value of the extended sequence number."""
    key = KEY[:20].hex(":")
    line = f"sa out 4097 aead_algo aes-128-gcm aead_key {key} mode transport {words}"
    ((_, sa),) = parse_dpdk(line, "x").sas
    assert (sa.extended_sequence, sa.first_sequence) == (True, first)
    with pytest.raises(KeyTableError, match="x:1: esn: expected a number from 0 to"):
        parse_dpdk(f"{line}x", "x")


@pytest.mark.shared
def test_a_real_configuration_of_dpdk_comes_back(shared_folder: Path) -> None:
    """Sixteen SAs and as many policies."""
    text = (shared_folder / "captures" / "dpdk" / "sgw.cfg").read_text()
    read = parse_dpdk(text, "sgw.cfg")
    assert (len(read.sas), len(read.policies)) == (16, 16)
    assert parse_dpdk(format_dpdk(read), "again") == read


@given(sa=sas(), lifetime=limits, forwards=st.booleans(), way=st.sampled_from(("in", "out")))
@settings(max_examples=60)
def test_toml_gives_back_everything(
    tmp_path_factory: pytest.TempPathFactory, sa: Association, lifetime: Lifetime, forwards: bool,
    way: Any,
) -> None:  # fmt: skip
    """Through the scenario's own reader, header rules included."""
    headers = HeaderRules(46, Ecn.NOT_CAPABLE, DontFragment.SET, FlowLabel.ZERO, 9, forwards)
    full = replace(sa, lifetime=lifetime, headers=headers, path_mtu_bytes=1400)
    file = tmp_path_factory.mktemp("toml") / "sas.toml"
    for each in (full, sa):
        file.write_text(format_sas([(way, each)], "toml"))
        assert read_sas(file) == [(way, each)]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_told_by_its_first_line_and_is_a_key_table(
    tmp_path: Path, kind: str
) -> None:
    """What opens packets is the same whatever the file."""
    source, destination = map(ip_address, ENDS[4])
    sa = Association(0x1001, "aes-gcm-256", KEY, source=source, destination=destination)
    file = tmp_path / "file"
    file.write_text("# a comment\n\n" + format_sas([("in", sa)], kind))
    assert sniffed(file.read_text(), "x") == kind
    assert read_sas(file, direction="in") == [("in", sa)]
    (entry,) = read_key_table(file).entries
    assert entry.matches(4, ENDS[4][0], ENDS[4][1], 0x1001)
    assert (entry.key, entry.integrity_key) == (KEY, b"")


def test_what_a_format_cannot_say_is_a_comment_or_refused() -> None:
    """Nothing is lost without a word."""
    source, destination = map(ip_address, ENDS[4])
    sa = Association(
        0x1001, "aes-ccm-128", KEY[:19], source=source, destination=destination,
        headers=HeaderRules(hop_limit=9), path_mtu_bytes=1400, extended_sequence=True,
    )  # fmt: skip
    comment = "# SPI 0x00001001: path_mtu_bytes, headers cannot be said here\n"
    assert format_ip_xfrm([sa]).startswith(comment)
    with pytest.raises(ParameterError, match="a suite that DPDK's ipsec-secgw has"):
        format_sas([("out", sa)], "dpdk")
    gcm = replace(sa, suite="aes-gcm-128", key=KEY[:20])
    assert format_sas([("out", gcm)], "dpdk").startswith(comment)
    transport = replace(gcm, mode=Mode.TRANSPORT, extended_sequence=False, first_sequence=7)
    ends = "# SPI 0x00001001: source, destination, first_sequence, path_mtu_bytes, headers cannot"
    assert format_sas([("in", transport)], "dpdk").startswith(ends)
    nowhere = Association(0x1001, "aes-gcm-128", KEY[:20], mode=Mode.TRANSPORT)
    with pytest.raises(ParameterError, match="both, for ip xfrm"):
        format_ip_xfrm([nowhere])
    assert not dpdk.has(next(s for s in SUITES if s.encryption is Encryption.CCM))


VALID = {kind: format_sas([("in", Association(0x1001, "aes-gcm-128", KEY[:20],
         source=ip_address(ENDS[4][0]), destination=ip_address(ENDS[4][1])))], kind)
         for kind in FORMATS} | {"printed": PRINTED}  # fmt: skip


@given(
    kind=st.sampled_from(sorted(VALID)),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.text(max_size=3)), max_size=4),
    noise=st.text(max_size=200) | st.none(),
)
@settings(max_examples=300)
def test_damage_never_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cuts: list[tuple[int, str]],
    noise: str | None,
) -> None:  # fmt: skip
    """Arbitrary text, and files with something else in places; keys are never quoted."""
    text = VALID[kind] if noise is None else noise
    for at, other in cuts:
        text = text[: at % (len(text) + 1)] + other + text[at % (len(text) + 1) + len(other) :]
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    for read in (read_sas, read_key_table):
        message = ""
        try:
            read(file)
        except (KeyTableError, ScenarioError) as error:
            message = str(error)
        assert KEY[:20].hex()[4:-4] not in message
