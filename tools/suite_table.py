"""docs/suites.md, made from the table of suites: ``python tools/suite_table.py`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from saactors.esp.suites import SUITES, Suite

DOCUMENT = Path(__file__).parents[1] / "docs" / "suites.md"
HEADINGS = (
    "suite", "key + salt", "HMAC key", "IV", "ICV", "IKE (as strongSwan logs it)", "strongSwan",
    "`ip xfrm`", "DPDK ipsec-secgw", "Wireshark",
)  # fmt: skip
INTRODUCTION = """# Cryptographic suites

Every suite of `saactors.esp`, its sizes in bytes, and what other programs call it; – where they do
not have it. This page is made from `saactors/esp/suites.py` by `python tools/suite_table.py`.

Combined-mode suites need no HMAC key. A CCM salt has three bytes (RFC 4309); those of GCM, GMAC,
CTR and ChaCha20 have four. What is not here is refused: DES, 3DES and MD5 are weak (RFC 8221), and
encryption without integrity is open to whoever can flip bits. Wireshark has ChaCha20-Poly1305 since
version 4.2.

"""


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(f"{DOCUMENT.name}: {len(SUITES)} suites")


def document() -> str:
    """The text of docs/suites.md."""
    rows = [HEADINGS, tuple("---" for _ in HEADINGS), *map(cells, SUITES)]
    return INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cells(suite: Suite) -> tuple[str, ...]:
    """A suite's row."""
    return (
        f"`{suite.name}`",
        f"{suite.key_bytes} + {suite.salt_bytes}",
        str(suite.integrity_key_bytes or "–"),
        str(suite.iv_bytes),
        str(suite.icv_bytes),
        f"`{suite.ike_proposal}`",
        f"`{suite.strongswan}`",
        names(suite.xfrm_encryption, suite.xfrm_integrity, f" {8 * suite.icv_bytes}"),
        names(suite.dpdk_encryption, suite.dpdk_integrity),
        names(suite.wireshark_encryption, suite.wireshark_integrity),
    )


def names(encryption: str, integrity: str, more: str = "") -> str:
    """What a program calls both halves of a suite."""
    both = " + ".join(f"`{name}`" for name in (encryption, integrity) if name)
    return both + more if both else "–"


if __name__ == "__main__":
    main()
