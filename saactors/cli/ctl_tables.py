"""Answers of a gateway as facts and tables, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from saactors.cli.ctl_screen import Column, Facts, Part, Prose, Table
from saactors.observe.units import byte_size, count, duration, instant, percent, plain

_WHERE: Final = {"software": "software", "loading": "loading", "nic": "card"}


def status(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``status``."""
    packets, card, sas = answer["packets"], answer["card"], answer["sas"]
    state = "draining" if answer["draining"] else "ready" if answer["ready"] else "starting"
    dropped = sum(packets["dropped"].values())
    crypto = packets["software_packets"] + packets["nic_packets"]
    share = f" ({percent(packets['nic_packets'] / crypto)} of crypto)" if crypto else ""
    up = f"{state}, up {duration(answer['uptime_ns'])}, process {answer['pid']}"
    directions = f"{count(sas['outbound'])} out, {count(sas['inbound'])} in"
    came = f"{count(packets['in_packets'])} in, {count(packets['out_packets'])} out"
    stayed = f"{count(packets['in_flight_packets'])} under way, {count(dropped)} dropped"
    facts = [
        ("state", up),
        ("rule", _rule(answer["rule"])),
        ("card", f"{card['profile']}: {_card_line(card)}"),
        ("SAs", f"{count(sas['total'])}: {directions}; {count(sas['nic'])} on the card"),
        ("packets", f"{came}, {stayed}"),
        ("on the card", f"{_crypto(packets, 'nic')}{share}"),
        ("in software", _crypto(packets, "software")),
        ("bypassed", _crypto(packets, "bypass")),
    ]
    if answer["events_lost"]:
        facts.append(("events lost", f"{count(answer['events_lost'])} by all who listened"))
    yield Facts(f"{answer['name']}, saactors {answer['version']}", facts)
    yield _ports(answer["ports"])
    yield _edges(answer["edges"])
    drops = sorted(packets["dropped"].items(), key=lambda entry: (-entry[1], entry[0]))
    if dropped:
        rows = [(reason, count(number)) for reason, number in drops if number]
        yield Table("Dropped", (Column("reason"), Column("packets", number=True)), rows)
    if answer["attached"]:
        columns = _columns("id# kinds sent# lost#")
        yield Table("Listening", columns, [
            (str(each["id"]), ", ".join(each["kinds"]) or "all but the verbose",
             count(each["events_sent"]), count(each["events_lost"]))
            for each in answer["attached"]
        ])  # fmt: skip


