"""The security side of a replay: SPD, SAs, who classifies, and the cryptography of a component."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt

from saactors.actors.classifier import Classifier
from saactors.errors import ParameterError
from saactors.esp.association import Association, add_associations, association_at
from saactors.esp.lifetimes import Lifetimes
from saactors.esp.reassembly import Reassembler
from saactors.esp.sa_formats.wireshark import UNSUPPORTED_SUITE, KeyTable, KeyTableEntry
from saactors.esp.suites import SUITE_NUMBERS
from saactors.esp.window import ReplayWindows
from saactors.model.packets import NO_SA
from saactors.model.sa import Mode, SaTable
from saactors.model.selector import Action, Selector, Stream, selector_columns
from saactors.replay.options import ReplayOptions, SaPer
from saactors.scenario.sa_files import read_key_table
from saactors.scenario.sa_tables import association_of
from saactors.scenario.spd import spd_entries, templates
from saactors.scenario.tables import GivenSa, Template
from saactors.streams.associations import ASSOCIATION
from saactors.streams.crypto import Crypto, Opening, Sealing
from saactors.streams.exit import Exit, Sink
from saactors.streams.inbound import NO_ROOM, UNSUPPORTED, InboundClassifier
from saactors.streams.outbound import OutboundClassifier
from saactors.streams.sa_maker import SaMaker, SaTemplate

_MODES = {"tunnel": Mode.TUNNEL, "transport": Mode.TRANSPORT}
_STREAMS = {
    SaPer.FLOW: Stream.FLOW,
    SaPer.HOST_PAIR: Stream.HOST_PAIR,
    SaPer.SUBNET: Stream.SUBNET,
}


@dataclass
class Security:
    """SAs, classifier and windows of a replay, in one direction."""

    sas: SaTable
    classifier: Classifier
    windows: ReplayWindows | None  # inbound only
    outbound: OutboundClassifier | None
    real: bool
    first_sequences: tuple[int, ...] = ()  # of the SAs that were given; others begin at 1
    lifetimes: Lifetimes = field(default_factory=Lifetimes)

    def crypto(self) -> Crypto:
        """The cryptography of one component, with contexts of its own."""
        if self.windows is not None:
            return Opening(self.sas, self.windows, real=self.real)
        return Sealing(self.sas, real=self.real)

    def exit(self, sinks: Sequence[Sink]) -> Exit:
        """Where packets leave; no window is asked where no ICV has proven their numbers.

        Outbound it charges no lifetimes: those are the classifier's.
        """
        lifetimes = self.lifetimes if self.outbound is None else None
        return Exit(self.windows if self.real else None, sinks, lifetimes)

    @property
    def associations(self) -> Iterator[Association]:
        """The SAs, as values, with their keys."""
        firsts = chain(self.first_sequences, repeat(1))
        for number, first_sequence in zip(range(len(self.sas)), firsts, strict=False):
            yield association_at(self.sas, number, first_sequence)

    @property
    def streams(self) -> npt.NDArray[np.void]:
        """The streams that SAs were made for (record array of ASSOCIATION)."""
        if self.outbound is None:
            return np.zeros(0, ASSOCIATION)
        return self.outbound.associations


def build_security(options: ReplayOptions) -> Security:
    """What the options and the scenario ask for.

    Raises:
        UserError: a key table that cannot be read, or no SA to open anything with.
    """
    sas = SaTable()
    real = options.crypto == "real"
    given = options.scenario.sas if options.scenario is not None else ()
    if options.direction == "in":
        scenario = options.scenario
        windows = ReplayWindows(scenario.replay_window) if scenario else ReplayWindows()
        inbound = [sa for sa in given if sa.direction == "in"]
        keys = read_key_table(options.keys) if options.keys is not None else None
        if keys is None and not inbound:
            expected = "--keys FILE, or [[sas]] with direction = 'in' in the scenario"
            raise ParameterError("keys", "none", expected)
        _add_given(sas, inbound, options.seed)
        windows.grow(len(inbound))
        for number, sa in enumerate(inbound):
            if sa.first_sequence > 1:
                windows.resume(number, sa.first_sequence - 1)
        resolve = _InboundSas(inbound, keys, sas, windows, options.sas_max).resolve
        classifier = InboundClassifier(resolve, sas, Reassembler())
        return Security(sas, classifier, windows, None, real, lifetimes=_lifetimes(inbound, "in"))
    lifetimes = _lifetimes(given, "out")
    outbound = _outbound(options, given, sas, lifetimes)
    first_sequences = tuple(sa.first_sequence for sa in given)
    return Security(sas, outbound, None, outbound, real, first_sequences, lifetimes)


def _outbound(
    options: ReplayOptions, given: tuple[GivenSa, ...], sas: SaTable, lifetimes: Lifetimes
) -> OutboundClassifier:
    entries, forms = _spd(options)
    if given:
        _add_given(sas, given, options.seed)
    return OutboundClassifier(
        selector_columns(entries),
        sas,
        SaMaker(forms, options.seed),
        sas_max=options.sas_max,
        first_sequences=np.array([sa.first_sequence for sa in given], np.uint64),
        lifetimes=lifetimes,
        pad_cut=options.pad_cut,
    )


def _lifetimes(given: Sequence[GivenSa], direction: str) -> Lifetimes:
    """The limits of the given SAs of that direction, whose time starts with the run."""
    lifetimes = Lifetimes()
    for number, sa in enumerate(given):
        if sa.direction == direction:
            lifetimes.limit(number, sa.lifetime.lifetime, 0)
    return lifetimes


def _spd(options: ReplayOptions) -> tuple[tuple[Selector, ...], list[SaTemplate]]:
    """The scenario's policies; without any, protect everything by the options."""
    if options.scenario is not None and options.scenario.policies:
        forms = [_template(template) for template in templates(options.scenario)]
        return spd_entries(options.scenario), forms
    everything = Selector(None, None, action=Action.PROTECT, stream=_STREAMS[options.sa_per])
    form = SaTemplate(suite=SUITE_NUMBERS[options.suite], mode=_MODES[options.mode])
    return (everything,), [form]


