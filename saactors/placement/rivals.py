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
from saactors.placement.policies.arc import ARC
from saactors.placement.policies.elixir import ELIXIR, ElixirParameters
from saactors.placement.policies.ewma import EWMA, EwmaParameters
from saactors.placement.policies.fifo import CLOCK, FIFO, SIEVE
from saactors.placement.policies.landlord import LANDLORD
from saactors.placement.policies.lfu import LFU
from saactors.placement.policies.lru import LRU
from saactors.placement.policies.nru import NRU, NruParameters
from saactors.placement.policies.ovs import OVS, OvsFastParameters, OvsParameters
from saactors.placement.policies.rate import RATE, RateParameters
from saactors.placement.policies.s3_fifo import S3_FIFO
from saactors.placement.policies.static import STATIC
from saactors.placement.policies.tiny_lfu import TINY_LFU, TinyLfuParameters
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
        "s3-fifo": (
            "in place of the oldest of a small queue, unless it has earned the main one",
            "Yang et al., FIFO Queues are All You Need for Cache Eviction, SOSP 2023",
            S3_FIFO,
        ),
        "arc": (
            "in place of the least recent or the least frequent, as ghosts advise",
            "Megiddo, Modha, ARC: A Self-Tuning, Low Overhead Replacement Cache, FAST 2003",
            ARC,
        ),
        "lfu": (
            "in place of the SA that has sent least since it was loaded",
            "least frequently used, as caches have it",
            LFU,
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
    return {**rules, **_costed(), **_offloads()}


def _costed() -> dict[str, RuleEntry]:
    """Rules that weigh a load's cost against what it brings."""
    return {
        "landlord": policy_entry(
            "landlord",
            "Residents pay rent from a credit for what others miss; missed savings that reach\n"
            "the load cost buy the seat of one whose credit is used up.",
            "Young, Algorithmica 33, 2002; with bypassing: Epstein et al., Algorithmica 71, 2015",
            LANDLORD,
            GatedParameters,
        ),
        "tinylfu": policy_entry(
            "tinylfu",
            "Loads an SA that leads the less frequent of two candidates by a margin, counting\n"
            "packets lately: a small LRU window and a segmented LRU say who those are.",
            "Einziger, Friedman, Manes, TinyLFU, ACM Transactions on Storage 13(4), 2017",
            TINY_LFU,
            TinyLfuParameters,
        ),
        "ewma": policy_entry(
            "ewma",
            "Loads an SA whose expected saving over a horizon exceeds the load cost and what\n"
            "the resident of least rate would still save; rates fade exponentially.",
            "exponentially weighted averages; the cost analysis of DESIGN.md §7",
            EWMA,
            EwmaParameters,
        ),
    }


def _offloads() -> dict[str, RuleEntry]:
    """What others have built, or described, for tables of flows or SAs on a card."""
    rebalance = "Loads while there is a free seat; every {}, the fastest of those that wait\n{}"
    return {
        "ovs": policy_entry(
            "ovs",
            rebalance.format("3 s", "change places with the slowest on the card, by packets/s."),
            "Open vSwitch, offload-rebalance: ofproto/ofproto-dpif-upcall.c",
            OVS,
            OvsParameters,
        ),
        "ovs-fast": policy_entry(
            "ovs-fast",
            rebalance.format("0.1 s", "change places with the slowest on the card: ovs in haste."),
            "Open vSwitch, offload-rebalance: ofproto/ofproto-dpif-upcall.c",
            OVS,
            OvsFastParameters,
        ),
        "rate": policy_entry(
            "rate",
            "Loads an SA that reaches so many packets/s within a window, in place of one\n"
            "that has not done so for a whole window.",
            "Sarrar et al., CCR 42(1), 2012; Niranjan Mysore et al., FasTrak, CoNEXT 2013",
            RATE,
            RateParameters,
        ),
        "nru": policy_entry(
            "nru",
            "Loads an SA in place of one that has not sent since all were last marked;\n"
            "the interval between markings varies with the traffic.",
            "US 7,549,023, claims 1 to 4 (2009, expired)",
            NRU,
            NruParameters,
        ),
        "elixir": policy_entry(
            "elixir",
            "Ranks large SAs once per period and keeps most seats for them; the others go\n"
            "to bursts, which are found on arrival by a short window.",
            "Wang et al., Elixir, NSDI 2022",
            ELIXIR,
            ElixirParameters,
        ),
        "static-top-k": policy_entry(
            "static-top-k",
            "Clairvoyant: loads the SAs that save most over the whole trace, as many as\n"
            "there are slots, with their first packets; nobody is ever replaced.",
            "the best that an assignment once and for all could do",
            STATIC,
            clairvoyant=True,
        ),
    }


RIVALS: Final[Mapping[str, RuleEntry]] = MappingProxyType(_rivals())