def sa_list(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``sa.list``."""
    shown = f"{len(answer['rows'])} of {count(answer['matched'])} SAs"
    if answer["matched"] != answer["total"]:
        shown += f" that match, {count(answer['total'])} in all"
    columns = _columns("SPI dir where metric# packets/s#? bits/s#? name? packets#? bytes#? saved#? "
                       "moves#? destination? suite?")  # fmt: skip
    rows = [
        (_spi(sa), sa["direction"], _where(sa), plain(sa["metric"]), count(sa["packets_per_s"]),
         bits_per_s(sa["bits_per_s"]), sa["name"], count(sa["packets"]), byte_size(sa["bytes"]),
         duration(sa["saved_ns"]), count(sa["moves"]), sa["destination"] or "any", sa["suite"])
        for sa in answer["rows"]
    ]  # fmt: skip
    yield Table(shown, columns, rows, "none; 'saactors ctl sa add' or 'sa import' adds some")


def sa_show(sa: Mapping[str, Any]) -> Iterator[Part]:
    """``sa.show``."""
    udp = (
        f", ESP in UDP {sa['source_port']} → {sa['destination_port']}" if sa["source_port"] else ""
    )
    numbers = "64-bit" if sa["extended_sequence"] else "32-bit"
    window = f", window {count(sa['replay_window'])}" if sa["replay_window"] else ""
    limits = ", ".join(f"{name} {value}" for name, value in sa["lifetime"].items())
    yield Facts(f"{_spi(sa)} {sa['name']}", [
        *_placed(sa),
        ("suite", f"{sa['suite']}, {sa['mode']} mode"),
        ("ends", f"{sa['source'] or 'any'} → {sa['destination'] or 'any'}{udp}"),
        ("sequence", f"{sa['sequence']:,} ({numbers}){window}"),
        ("lifetime", limits or "no limits"),
        ("streams", count(sa["streams"])),
        ("index", str(sa["sa"])),
    ])  # fmt: skip


def explain(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``explain``."""
    sa, lowest = answer["sa"], answer["lowest"]
    facts = _placed(sa)
    if lowest is not None:
        facts.append(("lowest on card", f"{plain(lowest['metric'])}, {_spi(lowest)}"))
    if answer["threshold"] is not None:
        facts.append(("threshold", plain(answer["threshold"])))
    facts += [
        ("a packet saves", duration(answer["saving_ns"])),
        ("a load costs", duration(answer["load_host_ns"])),
        ("to change it", answer["to_change"]),
    ]
    yield Facts(f"{_spi(sa)} {sa['name']}", facts)
    yield Prose(answer["text"])
    rows = [(instant(each["time_ns"]), each["move"], each["reason"]) for each in answer["moves"]]
    yield Table("Its last moves", _columns("time# move reason"), rows, "none")


def moves(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``moves``."""
    rows = [
        (instant(each["time_ns"]), _spi(each), each["move"], each["reason"])
        for each in answer["rows"]
    ]
    yield Table("Moves, newest first", _columns("time# SPI move reason"), rows, "none so far")


def history(answer: Mapping[str, Any], last: int) -> Iterator[Part]:
    """``history``, of which the last points."""
    names = ("software_packets", "nic_packets", "bypass_packets", "dropped_packets", "residents",
             "loads")  # fmt: skip
    columns = _columns("until# software# card# bypass# dropped# residents#? loads#?")
    rows = [
        (duration(point["time_ns"]), *(count(point[name]) for name in names))
        for point in answer["points"][-last:]
    ]
    title = f"Packets in every {duration(answer['width_ns'])}"
    yield Table(title, columns, rows, "nothing yet: the first second is not over")


def rule_show(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``rule.show``."""
    values = answer["parameters"].items()
    yield Facts(answer["name"], [(name, _value(value)) for name, value in values])
    if answer["analysis"]:
        yield Prose(answer["analysis"].splitlines())
    yield Prose([f"Rules: {', '.join(answer['rules'])}."])


def card_show(card: Mapping[str, Any]) -> Iterator[Part]:
    """``card.show``."""
    refused, lost = count(card["loads_refused"]), count(card["loads_lost"])
    yield Facts(card["profile"], [
        ("slots", _card_line(card)),
        ("pinned", f"{count(card['pinned'])} SAs"),
        ("loads", f"{count(card['loads'])}, {refused} refused, {lost} lost"),
        ("evictions", count(card["evictions"])),
        ("resets", count(card["resets"])),
        ("engine queue", f"{count(card['engine_queue_packets'])} packets"),
    ])  # fmt: skip
    yield Facts("Figures", [(name, _value(value)) for name, value in card["figures"].items()])
    rows = [(_spi(each), plain(each["metric"]), str(each["sa"])) for each in card["resident_sas"]]
    yield Table("On the card", _columns("SPI metric# index#"), rows, "no SA")


def policy_list(answer: Mapping[str, Any]) -> Iterator[Part]:
    """``policy.list``."""
    columns = _columns("number# action source destination protocol ports SA")
    rows = [
        (str(each["number"]), each["action"], each["source"], each["destination"],
         each["protocol"], _ports_of(each), each["sa"] or _newest(each["peer"]))
        for each in answer["rows"]
    ]  # fmt: skip
    yield Table("Policies; the first that matches decides", columns, rows, "none: all is discarded")


def bits_per_s(value: float) -> str:
    """A rate: 20481 → ``20.5 kb/s``."""
    text = count(value)
    return f"{text}b/s" if text[-1].isalpha() else f"{text} b/s"


def _placed(sa: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where an SA is and what it does."""
    packets = f"{count(sa['packets'])} packets, {byte_size(sa['bytes'])}"
    return [
        ("where", f"{_where(sa)}, {'out' if sa['direction'] == 'out' else 'in'}bound"),
        ("metric", plain(sa["metric"])),
        ("traffic", f"{count(sa['packets_per_s'])} packets/s, {bits_per_s(sa['bits_per_s'])}"),
        ("so far", f"{packets}; {count(sa['nic_packets'])} packets on the card"),
        ("saved", f"{duration(sa['saved_ns'])} by {count(sa['moves'])} moves"),
    ]


def _crypto(packets: Mapping[str, Any], where: str) -> str:
    return f"{count(packets[f'{where}_packets'])} packets, {byte_size(packets[f'{where}_bytes'])}"


def _ports(ports: Iterable[Mapping[str, Any]]) -> Table:
    columns = _columns("port kind side received# sent# dropped# refused#? detail?")
    return Table("Ports", columns, [
        (each["name"], each["kind"], each["side"], count(each["received_packets"]),
         count(each["sent_packets"]), count(each["ring_dropped"]), count(each["send_refused"]),
         each["detail"])
        for each in ports
    ])  # fmt: skip


def _edges(edges: Iterable[Mapping[str, Any]]) -> Table:
    columns = _columns("edge queued# capacity# waited# waits#? most#? sent#?")
    return Table("Edges", columns, [
        (each["name"], count(each["queued"]), _capacity(each["capacity"]),
         duration(each["waited_ns"]) if each["waits"] else "-", count(each["waits"]),
         count(each["high_water"]), count(each["sent"]))
        for each in edges
    ])  # fmt: skip


def _columns(words: str) -> list[Column]:
    """Columns by their headings: ``#`` for numbers, ``?`` for those that may be left out."""
    return [
        Column(word.rstrip("#?"), number="#" in word, optional=word.endswith("?"))
        for word in words.split()
    ]


def _spi(row: Mapping[str, Any]) -> str:
    return f"{row['spi']:#010x}"


def _where(sa: Mapping[str, Any]) -> str:
    where: str = _WHERE.get(sa["where"], sa["where"])
    return where + ("" if sa["pinned"] == "auto" else ", pinned")


def _capacity(messages: int | None) -> str:
    return count(messages) if messages else "unbounded"


def _card_line(card: Mapping[str, Any]) -> str:
    held = f"{count(card['residents'])} of {count(card['slots_max'])} slots used"
    return f"{held}, {count(card['loading'])} loading"


def _rule(rule: Mapping[str, Any]) -> str:
    values = [_parameter(name, value) for name, value in rule["parameters"].items()
              if value is not None and name != "threshold"]  # fmt: skip
    if rule["threshold"] is not None:
        values.append(f"threshold {plain(rule['threshold'])}")
    return ", ".join([rule["name"], *values])


def _parameter(name: str, value: object) -> str:
    if name.endswith("_ns") and isinstance(value, int):
        return f"{name.removesuffix('_ns')} {duration(value)}"
    return f"{name} {_value(value)}"


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, float) else str(value)


def _ports_of(policy: Mapping[str, Any]) -> str:
    return f"{policy['source_ports']} → {policy['destination_ports']}"


def _newest(peer: str | None) -> str:
    return f"newest to {peer}" if peer else ""