def _template(template: Template) -> SaTemplate:
    udp = template.udp_encapsulation
    endpoints: dict[str, IPv4Address | IPv6Address] = {}
    if template.source is not None and template.destination is not None:
        endpoints = {"source": template.source, "destination": template.destination}
    return SaTemplate(
        suite=SUITE_NUMBERS[template.suite],
        mode=_MODES[template.mode],
        source_port=udp.source_port if udp else 0,
        destination_port=udp.destination_port if udp else 0,
        headers=template.headers.rules,
        tfc_bytes=template.tfc_bytes,
        path_mtu_bytes=template.path_mtu_bytes,
        lifetime=template.lifetime.lifetime,
        **endpoints,
    )


def _add_given(sas: SaTable, given: Sequence[GivenSa], seed: int) -> None:
    add_associations(sas, (association_of(sa, number, seed) for number, sa in enumerate(given)))


class _InboundSas:
    """Finds SAs by SPI and addresses: the scenario's first, then those of the key table.

    A line of a key table may stand for many SAs (its destination and SPI may be patterns), so its
    SAs are added when their first packet comes. Packets of one SA may come from many sources: who
    replays a packet from elsewhere must still meet the same replay window.
    """

    def __init__(
        self,
        given: list[GivenSa],
        keys: KeyTable | None,
        sas: SaTable,
        windows: ReplayWindows,
        sas_max: int,
    ) -> None:
        self._keys = keys
        self._sas = sas
        self._windows = windows
        self._sas_max = sas_max
        self._added: dict[tuple[KeyTableEntry, str, int], int] = {}
        self._given: dict[int, list[tuple[str | None, int]]] = {}
        for number, sa in enumerate(given):
            destination = None if sa.destination is None else str(sa.destination)
            self._given.setdefault(sa.spi, []).append((destination, number))

    def resolve(self, version: int, source: str, destination: str, spi: int) -> int:
        """Index of the SA, UNSUPPORTED, NO_ROOM or NO_SA."""
        for wanted, number in self._given.get(spi, []):
            if wanted in (None, destination):
                return number
        if self._keys is None:
            return NO_SA
        entry = self._keys.find(version, source, destination, spi)
        if entry is None:
            return NO_SA
        if entry.suite == UNSUPPORTED_SUITE:
            return UNSUPPORTED
        sa = (entry, destination, spi)
        if sa not in self._added:
            if len(self._sas) >= self._sas_max:
                return NO_ROOM
            self._added[sa] = entry.add_to(self._sas, spi)
            if entry.sequence_high:
                self._windows.resume(self._added[sa], (entry.sequence_high << 32) - 1)
        return self._added[sa]
