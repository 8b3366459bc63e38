"""The table of commands: what is wrong with arguments is said once, fully, and without keys."""

from __future__ import annotations

import importlib.util
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ControlError
from saactors.gateway.control.arguments import AddSa, ListSas, SetRule
from saactors.gateway.control.schema import COMMANDS, read_arguments

SCRIPT = Path(__file__).parents[3] / "tools" / "control_page.py"
KEY = "000102030405060708090a0b0c0d0e0f10111213"
SA = {"spi": 0x1000, "direction": "out", "suite": "aes-gcm-128"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_accepted(name: str) -> None:
    """What the documentation shows works, and nothing but what a command knows does."""
    command = COMMANDS[name]
    assert isinstance(read_arguments(name, command.example), command.arguments)
    with pytest.raises(ControlError, match=f"^{name}: colour: found an unknown argument, expected"):
        read_arguments(name, {**command.example, "colour": "red"})


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("sa.lst", {}, "command: found 'sa.lst', expected one of status, sa.list, sa.show, "),
        ("status", {"all": 1},
         "status: all: found an unknown argument, expected no arguments; leave it out"),
        ("sa.list", {"limt": 1},
         "sa.list: limt: found an unknown argument, expected one of search, sort, descending, "),
        ("sa.list", {"limt": 1}, "did you mean 'limit'?"),
        ("sa.list", {"limit": "ten"},
         "sa.list: limit: found 'ten', expected a whole number of rows from 1 to 1000"),
        ("sa.list", {"descending": 1}, "sa.list: descending: found 1, expected true or false"),
        ("sa.list", {"direction": "up"}, "sa.list: direction: found 'up', expected 'out' or 'in'"),
        ("sa.show", {}, "sa.show: spi: found nothing, expected an SPI from 256 to 4294967295, "),
        ("sa.show", {}, "also as text such as '0x1000'; give spi"),
        ("sa.show", {"spi": 5}, "sa.show: spi: found 5, expected an SPI from 256 to 4294967295, "),
        ("sa.show", {"spi": 5}, "; 0 to 255 are reserved, RFC 4303 §2.1"),
        ("sa.show", {"spi": None}, "sa.show: spi: found nothing, expected an SPI from 256"),
        ("sa.show", {"spi": b"\1"}, "sa.show: spi: found octets, expected an SPI from 256"),
        ("trace.add", {"count": 1, "filter": {"spi": 5}},
         "trace.add: filter.spi: found 5, expected an SPI from 256"),
        ("trace.add", {"count": 1, "filter": 5},
         "trace.add: filter: found 5, expected a map of spi, source, destination, protocol"),
        ("attach", {"kinds": ["loadd"]},
         "attach: kinds[0]: found 'loadd', expected a kind of event: run_started, "),
        ("policy.add", {"action": "bypass", "sa": ""},
         "policy.add: sa: found '', expected an SA by its name, or by its SPI such as 4096"),
        ("sa.add", SA | {"policies": [{}, {"source": "10.0.0.1/8"}]},
         "sa.add: policies[1].source: found '10.0.0.1/8', expected a prefix such as '10.1.0.0/16'"),
        ("sa.add", SA | {"policies": [{}, {"source": "10.0.0.1/8"}]},
         "or '2001:db8::/32', or 'any'; its host bits are set, write '10.0.0.0/8'"),
        ("sa.add", SA | {"policies": [3]}, "sa.add: policies[0]: found 3, expected a map"),
        ("sa.pin", {"spi": 1, "where": "x"},
         "'0x1000'; 0 to 255 are reserved, RFC 4303 §2.1; also wrong: sa.pin: where"),
    ],
)  # fmt: skip
def test_an_error_says_what_was_found_expected_and_how_to_mend_it(
    name: str, arguments: dict[str, Any], expected: str
) -> None:
    """One error, whatever is wrong; the others are named behind the first."""
    with pytest.raises(ControlError) as caught:
        read_arguments(name, arguments)
    assert expected in str(caught.value)


@pytest.mark.parametrize("key", ["0x" + KEY + "1", KEY[:-1] + "g", [KEY], {"key": KEY}, 16**30])
def test_keys_are_never_quoted(key: object) -> None:
    """Neither right ones nor wrong ones, nor where they do not belong (law 10)."""
    for arguments in (
        SA | {"key": key},
        SA | {"integrity_key": key},
        SA | {"suite": key},
        SA | {str(key): 1},
    ):
        with pytest.raises(ControlError) as caught:
            read_arguments("sa.add", arguments)
        for word in (KEY[:16], KEY[-8:], str(16**30)):
            assert word not in str(caught.value)
        assert caught.value.__context__ is None
    for name, argument in (("sa.import", "text"), ("sa.add", "key"), ("sa.add", "integrity_key")):
        for wrong in ([KEY], "0xbadc0de", 0xBADC0DE):  # too short to look like one
            with pytest.raises(ControlError) as caught:
                read_arguments(
                    name, (SA if name == "sa.add" else {"format": "x"}) | {argument: wrong}
                )
            for word in (KEY[:8], "badc0de", str(0xBADC0DE)):
                assert word not in str(caught.value)


@pytest.mark.parametrize("form", [KEY, KEY.upper(), "0x" + KEY, "0X" + KEY])
def test_keys_come_as_hexadecimal_digits_and_show_in_no_repr(form: str) -> None:
    """With or without 0x in front."""
    added = read_arguments("sa.add", SA | {"key": form})
    assert isinstance(added, AddSa)
    assert added.key is not None
    assert added.key.get_secret_value() == bytes.fromhex(KEY)
    assert KEY[:8] not in repr(added).lower()


def test_arguments_become_what_the_gateway_works_with() -> None:
    """Addresses and numbers, with defaults for what was left out."""
    added = read_arguments("sa.add", SA | {"spi": "0x1f", "source": "2001:db8::1"} | {"spi": 4096})
    assert isinstance(added, AddSa)
    assert (added.spi, added.source, added.mode) == (4096, ip_address("2001:db8::1"), "tunnel")
    listed = read_arguments("sa.list", {})
    assert isinstance(listed, ListSas)
    assert (listed.sort, listed.limit, listed.where) == ("packets_per_s", 100, None)
    ruled = read_arguments("rule.set", {"name": "metric", "parameters": {"decay": "factor:0.5"}})
    assert isinstance(ruled, SetRule)
    assert dict(ruled.parameters) == {"decay": "factor:0.5"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)  # fmt: skip


@given(st.sampled_from(sorted(COMMANDS)), st.data())
def test_any_arguments_are_accepted_or_refused_by_the_one_error(name: str, data: Any) -> None:
    """Whatever msgpack or JSON can carry, under names that exist and others."""
    names = st.sampled_from([*COMMANDS[name].arguments.model_fields, "colour", b"x", 3])
    arguments = data.draw(st.dictionaries(names, anything, max_size=4))
    problem = None
    try:
        read_arguments(name, arguments)
    except ControlError as refused:
        problem = refused
    assert problem is None or (problem.what and problem.found and problem.expected)


def test_the_document_is_what_the_script_makes() -> None:
    """Whoever changes a command runs the script."""
    spec = importlib.util.spec_from_file_location("control_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.DOCUMENT.read_text(encoding="utf-8")
    assert text == module.document()
    assert all(f"\n### {name}\n" in text for name in COMMANDS)
