"""The commands of the control socket: one table, and how arguments are read by it.

Whoever answers commands calls ``read_arguments`` and gets a checked model or one ``ControlError``
that names what was found, what was expected and how to mend it. docs/control.md is made from the
table (``python tools/control_page.py``), and so the socket, the HTTP API and ``saactors ctl`` have
one vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from saactors.errors import ControlError
from saactors.gateway.control import answers, arguments, change_answers
from saactors.gateway.control.answers import Answer
from saactors.gateway.control.arguments import SECRETS, Arguments
from saactors.scenario.wording import closest, dotted, kind, listed, shown


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it takes and answers, and whether it changes anything.

    ``example`` are arguments, ``line`` is how ``saactors ctl`` asks the same.
    """

    name: str
    summary: str
    arguments: type[Arguments]
    answer: type[Answer]
    changes: bool
    example: Mapping[str, Any]
    line: str
    pushes: bool = False  # whether frames with events follow the reply


def _asks(
    name: str, summary: str, takes: type[Arguments], gives: type[Answer],
    line: str, /, **example: object,
) -> Command:  # fmt: skip
    return Command(name, summary, takes, gives, changes=False, example=example, line=line)


def _changes(
    name: str, summary: str, takes: type[Arguments], gives: type[Answer],
    line: str, /, **example: object,
) -> Command:  # fmt: skip
    return Command(name, summary, takes, gives, changes=True, example=example, line=line)


_KEY_SHOWN: Final = "000102030405060708090a0b0c0d0e0f10111213"  # counted up, no key of anybody's

_TABLE: Final = (
    _asks("status", "How the gateway is: rule, card, packets, edges, ports, SAs, listeners.",
          Arguments, answers.Status, "status"),
    _asks("sa.list", "SAs, sorted and filtered, a page of them.",
          arguments.ListSas, answers.SaList, "sa list --sort metric --limit 20",
          sort="metric", limit=20),
    _asks("sa.show", "One SA in full, without its keys.",
          arguments.NameSa, answers.SaDetails, "sa show 0x1000", spi="0x1000"),
    _asks("explain", "Why an SA is where it is, and what would have to change.",
          arguments.NameSa, answers.Explanation, "explain 0x1000", spi="0x1000"),
    _asks("rule.show", "The placement rule in use.",
          Arguments, answers.RuleDetails, "rule show"),
    _asks("card.show", "The card: its figures and the SAs that it holds.",
          Arguments, answers.CardDetails, "card show"),
    _asks("policy.list", "The SPD, in the order in which it is searched.",
          Arguments, answers.Policies, "policy list"),
    _asks("moves", "The last moves of SAs between software and card, newest first.",
          arguments.MovesOf, answers.Moves, "moves --limit 20", limit=20),
    _asks("history", "Packets, residents and loads by the second, ten minutes at most.",
          Arguments, answers.History, "history"),
    _changes("sa.add", "Adds an SA; with policies, traffic for it too.",
             arguments.AddSa, change_answers.SaAdded,
             "sa add 0x1000 --direction out --suite aes-gcm-128 --key-file key.hex "
             "--source 192.0.2.1 --destination 192.0.2.2 --protect 10.1.0.0/16 10.2.0.0/16",
             spi="0x1000", direction="out", suite="aes-gcm-128", key=_KEY_SHOWN,
             source="192.0.2.1", destination="192.0.2.2",
             policies=[{"source": "10.1.0.0/16", "destination": "10.2.0.0/16"}]),
    _changes("sa.delete", "Deletes an SA, once what is under way with it has left.",
             arguments.NameSa, change_answers.SaDeleted, "sa delete 0x1000", spi="0x1000"),
    _changes("sa.import", "Adds the SAs of a text: esp_sa, ip xfrm, DPDK lines, a scenario.",
             arguments.ImportSas, change_answers.Imported, "sa import keys --from ip-xfrm",
             text="src 192.0.2.1 dst 192.0.2.2 …", format="ip-xfrm"),
    _changes("sa.pin", "Keeps an SA on the card or in software, or lets the rule decide.",
             arguments.PinSa, change_answers.Pinned, "sa pin 0x1000 nic",
             spi="0x1000", where="nic"),
    _changes("policy.add", "Adds a policy to the SPD, at its end or before another.",
             arguments.AddPolicy, change_answers.PolicyNumber,
             "policy add bypass --destination 10.9.0.0/16 --before 0",
             action="bypass", destination="10.9.0.0/16", before=0),
    _changes("policy.delete", "Deletes a policy; those behind it move up by one.",
             arguments.DeletePolicy, change_answers.PolicyNumber, "policy delete 3", number=3),
    _changes("rule.set", "Another rule or other parameters; no packet is lost or reordered.",
             arguments.SetRule, answers.RuleDetails,
             "rule set metric threshold=500 decay=factor:0.5",
             name="metric", parameters={"threshold": 500, "decay": "factor:0.5"}),
    _changes("card.reset", "Resets the card, which forgets its SAs; traffic goes on in software.",
             Arguments, change_answers.CardReset, "card reset"),
    _changes("card.resize", "Lets the rule use another number of the card's slots.",
             arguments.ResizeCard, change_answers.CardResized, "card resize 512", slots=512),
    Command("trace.add", "Follows the next packets on their way, step by step.",
            arguments.AddTrace, change_answers.TraceAdded, changes=False, pushes=True,
            example={"count": 50, "filter": {"spi": "0x1000"}},
            line="trace add --count 50 --spi 0x1000"),
    Command("attach", "Sends events as they happen; what a reader is too slow for is counted.",
            arguments.Attach, change_answers.AttachmentMade, changes=False, pushes=True,
            example={"kinds": ["loaded", "evicted"]}, line=""),
)  # fmt: skip

