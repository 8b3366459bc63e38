"""The keys of ``saactors top``: what a terminal sends, and what each changes in the view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from saactors.cli.top_screen import View

SORT_KEYS: Final[Mapping[str, str]] = {
    "p": "packets_per_s",
    "b": "bits_per_s",
    "m": "metric",
    "s": "saved_ns",
    "v": "moves",
    "i": "spi",
}
QUIT: Final = "q"
_WHERE: Final = (None, "nic", "software", "loading")
_SEARCH_CHARACTERS_MAX: Final = 100  # as the gateway has it

# What follows ESC [ or ESC O, as xterm and the Linux console send it.
_SEQUENCES: Final = {
    "A": "up", "B": "down", "H": "home", "F": "end", "1~": "home", "4~": "end",
    "5~": "page up", "6~": "page down", "7~": "home", "8~": "end",
}  # fmt: skip
_CONTROLS: Final = {"\r": "enter", "\n": "enter", "\x7f": "erase", "\x08": "erase", "\x15": "clear"}


class KeyReader:
    """Turns octets from a terminal into keys: characters, or names such as ``page up``."""

    def __init__(self) -> None:
        self._rest = b""

    def keys(self, octets: bytes) -> Iterator[str]:
        """The keys that are whole; what is cut off waits for more."""
        text = (self._rest + octets).decode(errors="ignore")
        self._rest = b""
        while text:
            if text[:2] in {"\x1b[", "\x1bO"}:
                ends = (place for place, sign in enumerate(text[2:], 2) if "@" <= sign <= "~")
                end = next(ends, None)
                if end is None:
                    self._rest = text.encode()
                    return
                key = _SEQUENCES.get(text[2 : end + 1], "")
                text = text[end + 1 :]
            else:
                key = "escape" if text[0] == "\x1b" else _CONTROLS.get(text[0], text[0])
                text = text[1:]
            if key and (len(key) > 1 or key.isprintable()):
                yield key


def changed(view: View, key: str, rows: int, matched: int) -> View:
    """The view after a key; ``rows`` are on the screen, of ``matched`` SAs."""
    if view.typing:
        return _typed(view, key)
    if key in SORT_KEYS:
        return replace(view, sort=SORT_KEYS[key], descending=key != "i", offset=0)
    moved = {
        "up": view.offset - 1,
        "down": view.offset + 1,
        "page up": view.offset - rows,
        "page down": view.offset + rows,
        " ": view.offset + rows,
        "home": 0,
        "end": matched,
    }
    if key in moved:
        return within(replace(view, offset=moved[key]), rows, matched)
    match key:
        case "r":
            return replace(view, descending=not view.descending, offset=0)
        case "w":
            following = _WHERE[(_WHERE.index(view.where) + 1) % len(_WHERE)]
            return replace(view, where=following, offset=0)
        case "/":
            return replace(view, typing=True)
        case "escape":
            return replace(view, search="", where=None, offset=0)
        case _:
            return view


def within(view: View, rows: int, matched: int) -> View:
    """Scrolled no further than to the last SA."""
    return replace(view, offset=max(0, min(view.offset, matched - rows)))


def _typed(view: View, key: str) -> View:
    match key:
        case "enter":
            return replace(view, typing=False)
        case "escape":
            return replace(view, typing=False, search="", offset=0)
        case "erase":
            return replace(view, search=view.search[:-1], offset=0)
        case "clear":
            return replace(view, search="", offset=0)
        case _ if len(key) == 1 and len(view.search) < _SEARCH_CHARACTERS_MAX:
            return replace(view, search=view.search + key, offset=0)
        case _:
            return view
