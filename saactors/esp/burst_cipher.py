"""What encrypts and decrypts the packets of a burst; there are two, and they make the same bytes.

``NativeCipher`` runs OpenSSL's libcrypto from compiled code and is the one to have; where the
system has no libcrypto that we know, ``PortableCipher`` calls ``cryptography`` for every packet.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from saactors.esp.native_cipher import NativeCipher
from saactors.esp.portable_cipher import PortableCipher
from saactors.esp.scratch import Laid, Located, OpenScratch, SealScratch
from saactors.model.sa import SaTable


class BurstCipher(Protocol):
    """The cryptography of bursts."""

    def encrypt(self, scratch: SealScratch, laid: Laid) -> npt.NDArray[np.uint8]:
        """Heads and ciphertexts with their ICVs by turns, packed one behind the other."""
        ...

    def decrypt(
        self,
        data: npt.NDArray[np.uint8],
        scratch: OpenScratch,
        located: Located,
        verdicts: npt.NDArray[np.uint8],
    ) -> npt.NDArray[np.uint8]:
        """Headers and plaintexts by turns, packed as ``scratch.spans`` says.

        A packet whose ICV is wrong gets the verdict ICV_FAILED, and zeroes for a plaintext.
        """
        ...

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys: its place in the table is wiped."""
        ...


def best_cipher(sas: SaTable) -> BurstCipher:
    """The fastest that this system has."""
    return NativeCipher.of(sas) or PortableCipher(sas)