COMMANDS: Final[Mapping[str, Command]] = MappingProxyType({each.name: each for each in _TABLE})

ModelT = TypeVar("ModelT", bound=Arguments)


def command_named(name: str) -> Command:
    """The command of that name.

    Raises:
        ControlError: there is none.
    """
    if name not in COMMANDS:
        mend = closest(name, COMMANDS)
        raise ControlError("command", shown(name), f"one of {listed(COMMANDS)}", mend)
    return COMMANDS[name]


def read_arguments(name: str, given: Mapping[str, Any]) -> Arguments:
    """The arguments of the command ``name``, checked: an instance of its model.

    Raises:
        ControlError: no such command, an unknown argument, or a value of another type. Keys and
            what looks like one are described and never quoted.
    """
    return checked(command_named(name).arguments, name, given)


def checked(model: type[ModelT], name: str, given: Mapping[str, Any]) -> ModelT:
    """The same for a model that is known; ``name`` is the command's, for the error."""
    if not all(isinstance(key, str) for key in given):
        raise ControlError(name, "an argument's name that is no text", _expects(model))
    problems: list[ControlError] = []
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:  # it holds what was found, so ours is raised outside (law 10)
        problems = [_problem(model, name, details) for details in error.errors(include_url=False)]
    first, others = problems[0], problems[1:]
    also = f"also wrong: {listed(dict.fromkeys(each.what for each in others))}" if others else ""
    mend = "; ".join(filter(None, (first.mend, also)))
    raise ControlError(first.what, first.found, first.expected, mend)


def _problem(model: type[Arguments], name: str, details: ErrorDetails) -> ControlError:
    """One of pydantic's errors in our words."""
    where = details["loc"]
    table, field = _place(model, where)
    what = f"{name}: {dotted(where)}"
    if details["type"] == "extra_forbidden":
        mend = closest(str(where[-1]), table.model_fields) or "leave it out"
        return ControlError(what, "an unknown argument", _expects(table), mend)
    expected = description(table, field, of_item=isinstance(where[-1], int)) if field else "a map"
    if details["type"] == "missing":
        return ControlError(what, "nothing", expected, f"give {where[-1]}")
    found = _found(details["input"], secret=not SECRETS.isdisjoint(where))
    return ControlError(what, found, expected, details.get("ctx", {}).get("hint", ""))


def description(table: type[BaseModel], field: str, *, of_item: bool = False) -> str:
    """What a field expects, or each item of one that is an array; "a map" where nothing is said."""
    info = table.model_fields[field]
    if info.description and not of_item:
        return info.description
    return next(_descriptions(info.annotation), "a map")


def _descriptions(hint: object) -> Iterator[str]:
    """Those that stand inside a hint, such as ``Spi | None``."""
    for part in getattr(hint, "__metadata__", ()):
        if getattr(part, "description", None):
            yield part.description
    for inner in get_args(hint):
        yield from _descriptions(inner)


def _found(value: object, *, secret: bool) -> str:
    if value is None or isinstance(value, bytes):
        return "nothing" if value is None else "octets"
    return kind(value) if secret else shown(value)


def _expects(model: type[BaseModel]) -> str:
    """What a table has room for."""
    return f"one of {listed(model.model_fields)}" if model.model_fields else "no arguments"


def _place(model: type[Arguments], where: tuple[int | str, ...]) -> tuple[type[BaseModel], str]:
    """The table that a location is in, and the field of it; "" for a table itself."""
    table: type[BaseModel] = model
    field = ""
    for step in where:
        if field and (inner := _table_of(table, field)) is not None:
            if isinstance(step, int):
                continue
            table, field = inner, ""
        if isinstance(step, str) and (not field or field not in table.model_fields):
            field = step
    return table, field


def _table_of(table: type[BaseModel], field: str) -> type[BaseModel] | None:
    """The model that a field holds, perhaps in an array."""
    hint = table.model_fields[field].annotation if field in table.model_fields else None
    return next((each for each in (hint, *get_args(hint)) if _is_model(each)), None)


def _is_model(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)
