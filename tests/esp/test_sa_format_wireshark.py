"""Wireshark's esp_sa file: read with its wildcards, written as it wants it, keys kept secret."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import KeyTableError
from saactors.esp.association import association_at
from saactors.esp.open_layout import MODE_NOT_STATED
from saactors.esp.sa_formats.wireshark import UNSUPPORTED_SUITE, format_key_table
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict
from saactors.scenario.sa_files import read_key_table, read_sas, write_sa_file

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
KEY = "0123456789abcdef" * 2 + "5a5a5a5a"  # 16 bytes and salt
GCM = "AES-GCM with 16 octet ICV [RFC4106]"
LINE = f'"IPv4","10.0.0.1","10.0.0.2","0x00001001","{GCM}","0x{KEY}","NULL",""'
LINE_FIELDS = [*LINE.removesuffix(',""').strip('"').split('","'), ""]


def write_key_table(path: Path, sas: SaTable, first_sequences: tuple[int, ...] = ()) -> None:
    """A file with all SAs of a table."""
    firsts = (*first_sequences, *[1] * len(sas))
    write_sa_file(
        path, format_key_table(association_at(sas, i, firsts[i]) for i in range(len(sas)))
    )


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    file = folder / "esp_sa"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_line_of_wireshark_4_0_is_read(tmp_path: Path) -> None:
    """Eight fields; comments and empty lines pass."""
    table = read_key_table(written(tmp_path, f"# comment\n\n{LINE}\n"))
    (entry,) = table.entries
    assert (entry.version, entry.source, entry.destination) == (4, "10.0.0.1", "10.0.0.2")
    assert (SUITES[entry.suite].name, entry.extended_sequence) == ("aes-gcm-128", False)
    assert entry.key.hex() == KEY
    assert table.unsupported == {}


def test_a_line_of_wireshark_4_2_says_how_long_sequence_numbers_are(tmp_path: Path) -> None:
    """Ten fields."""
    lines = f'{LINE},"32-bit","0"\n{LINE},"64-bit","0x00000001"\n{LINE},"64-bit"\n'
    table = read_key_table(written(tmp_path, lines))
    assert [entry.extended_sequence for entry in table.entries] == [False, True, True]
    assert [entry.sequence_high for entry in table.entries] == [0, 1, 0]


@pytest.mark.parametrize(
    ("source", "destination", "spi", "matching"),
    [
        ("10.0.0.1", "10.0.0.2", "0x00001001", True),
        ("10.0.0.1", "10.0.0.2", "0x1001", True),
        ("10.0.0.1", "10.0.0.2", "4097", True),
        ("*", "*", "*", True),
        ("*", "10.0.0.3", "*", False),
        ("10.0.0.3", "*", "*", False),
        ("*", "*", "0x00001002", False),
        ("10.0.0.*", "10.*.0.2", "0x0000100*", True),
        ("10.0.*", "*", "*", False),
        ("*", "*", "0x100*", False),
        ("*", "*", "0x0000****", True),
        ("*", "*", "0X0000100*", True),
    ],
)
def test_asterisks_match_as_in_wireshark(
    tmp_path: Path, source: str, destination: str, spi: str, matching: bool
) -> None:
    """Alone anything; within a text a single character each."""
    line = f'"IPv4","{source}","{destination}","{spi}","{GCM}","0x{KEY}","NULL",""'
    table = read_key_table(written(tmp_path, line))
    found = table.find(4, "10.0.0.1", "10.0.0.2", 0x1001)
    assert (found is not None) == matching


def test_the_first_line_that_matches_counts(tmp_path: Path) -> None:
    """Whether its SPI is a pattern or not; and the protocol has to match too."""
    lines = [
        LINE.replace("IPv4", "IPv6").replace("10.0.0.1", "*").replace("10.0.0.2", "*"),
        LINE.replace("10.0.0.1", "10.0.0.9"),
        LINE.replace("0x00001001", "0x0000100*"),
        LINE,
        LINE.replace("IPv4", "Any").replace("0x00001001", "*"),
    ]
    table = read_key_table(written(tmp_path, "\n".join(lines)))

    def find(*packet: Any) -> int:
        found = table.find(*packet)
        assert found is not None
        return table.entries.index(found)

    assert find(4, "10.0.0.1", "10.0.0.2", 0x1001) == 2
    assert find(4, "10.0.0.9", "10.0.0.2", 0x1001) == 1
    assert find(4, "10.0.0.1", "10.0.0.2", 0x2001) == 4
    assert find(6, "2001:db8::1", "2001:db8::2", 0x1001) == 0
    assert table.find(6, "2001:db8::1", "2001:db8::2", 0x2001) is None


def test_suites_that_we_do_not_have_are_counted_by_name(tmp_path: Path) -> None:
    """Their entries say which packets they are for, and hold no key."""
    weak = LINE.replace(GCM, "DES-CBC [RFC2405]").replace(
        '"NULL",""', '"HMAC-MD5-96 [RFC2403]","0x00"'
    )
    gcm_4 = LINE.replace("16 octet", "4 octet")
    table = read_key_table(written(tmp_path, f"{weak}\n{LINE}\n{weak}\n{gcm_4}"))
    unsupported = (UNSUPPORTED_SUITE, b"")
    assert [(entry.suite, entry.key) for entry in table.entries] == [
        unsupported,
        (0, bytes.fromhex(KEY)),
        unsupported,
        unsupported,
    ]
    assert table.unsupported == {
        "DES-CBC [RFC2405] / HMAC-MD5-96 [RFC2403]": 2,
        "AES-GCM with 4 octet ICV [RFC4106] / NULL": 1,
    }


@pytest.mark.parametrize("field", [4, 6])
def test_what_is_no_algorithm_s_name_is_not_quoted(tmp_path: Path, field: int) -> None:
    """It may be a password in the wrong field."""
    fields = list(LINE_FIELDS)
    fields[field] = "correct horse battery"
    line = ",".join(f'"{text}"' for text in fields)
    (shown,) = read_key_table(written(tmp_path, line)).unsupported
    assert shown in (f"text of 21 characters / {fields[6]}", f"{GCM} / text of 21 characters")


def test_an_spi_is_quoted_only_if_it_can_be_one(tmp_path: Path) -> None:
    """Asterisks stand for its digits, not for anything."""
    with pytest.raises(KeyTableError, match="SPI 0x0000100\\*, expected addresses"):
        read_sas(written(tmp_path, LINE.replace("0x00001001", "0x0000100*")))
    with pytest.raises(KeyTableError, match=":1: field 4: expected a 32-bit number"):
        read_sas(written(tmp_path, LINE.replace("0x00001001", "hunter*2")))


@pytest.mark.parametrize(
    ("icv_bits", "suite"),
    [(128, "aes-gcm-128"), (96, "aes-gcm-128-icv12"), (64, "aes-gcm-128-icv8")],
)
def test_the_old_name_of_gcm_is_understood(tmp_path: Path, icv_bits: int, suite: str) -> None:
    """As strongSwan's save-keys plugin writes it."""
    line = LINE.replace(GCM, "AES-GCM [RFC4106]").replace(
        '"NULL",""', f'"ANY {icv_bits} bit authentication [no checking]","0x"'
    )
    (entry,) = read_key_table(written(tmp_path, line)).entries
    assert SUITES[entry.suite].name == suite


