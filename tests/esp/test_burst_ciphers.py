"""The two ciphers make the same bytes, and nothing that is not authentic comes out of either."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.burst_cipher import best_cipher
from saactors.esp.libcrypto import LIBRARY, NAMES, Library, load
from saactors.esp.native_cipher import NativeCipher
from saactors.esp.open import Opener
from saactors.esp.portable_cipher import PortableCipher
from saactors.esp.seal import Sealer
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

needs_libcrypto = pytest.mark.skipif(
    LIBRARY is None, reason=f"LIBCRYPTO MISSING: expected one of {', '.join(NAMES)}"
)


@needs_libcrypto
@settings(deadline=None)  # the first example compiles
@given(
    st.lists(
        st.tuples(st.integers(0, 2 * len(SUITES) - 1), st.integers(0, 200), st.integers(1, 9)),
        max_size=20,
    )
)
def test_libcrypto_and_cryptography_make_the_same_bytes(
    esp: Any, packets: list[tuple[int, int, int]]
) -> None:
    """Suites mixed in one burst, the same SA twice in a row or not."""
    sas = esp.table(
        *(esp.Form(suite.name, extended=extended) for suite in SUITES for extended in (0, 1))
    )
    numbers = [number for number, _, _ in packets]
    sequences = [sequence | number % 2 << 40 for number, _, sequence in packets]
    inner = [esp.ipv4(bytes(size)) for _, size, _ in packets]
    native, portable = (
        esp.seal(sas, inner, sequences, numbers, sealer=Sealer(sas, cipher))
        for cipher in (NativeCipher.of(sas), PortableCipher(sas))
    )
    assert native == portable


@pytest.mark.parametrize("mode", Mode)
def test_the_plaintext_of_a_forged_packet_is_nowhere_in_the_result(esp: Any, mode: int) -> None:
    """Not even in the bytes that no row points at."""
    sas = esp.table(esp.Form(mode=mode))
    secret = b"attack at dawn"
    good, forged = esp.seal(sas, [esp.ipv4(b"genuine"), esp.ipv4(secret)])
    forged = forged[:-1] + bytes([forged[-1] ^ 1])
    seen = []

    class Watching(Opener):
        def open_packets(self, *burst: Any) -> Any:
            opened = super().open_packets(*burst)
            seen.append(opened.data.tobytes())
            return opened

    outcomes = esp.open(sas, [good, forged], opener=Watching(sas, esp.cipher(sas)))
    assert outcomes == [esp.ipv4(b"genuine"), Verdict.ICV_FAILED]
    assert b"genuine" in seen[0]
    assert secret not in seen[0]


@needs_libcrypto
def test_the_best_cipher_is_the_native_one(esp: Any) -> None:
    """Where the system has a libcrypto."""
    assert isinstance(best_cipher(esp.table(esp.Form())), NativeCipher)


def test_without_a_libcrypto_of_ours_there_is_no_native_cipher(esp: Any) -> None:
    """No library, or one that lacks a cipher: the portable one does the work."""
    sas = esp.table(esp.Form())
    assert load(("libno-such-thing.so.9",)) is None
    assert NativeCipher.of(sas, None) is None
    assert NativeCipher.of(sas, Library("the C library", ctypes.CDLL(None))) is None


@needs_libcrypto
def test_a_library_without_one_of_the_ciphers_is_not_used() -> None:
    """A name that no OpenSSL has, as ChaCha20 in one restricted to FIPS algorithms."""
    assert LIBRARY is not None
    assert LIBRARY.context(replace(SUITES[0], openssl_cipher="EVP_no_such_cipher")) is None
