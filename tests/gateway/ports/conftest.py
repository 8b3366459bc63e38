"""Networks of tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.ports.network import own_network, why_no_network


@pytest.fixture
def network() -> Iterator[None]:
    """Be in a network namespace for one test."""
    if why := why_no_network():
        pytest.skip(why)
    with own_network():
        yield


@pytest.fixture(params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    """Of IP."""
    number: int = request.param
    return number
