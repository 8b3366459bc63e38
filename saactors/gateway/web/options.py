"""Where the page is served and who may read it; what would be unsafe is refused here.

Whoever can read the page sees addresses, SPIs and traffic, never keys. On the loopback interface
that is left to the machine's users; on any other address a token is needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from saactors.errors import ParameterError

TOKEN_CHARACTERS_MIN: Final = 16
_TOKEN: Final = re.compile(r"[!-~]+")  # what an Authorization header can carry, RFC 9110 §5.5
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class WebOptions:
    """An address and a port to listen on (0: any free one), and the token that readers must show.

    Raises:
        ParameterError: an address that is none, a port out of range, a token that is too short or
            cannot stand in a header, or an address beyond loopback without a token.
    """

    address: str = "127.0.0.1"
    port: int = 9477
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= _PORT_MAX:
            raise ParameterError("web.port", self.port, f"0 to {_PORT_MAX} (0: any that is free)")
        if self.token is not None:
            _check_token(self.token)
        elif not self.ip.is_loopback:
            raise ParameterError(
                "web.address",
                self.address,
                "127.0.0.1 or ::1 as long as there is no token; set web.token_file to listen on "
                "any other address",
            )

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        """The address as a number; raises ``ParameterError`` where it is none."""
        try:
            return ip_address(self.address)
        except ValueError:
            expected = "an IPv4 or IPv6 address such as 127.0.0.1 (names are not resolved)"
            raise ParameterError("web.address", self.address, expected) from None


def _check_token(token: str) -> None:
    """A token is never quoted, so its faults are described."""
    expected = (
        f"at least {TOKEN_CHARACTERS_MIN} printable ASCII characters without spaces, such as "
        "`openssl rand -hex 24` prints"
    )
    if len(token) < TOKEN_CHARACTERS_MIN:
        raise ParameterError("web.token", f"a token of {len(token)} characters", expected)
    if _TOKEN.fullmatch(token) is None:
        raise ParameterError("web.token", "a token with other characters", expected)
