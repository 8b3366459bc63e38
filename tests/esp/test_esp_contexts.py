"""Keyed primitives are made lazily, bounded in number, and evicted by second chance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.contexts import ContextCache
from saactors.esp.open import Opener
from saactors.esp.portable_cipher import PortableCipher
from saactors.esp.seal import Sealer


def kept(contexts: ContextCache) -> set[int]:
    """SAs that have a primitive."""
    return {sa for sa, context in enumerate(contexts.known) if context is not None}


def seal_as(esp: Any, sealer: Sealer, numbers: list[int]) -> list[Any]:
    """Seal one packet for each of these SAs, in one burst."""
    sealed: list[Any] = esp.seal(
        sealer._sas, [esp.ipv4(b"data")] * len(numbers), numbers=numbers, sealer=sealer
    )
    return sealed


def test_an_idle_sa_has_no_context(esp: Any) -> None:
    """Only those that sent something have."""
    sas = esp.table(*[esp.Form(spi=spi) for spi in range(300, 310)])
    contexts = ContextCache(sas)
    seal_as(esp, Sealer(sas, PortableCipher(sas, contexts)), [3, 7, 3])
    assert kept(contexts) == {3, 7}
    assert repr(contexts) == "ContextCache(2 of at most 131072)"


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.lists(st.integers(0, 19), max_size=12), max_size=12), st.integers(1, 8))
def test_the_bound_is_a_bound_and_every_packet_is_sealed_right(
    esp: Any, bursts: list[list[int]], contexts_max: int
) -> None:
    """Even where one burst has more SAs than may have contexts."""
    sas = esp.table(*[esp.Form(spi=300 + n) for n in range(20)])
    contexts = ContextCache(sas, contexts_max)
    sealer, opener = (
        Sealer(sas, PortableCipher(sas, contexts)),
        Opener(sas, PortableCipher(sas, contexts)),
    )
    for numbers in bursts:
        sealed = seal_as(esp, sealer, numbers)
        opened = esp.open(sas, sealed, numbers=numbers, opener=opener)
        assert opened == [esp.ipv4(b"data")] * len(numbers)
        assert len(kept(contexts)) == len(contexts) <= contexts_max


def test_a_busy_sa_keeps_its_context_while_idle_ones_pass_through(esp: Any) -> None:
    """Second chance: what was used since the hand last came by is spared."""
    sas = esp.table(*[esp.Form(spi=300 + n) for n in range(50)])
    contexts = ContextCache(sas, 4)
    sealer = Sealer(sas, PortableCipher(sas, contexts))
    seal_as(esp, sealer, [0])
    busy = contexts.known[0]
    for newcomer in range(1, 50):
        seal_as(esp, sealer, [newcomer])
        seal_as(esp, sealer, [0])
    assert contexts.known[0] is busy


def test_sealer_and_opener_may_share_contexts(esp: Any) -> None:
    """The same primitive serves both directions."""
    sas = esp.table(esp.Form())
    contexts = ContextCache(sas)
    sealed = seal_as(esp, Sealer(sas, PortableCipher(sas, contexts)), [0])
    made = contexts.known[0]
    assert esp.open(sas, sealed, opener=Opener(sas, PortableCipher(sas, contexts))) == [
        esp.ipv4(b"data")
    ]
    assert contexts.known[0] is made


def test_a_bound_below_one_is_refused(esp: Any) -> None:
    """By name, with what was found and expected."""
    with pytest.raises(ParameterError, match="contexts_max: found 0, expected at least 1"):
        ContextCache(esp.table(esp.Form()), 0)
