"""Frames of the control socket: whatever the octets are, messages or the one documented error."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ControlError
from saactors.gateway.control.frames import (
    ID_MAX,
    REQUEST_BYTES_MAX,
    FrameDecoder,
    check_version,
    encode_frame,
    error_of,
    id_of,
    refusal,
    reply,
    request_of,
)

BYTES_MAX = 1 << 12
scalars = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=20)
    | st.floats(allow_nan=False)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
messages = st.dictionaries(st.text(max_size=8), values, max_size=5)


def split(octets: bytes, cuts: list[int]) -> list[bytes]:
    """The octets in pieces, cut at these places."""
    places = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    return [octets[first:last] for first, last in itertools.pairwise(places)]


def decoded(pieces: list[bytes], bytes_max: int = BYTES_MAX) -> list[dict[str, Any]]:
    """The messages in these pieces."""
    decoder, found = FrameDecoder(bytes_max), []
    for piece in pieces:
        decoder.handle_octets(piece)
        while (message := decoder.poll_message()) is not None:
            found.append(message)
    assert not decoder.is_within_frame
    return found


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 1 << 16), max_size=8))
def test_messages_come_back_however_they_are_split(
    sent: list[dict[str, Any]], cuts: list[int]
) -> None:
    """Frames carry no more and no less than what was put in, in the same order."""
    octets = b"".join(encode_frame(message, REQUEST_BYTES_MAX) for message in sent)
    assert decoded(split(octets, cuts), REQUEST_BYTES_MAX) == sent


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_octets_give_messages_or_the_documented_error(octets: bytes, cuts: list[int]) -> None:
    """A length in front makes bodies of most inputs; nothing else is ever raised."""
    for framed in (octets, len(octets).to_bytes(4, "big") + octets):
        decoder = FrameDecoder(BYTES_MAX)
        with suppress(ControlError):
            for piece in split(framed, cuts):
                decoder.handle_octets(piece)
                while (message := decoder.poll_message()) is not None:
                    assert isinstance(message, dict)
                    request_of(message)


@given(messages, st.integers(0, 1 << 16))
def test_a_frame_that_is_cut_off_is_no_message(message: dict[str, Any], cut: int) -> None:
    """And the decoder says that it waits for the rest."""
    frame = encode_frame(message, REQUEST_BYTES_MAX)
    decoder = FrameDecoder(REQUEST_BYTES_MAX)
    part = frame[: cut % len(frame)]
    decoder.handle_octets(part)
    assert decoder.poll_message() is None
    assert decoder.is_within_frame is bool(part)


@pytest.mark.parametrize("length", [0, BYTES_MAX + 1, 0xFFFFFFFF])
def test_a_length_that_is_not_allowed_is_refused_before_its_body_comes(length: int) -> None:
    """So nobody makes us keep more than the bound."""
    decoder = FrameDecoder(BYTES_MAX)
    decoder.handle_octets(length.to_bytes(4, "big"))
    with pytest.raises(ControlError, match=f"found a length of {length:,} octets, expected 1 to"):
        decoder.poll_message()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"\xc1", "1 octets of something else"),
        (b"\x91" * 3000 + b"\x00", "3,001 octets of something else"),  # nested too deeply
        (b"\x81\xa1v\xdb\xff\xff\xff\xff", "8 octets of something else"),  # text of 4 GiB
        (b"\x81\xa1v\xa1\xff", "5 octets of something else"),  # no UTF-8
        (b"\x81\x01\x01", "3 octets of something else"),  # a key that is no text
        (msgpack.packb([1, 2]), "an array"),
        (msgpack.packb({"v": 1}) + b"\x01", "octets behind its map"),
    ],
)
def test_a_body_that_is_no_map_is_named(body: bytes, found: str) -> None:
    """Each with what it is and what was expected; the octets are not quoted."""
    with pytest.raises(ControlError) as caught:
        decoded([len(body).to_bytes(4, "big") + body])
    assert (caught.value.what, caught.value.found) == ("frame", found)
    assert caught.value.expected == "a map in msgpack with text for keys"


def test_a_message_that_is_too_long_is_not_encoded() -> None:
    """The sender is told, not its peer."""
    with pytest.raises(ControlError, match="ask for less at once"):
        encode_frame({"text": "x" * BYTES_MAX}, BYTES_MAX)


def test_numbers_of_numpy_travel_as_plain_ones() -> None:
    """Answers are taken from columns; other objects have no place in a frame."""
    sent = {"metric": np.float64(1.5), "sa": np.uint32(7), "ready": np.bool_(1)}
    assert decoded([encode_frame(sent, BYTES_MAX)]) == [{"metric": 1.5, "sa": 7, "ready": True}]
    with pytest.raises(TypeError, match="found a object, expected plain values"):
        encode_frame({"x": object()}, BYTES_MAX)


@pytest.mark.parametrize("version", [0, 2, 99, True, 1.0, "1", None])
def test_another_version_is_refused_and_said(version: object) -> None:
    """The request's id is kept, so that its sender finds the refusal."""
    message = {"v": version, "id": 7, "command": "status"}
    with pytest.raises(ControlError, match="expected version 1; use saactors of the same release"):
        request_of(message)
    assert id_of(message) == 7


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"id": 0}, "id"),
        ({"id": ID_MAX + 1}, "id"),
        ({"id": True}, "id"),
        ({"id": None}, "id"),
        ({"command": 3}, "command"),
        ({"command": "x" * 65}, "command"),
        ({"arguments": [1]}, "arguments"),
    ],
)
def test_a_request_names_what_is_wrong_with_it(changed: dict[str, object], what: str) -> None:
    """One error each, about the key in question."""
    with pytest.raises(ControlError) as caught:
        request_of({"v": 1, "id": 1, "command": "status", "arguments": {}} | changed)
    assert caught.value.what == what


def test_a_request_shows_no_arguments() -> None:
    """Keys are among them (law 10)."""
    request = request_of({"v": 1, "id": 3, "command": "sa.add", "arguments": {"key": "0x1234"}})
    assert repr(request) == "Request(id=3, command='sa.add')"


def test_refusals_carry_their_error() -> None:
    """All four fields come back; one that is no error of ours is still told."""
    sent = ControlError("slots", "0", "1 or more", "give more")
    check_version(reply(1, {}))
    got = error_of(refusal(4, sent))
    assert (got.what, got.found, got.expected, got.mend) == ("slots", "0", "1 or more", "give more")
    assert str(got) == "slots: found 0, expected 1 or more; give more"
    assert str(error_of({"error": 3})) == "refused without a reason"
