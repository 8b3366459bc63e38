"""The rivals: caches' eviction rules, bare and gated, and what others have built for offload.

A cache's rule, bare, loads at every miss: there a miss is fatal and a load free. Here a miss costs
some host time in software and a load costs as much as many packets save, so the bare ones are straw
men, and each stands again behind the ski-rental gate (``saactors.placement.gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from saactors.placement.entry import RuleEntry, policy_entry
from saactors.placement.gate import COIN
from saactors.placement.policies.fifo import CLOCK, FIFO, SIEVE
from saactors.placement.policies.lru import LRU
from saactors.placement.policy import Policy
from saactors.placement.policy_parameters import GatedParameters, PolicyParameters


class CoinParameters(PolicyParameters):
    """The parameters of a rule whose gate is a coin."""

    __slots__ = ()
    gate = COIN


# name → what a load does to the order, source, policy
_CACHES: Final[Mapping[str, tuple[str, str, Policy]]] = MappingProxyType(
    {
        "fifo": (
            "in place of the SA that has been on the card for longest",
            "first in, first out",
            FIFO,
        ),
        "clock": (
            "as fifo, but whoever has sent since it was last considered gets another round",
            "Corbató, A Paging Experiment with the Multics System, 1968",
            CLOCK,
        ),
        "sieve": (
            "in place of the oldest that has not sent since the hand last passed it",
            "Zhang et al., SIEVE is Simpler than LRU, NSDI 2024",
            SIEVE,
        ),
    }
)

_ALWAYS: Final = "Loads an SA with every packet that finds it absent,"
_GATED: Final = "Loads an SA once the savings it has missed reach the load cost,"


def _rivals() -> dict[str, RuleEntry]:
    rules = {
        "lru": policy_entry(
            "lru",
            f"{_ALWAYS}\nin place of the SA silent for longest: the straw man of caching.",
            "least recently used, as caches have it",
            LRU,
        ),
        "lru-coin": policy_entry(
            "lru-coin",
            "Loads an SA with the probability saving ÷ load cost,\n"
            "in place of the SA silent for longest.",
            "ski rental with a coin: Karlin et al., Algorithmica 11, 1994",
            LRU,
            CoinParameters,
        ),
        "lru-ski-rental": policy_entry(
            "lru-ski-rental",
            f"{_GATED}\nin place of the SA silent for longest.",
            "ski rental: Karlin et al., Algorithmica 3, 1988",
            LRU,
            GatedParameters,
        ),
    }
    for name, (place, source, policy) in _CACHES.items():
        rules[name] = policy_entry(name, f"{_ALWAYS}\n{place}.", source, policy)
        gated = f"{name}-gated"
        rules[gated] = policy_entry(
            gated, f"{_GATED}\n{place}.", f"{source}; gate: ski rental", policy, GatedParameters
        )
    return rules


RIVALS: Final[Mapping[str, RuleEntry]] = MappingProxyType(_rivals())
