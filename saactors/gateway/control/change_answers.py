"""What commands that change something answer, and those that begin a stream of events."""

from __future__ import annotations

from typing import Annotated, Literal

from saactors.gateway.control.answers import Answer, told


class SaAdded(Answer):
    """``sa.add``."""

    sa: int
    spi: int
    name: str


class SaDeleted(Answer):
    """``sa.delete``."""

    sa: int
    spi: int


class Skipped(Answer):
    """What was left out, by a name that tells no key, and the reason."""

    what: str
    why: str


class Imported(Answer):
    """``sa.import``."""

    added: int
    replaced: int
    skipped: list[Skipped]


class Pinned(Answer):
    """``sa.pin``: where the SA is now; it may take a moment to move."""

    sa: int
    spi: int
    where: Literal["software", "loading", "nic"]
    pinned: Literal["auto", "nic", "software"]


class PolicyNumber(Answer):
    """``policy.add`` and ``policy.delete``."""

    number: int


class CardReset(Answer):
    """``card.reset``."""

    forgotten: Annotated[int, told("SAs that the card held")]


class CardResized(Answer):
    """``card.resize``."""

    slots: int


class AttachmentMade(Answer):
    """``attach``; pushes follow, whose rows are [index in kinds, time_ns, field, …]."""

    format: Annotated[int, told("the version of the event log's format")]
    version: Annotated[str, told("of saactors")]
    kinds: Annotated[list[tuple[str, list[str]]], told("each kind with its fields")]


class TraceAdded(AttachmentMade):
    """``trace.add``; pushes follow as for ``attach``, of the kind ``packet_traced``."""

    count: int
