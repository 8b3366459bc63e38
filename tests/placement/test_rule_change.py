"""The signal that changes a running rule (claims 31 to 40): there and back, or a clear refusal."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.placement.change import VERSION, RuleChange, decode_signal, encode_signal
from saactors.placement.cost import CostModel, Weight
from saactors.placement.parameters import Decay, MetricParameters
from saactors.placement.rule import Decide
from saactors.placement.table import RULES, make_rule

# A packet costs 2000 ns in software and 400 ns on the card, a load 8000 ns: worth 5 packets.
COST = CostModel(2000, 0, 400, 0, 8000)

PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "initial": st.floats(0, 1e9),
        "increment": st.floats(1e-6, 1e6),
        "bonus": st.none() | st.floats(0, 1e9),
        "decay": st.builds("factor:{!r}".format, st.floats(0, 1, exclude_min=True))
        | st.builds("amount:{!r}".format, st.floats(0, 1e300)),
        "period_ns": st.integers(1, 10**12),
        "threshold": st.none() | st.floats(0, 1e9),
        "weight": st.sampled_from([weight.value for weight in Weight]),
        "decide": st.sampled_from([decide.value for decide in Decide]),
        "reference_packet_bytes": st.integers(1, 65_535),
    },
)


@settings(deadline=None)
@given(parameters=PARAMETERS)
def test_what_is_encoded_is_what_a_running_system_follows(parameters: dict[str, object]) -> None:
    """Every parameter arrives, others take their defaults, and both halves can go on by them."""
    change = decode_signal(encode_signal("metric", parameters), "metric", COST)
    assert change.rule == "metric"
    assert change.given == parameters
    assert change.parameters == MetricParameters.from_mapping(parameters).resolved(COST)
    rule = make_rule("metric", {}, 4, 1, COST)
    rule.keeper.follow(change.parameters)
    rule.arbiter.follow(change.parameters, 0)


def test_a_signal_without_parameters_sets_the_defaults() -> None:
    """With what the cost analysis decides filled in: a threshold of 5 packets."""
    change = decode_signal(encode_signal("metric", {}), "metric", COST)
    assert change == RuleChange("metric", {}, MetricParameters(threshold=5, bonus=5), tick=0)


def test_values_arrive_as_the_types_that_rules_use() -> None:
    """Text of a decay, of a weight and of a decision time."""
    given_ = {"decay": "amount:2", "weight": "bytes", "decide": "periodic", "threshold": 7}
    parameters = decode_signal(encode_signal("metric", given_), "metric", COST).parameters
    assert isinstance(parameters, MetricParameters)
    assert parameters.decay == Decay.parse("amount:2")
    assert parameters.weight is Weight.BYTES
    assert parameters.decide is Decide.PERIODIC
    assert parameters.threshold == 7


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_can_be_signalled(rule: str) -> None:
    """Those without parameters, too: there is nothing to say, but it can be said."""
    assert decode_signal(encode_signal(rule, {}), rule, COST).rule == rule


def signal(**parts: object) -> bytes:
    """A signal for the metric rule with some parts replaced, or left out where they are None."""
    content = {"v": VERSION, "rule": "metric", "parameters": {}} | parts
    packed: bytes = msgpack.packb(content)
    return packed


def nested(depth: int) -> object:
    """A list in a list in a list."""
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


NO_MAP = "expected a msgpack map"
SHAPE = "signal: found 'another shape', expected a map of v, rule and parameters"
PLAIN = "expected a number, a text or nothing"
NAMES = ", ".join(MetricParameters.__dataclass_fields__)

REFUSALS = {
    "nothing": (b"", f"signal: found '0 bytes', {NO_MAP}"),
    "no msgpack": (b"\xc1", f"signal: found '1 bytes', {NO_MAP}"),
    "more behind it": (signal() + b"\0", f"signal: found '29 bytes', {NO_MAP}"),
    "cut off": (signal()[:-1], f"signal: found '27 bytes', {NO_MAP}"),
    "too long": (bytes(65_537), "signal: found '65537 bytes', expected at most 65536"),
    "a number": (msgpack.packb(7), SHAPE),
    "an empty map": (msgpack.packb({}), SHAPE),
    "a key too many": (signal(more=1), SHAPE),
    "a later version": (signal(v=2), "signal version: found 2, expected 1"),
    "a version in text": (signal(v="1"), "signal version: found '1', expected 1"),
    "a nested version": (signal(v=nested(400)), "signal version: found 'list', expected 1"),
    "another rule": (
        signal(rule="never"),
        "rule: found 'never', expected metric, which this system runs",
    ),
    "a nested rule": (
        signal(rule={"a": 1}),
        "rule: found 'dict', expected metric, which this system runs",
    ),
    "a list of parameters": (
        signal(parameters=[1]),
        "parameters: found 'list', expected a map of names to values",
    ),
    "names in bytes": (
        signal(parameters={b"initial": 1}),
        "parameters: found 'dict', expected a map of names to values",
    ),
    "a nested value": (
        signal(parameters={"initial": nested(400)}),
        f"initial: found 'list', {PLAIN}",
    ),
    "a value in bytes": (
        signal(parameters={"weight": b"bytes"}),
        f"weight: found 'bytes', {PLAIN}",
    ),
    "an unknown name": (
        signal(parameters={"treshold": 3}),
        f"parameter: found 'treshold', expected one of {NAMES}",
    ),
    "a value out of range": (
        signal(parameters={"period_ns": 0}),
        "period_ns: found 0, expected a whole number, 1 or more",
    ),
    "a value of the wrong kind": (
        signal(parameters={"increment": True}),
        "increment: found True, expected a number",
    ),
}


@pytest.mark.parametrize(("sent", "problem"), REFUSALS.values(), ids=list(REFUSALS))
def test_every_refusal_says_what_was_found_and_what_was_expected(sent: bytes, problem: str) -> None:
    """In one line each, without ever printing what is nested."""
    with pytest.raises(ParameterError) as caught:
        decode_signal(sent, "metric", COST)
    assert str(caught.value) == problem


def test_a_rule_without_parameters_refuses_them() -> None:
    """``never`` has none."""
    sent = encode_signal("never", {"threshold": 3})
    with pytest.raises(ParameterError) as caught:
        decode_signal(sent, "never", COST)
    assert str(caught.value) == (
        "threshold: found 3, expected nothing, for this rule has no parameters"
    )


def refused_or_followed(sent: bytes) -> None:
    """Decode; a ParameterError is a good outcome, and so are parameters that can be followed."""
    try:
        change = decode_signal(sent, "metric", COST)
    except ParameterError:
        return
    assert isinstance(change.parameters, MetricParameters)
    change.parameters.settings(COST)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_a_parameter_error(sent: bytes) -> None:
    """Whatever arrives on the network."""
    refused_or_followed(sent)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary() | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary()),
    lambda children: st.lists(children, max_size=3)
    | st.dictionaries(st.text() | st.binary(), children, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    version=st.just(VERSION) | ANYTHING,
    rule=st.just("metric") | ANYTHING,
    parameters=st.dictionaries(
        st.sampled_from(["initial", "increment", "bonus", "decay", "period_ns", "threshold"])
        | st.sampled_from(["weight", "decide", "reference_packet_bytes"])
        | st.text(),
        ANYTHING | st.builds("{}:{}".format, st.sampled_from(["factor", "amount"]), st.floats()),
    )
    | ANYTHING,
)
def test_no_values_raise_anything_but_a_parameter_error(
    version: object, rule: object, parameters: object
) -> None:
    """The right shape, filled with anything that msgpack can carry."""
    refused_or_followed(signal(v=version, rule=rule, parameters=parameters))


@pytest.mark.parametrize("depth", [100, 500, 900, 1000, 1020, 5000])
@pytest.mark.parametrize("part", ["v", "rule", "parameters", "initial"])
def test_a_deeply_nested_signal_takes_no_more_stack_than_there_is(part: str, depth: int) -> None:
    """Bytes that nest deeper than Python likes to print are refused like any others."""
    values = {
        "v": b"\x01",
        "rule": b"\xa6metric",
        "parameters": b"\x80",
    }
    deep = b"\x91" * depth + b"\xc0"
    values |= {"parameters": b"\x81\xa7initial" + deep} if part == "initial" else {part: deep}
    fields = [msgpack.packb(name) + value for name, value in values.items()]
    with pytest.raises(ParameterError):
        decode_signal(b"\x83" + b"".join(fields), "metric", COST)