@pytest.mark.parametrize(("encryption", "key"), [(15, 20), (16, 19), (16, 0)])
def test_both_keys_have_the_sizes_that_their_fields_ask_for(
    tmp_path: Path, encryption: int, key: int
) -> None:
    """CBC takes 16, 24 or 32 bytes, the HMAC 20; the field is named."""
    line = LINE.replace(GCM, "AES-CBC [RFC3602]").replace(KEY, "5a" * encryption)
    line = line.replace('"NULL",""', f'"HMAC-SHA-1-96 [RFC2404]","0x{"5a" * key}"')
    with pytest.raises(KeyTableError, match=f"field {6 if encryption == 15 else 8}: found a key"):
        read_key_table(written(tmp_path, line))


def test_keys_may_be_text_and_fields_escaped(tmp_path: Path) -> None:
    r"""A key without 0x is its own characters; ``\x2a`` is an asterisk."""
    line = LINE.replace(f"0x{KEY}", "sixteen letters.salt").replace("10.0.0.1", r"\x2a")
    (entry,) = read_key_table(written(tmp_path, line)).entries
    assert entry.source == "*"
    assert entry.key == b"sixteen letters.salt"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (LINE.replace('"IPv4"', "IPv4"), "field 1: expected text in double quotes"),
        (LINE[:-1], "field 8: expected text in double quotes"),
        (LINE.replace(',"NULL",""', ""), "found 6 fields, expected 8 or 10"),
        (LINE.replace("IPv4", "IPX"), "field 1: expected IPv4, IPv6 or Any"),
        (LINE.replace("10.0.0.1", "10.0.0"), "field 2: expected an address of that protocol, or *"),
        (LINE.replace("10.0.0.2", "::1"), "field 3: expected an address of that protocol, or *"),
        (LINE.replace("0x00001001", "0x100000000"),
         "field 4: expected a 32-bit number such as 0x00001001, or *"),
        (LINE.replace("0x00001001", "spi"),
         "field 4: expected a 32-bit number such as 0x00001001, or *"),
        (LINE.replace(KEY, KEY + "f"), "field 6: expected hexadecimal digits behind 0x"),
        (LINE.replace(KEY, KEY + "ff"),
         "field 6: found a key of 21 bytes, expected 20 or 28 or 36 with salt"),
        (f'{LINE},"48-bit"', "field 9: expected 32-bit or 64-bit"),
        (f'{LINE},"64-bit","-1"', "field 10: expected a 32-bit number such as 0x00000001"),
    ],
)  # fmt: skip
def test_a_malformed_line_is_named_by_number_and_never_quoted(
    tmp_path: Path, line: str, problem: str
) -> None:
    """The message says what is wrong with it and holds nothing of the key."""
    file = written(tmp_path, f"{LINE}\n{line}\n")
    with pytest.raises(KeyTableError) as raised:
        read_key_table(file)
    assert str(raised.value) == f"{file}:2: {problem}"
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    assert KEY not in str(raised.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """Missing, or not text."""
    with pytest.raises(KeyTableError, match="cannot be read as a key table: No such file"):
        read_key_table(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(KeyTableError, match="cannot be read as a key table: not UTF-8 text"):
        read_key_table(tmp_path / "binary")


FIELDS = st.one_of(
    st.sampled_from(
        [*LINE_FIELDS, "*", "Any", "IPv6", "::1", "64-bit", "0x", "-1", "AES-CBC [RFC3602]"]
    ),
    st.text(max_size=8),
)


@settings(deadline=None)  # the first example compiles
@given(
    st.one_of(
        st.text(max_size=100),
        st.lists(FIELDS, min_size=6, max_size=11).map('","'.join).map('"{}"'.format),
        st.tuples(st.integers(0, 6), st.text(max_size=40)).map(
            lambda change: LINE.replace(LINE_FIELDS[change[0]], change[1])
        ),
    )
)
def test_arbitrary_text_gives_a_table_or_a_key_table_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Nothing else is ever raised, and asking the table raises nothing at all."""
    file = tmp_path_factory.mktemp("table") / "esp_sa"
    file.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(KeyTableError):
        table = read_key_table(file)
        table.find(4, "10.0.0.1", "10.0.0.2", 0x1001)
        for entry in table.entries:
            if entry.suite != UNSUPPORTED_SUITE:
                entry.add_to(SaTable(), 0x1001)


def all_forms(esp: Any) -> SaTable:
    """One SA of every suite, over IPv4 and IPv6, with and without extended numbers."""
    sas: SaTable = esp.table(
        *(
            esp.Form(suite.name, outer=outer, extended=extended, spi=0x1000 + 4 * number + extended)
            for number, suite in enumerate(SUITES)
            for outer, extended in ((V4, False), (V6, True))
        )
    )
    return sas


def test_what_is_written_is_read_again_and_opens_what_was_sealed(esp: Any, tmp_path: Path) -> None:
    """Suites, SPIs, addresses, keys and the length of sequence numbers come back."""
    sas = all_forms(esp)
    packets = [esp.ipv4(bytes([number % 256])) for number in range(len(sas))]
    numbers = list(range(len(sas)))
    sealed = esp.seal(sas, packets, numbers=numbers)
    write_key_table(tmp_path / "esp_sa", sas)
    table = read_key_table(tmp_path / "esp_sa")
    again = SaTable()
    for record in sas.records:
        version = int(record["outer_version"])
        entry = table.find(version, *(V4 if version == 4 else V6), int(record["spi"]))
        assert entry is not None
        entry.add_to(again, int(record["spi"]))
    assert np.array_equal(again.records["extended_sequence"], sas.records["extended_sequence"])
    assert esp.open(again, sealed, numbers=numbers) == packets


def test_the_lines_are_wireshark_s_to_the_letter(esp: Any, tmp_path: Path) -> None:
    """Eight fields, and ten where sequence numbers are long."""
    key = bytes(range(20))
    sas = esp.table(
        esp.Form(outer=V4, spi=0x1001, key=key),
        esp.Form(outer=V6, spi=0xFFFFFFFF, key=key, extended=True),
        esp.Form(mode=Mode.TRANSPORT, spi=0x2001, key=key),
    )
    write_key_table(tmp_path / "esp_sa", sas)
    ending = f'"{GCM}","0x{key.hex()}","NULL",""'
    assert (tmp_path / "esp_sa").read_text() == (
        f'"IPv4","192.0.2.1","198.51.100.2","0x00001001",{ending}\n'
        f'"IPv6","2001:db8::1","2001:db8:ffff::2","0xffffffff",{ending},"64-bit","0"\n'
        f'"IPv4","*","*","0x00002001",{ending}\n'
        f'"IPv6","*","*","0x00002001",{ending}\n'
    )


@pytest.mark.parametrize("mode", Mode)
def test_an_sa_whose_mode_is_not_stated_opens_either(esp: Any, mode: int, tmp_path: Path) -> None:
    """A key table does not say; the packet does."""
    sas = esp.table(esp.Form(mode=mode))
    packets = [esp.ipv4(b"data"), esp.ipv6(b"data")]
    sealed = esp.seal(sas, packets)
    write_key_table(tmp_path / "esp_sa", sas)
    entry = read_key_table(tmp_path / "esp_sa").entries[0]
    again = SaTable()
    entry.add_to(again, 0x1001)
    assert again.records["mode"].tolist() == [MODE_NOT_STATED]
    assert esp.open(again, sealed) == packets
    assert esp.open(again, [sealed[0][:-1] + b"?"]) == [Verdict.ICV_FAILED]


def test_keys_are_in_no_repr(tmp_path: Path) -> None:
    """Law 10."""
    table = read_key_table(written(tmp_path, LINE))
    secret = bytes.fromhex(KEY)
    for shown in (repr(table.entries[0]), str(table.entries), repr(table)):
        assert KEY not in shown
        assert repr(secret)[2:-1] not in shown
