"""``saactors ctl sa``: the SAs of a running gateway.

Keys come from a file or are typed where nobody sees them: whoever may list processes would read
them on a command line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from saactors.cli.ctl_ask import Answer, Asking, asks, call, given_of, shown_by
from saactors.cli.ctl_values import Spi

KEY_BYTES_MAX: Final = 4096
PIECE_BYTES_MAX: Final = 2 << 20  # as IMPORT_CHARACTERS_MAX, in a module that needs pydantic
FILE_BYTES_MAX: Final = 256 << 20  # /dev/zero is no file of SAs
_FILE: Final = click.Path(dir_okay=False, allow_dash=True)
_FORMATS: Final = click.Choice(["esp-sa", "ip-xfrm", "dpdk", "toml"])
_destination = click.option("--destination", metavar="ADDRESS", help="Where SAs share the SPI.")


@click.group()
def sa() -> None:
    """List, add, import, pin or delete SAs."""


@sa.command("list")
@click.argument("search", default="")
@click.option(
    "--sort",
    type=click.Choice(["packets_per_s", "bits_per_s", "metric", "packets", "bytes", "saved_ns",
                       "moves", "spi", "sa"]),
    default="packets_per_s",
    metavar="COLUMN",
    help="packets_per_s, bits_per_s, metric, packets, bytes, saved_ns, moves, spi or sa. "
         "[packets_per_s]",
)  # fmt: skip
@click.option("--ascending", is_flag=True, help="Least first.")
@click.option("--direction", type=click.Choice(["out", "in"]), help="Only of this one.")
@click.option(
    "--where", type=click.Choice(["software", "loading", "nic"]), help="Only those there."
)
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many. [0]")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many. [100]")
@asks()
def sa_list(asking: Asking, ascending: bool, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Show SAs, busiest first, or those with SEARCH in name, SPI or ends."""
    asking.ask("sa.list", given_of(descending=not ascending, **given), shown_by("sa_list"))


@sa.command("show")
@click.argument("spi", type=Spi())
@_destination
@asks()
def sa_show(asking: Asking, spi: int, destination: str | None) -> None:
    """Show one SA in full, without its keys."""
    asking.ask("sa.show", given_of(spi=spi, destination=destination), shown_by("sa_show"))


@sa.command("add")
@click.argument("spi", type=Spi())
@click.option("--direction", type=click.Choice(["out", "in"]), required=True)
@click.option("--suite", required=True, metavar="SUITE", help="Such as aes-gcm-128.")
@click.option(
    "--key-file", type=_FILE, help="Key and salt in hexadecimal; - reads them. [asked for]"
)
@click.option("--integrity-key-file", type=_FILE, help="The HMAC's key likewise.")
@click.option("--mode", type=click.Choice(["tunnel", "transport"]), help="[tunnel]")
@click.option("--source", metavar="ADDRESS", help="Outer source.")
@click.option("--destination", metavar="ADDRESS", help="Outer destination.")
@click.option("--source-port", type=click.IntRange(1, 65535), help="Of ESP in UDP.")
@click.option("--destination-port", type=click.IntRange(1, 65535), help="Of ESP in UDP.")
@click.option("--extended-sequence", is_flag=True, default=None, help="64-bit sequence numbers.")
@click.option("--first-sequence", type=click.IntRange(min=1), help="[1]")
@click.option("--name", help="[made from the SPI]")
@click.option(
    "--protect", nargs=2, multiple=True, metavar="SOURCE DESTINATION",
    help="Traffic between these prefixes is for this SA; may be repeated.",
)  # fmt: skip
@asks(changes=True)
def sa_add(
    asking: Asking, suite: str, key_file: str | None, integrity_key_file: str | None,
    protect: tuple[tuple[str, str], ...], **given: Any,  # noqa: ANN401 - the options above
) -> None:  # fmt: skip
    """Add an SA. Its keys come from files or are asked for, never from here.

    'saactors sas' and docs/suites.md tell of suites; a key is followed by the suite's salt.
    """
    if key_file == integrity_key_file == "-":
        raise click.UsageError("only one of both keys can come from standard input")
    has_hmac, has_cipher = "hmac" in suite, not suite.startswith("null")
    secrets = {
        "key": _key("--key-file", "Key", key_file, wanted=has_cipher),
        "integrity_key": _key(
            "--integrity-key-file", "Integrity key", integrity_key_file, wanted=has_hmac
        ),
    }
    policies = [{"source": source, "destination": target} for source, target in protect] or None
    arguments = given_of(suite=suite, policies=policies, **secrets, **given)

    def told(answer: Answer) -> str:
        return f"SA {answer['spi']:#010x} added as {answer['name']}"

    asking.tell("sa.add", arguments, told)


@sa.command("delete")
@click.argument("spi", type=Spi())
@_destination
@asks(changes=True)
def sa_delete(asking: Asking, spi: int, destination: str | None) -> None:
    """Delete an SA, once what is under way with it has left."""
    arguments = given_of(spi=spi, destination=destination)
    asking.tell("sa.delete", arguments, lambda answer: f"SA {answer['spi']:#010x} deleted")


@sa.command("pin")
@click.argument("spi", type=Spi())
@click.argument("where", type=click.Choice(["nic", "software", "auto"]))
@_destination
@asks(changes=True)
def sa_pin(asking: Asking, spi: int, where: str, destination: str | None) -> None:
    """Keep an SA on the card or in software; auto: by the rule."""

    def told(answer: Answer) -> str:
        is_free = answer["pinned"] == "auto"
        pinned = "placed by the rule" if is_free else f"pinned to {answer['pinned']}"
        return f"SA {answer['spi']:#010x} {pinned}, now: {answer['where']}"

    arguments = given_of(spi=spi, where=where, destination=destination)
    asking.tell("sa.pin", arguments, told)


@sa.command("import")
@click.argument("file", type=_FILE)
@click.option("--from", "source", type=_FORMATS, help="What FILE is. [told by its first line]")
@click.option(
    "--direction", type=click.Choice(["out", "in"]), default="out",
    help="Of SAs whose file does not say. [out]",
)  # fmt: skip
@asks(changes=True)
def sa_import(asking: Asking, file: str, source: str | None, direction: str) -> None:
    """Add the SAs of FILE; - reads standard input.

    FILE is Wireshark's esp_sa, what 'ip xfrm state' prints, a configuration of DPDK's
    ipsec-secgw, or a scenario in TOML. Only its text is sent: the gateway does not read FILE.
    """
    pieces = _pieces(_text_of("FILE", file, FILE_BYTES_MAX), source)

    def change(path: str) -> Answer:
        total: Answer = {"added": 0, "replaced": 0, "skipped": []}
        for piece in pieces:
            arguments = given_of(text=piece, format=source, direction=direction)
            answer = call(path, "sa.import", arguments)
            total = {name: total[name] + answer[name] for name in total}
        return total

    asking.tell_by(change, _imported)


def _imported(answer: Answer) -> str:
    skipped = answer["skipped"]
    lines = [f"{answer['added']} added, {answer['replaced']} replaced, {len(skipped)} skipped"]
    return "\n  ".join([*lines, *(f"{each['what']}: {each['why']}" for each in skipped)])


def _pieces(text: str, kind: str | None) -> list[str]:
    """The text in requests of a size; lines of an esp_sa table stand alone, no others."""
    if len(text.encode()) <= PIECE_BYTES_MAX:
        return [text]
    lines = text.splitlines(keepends=True)
    first = next((line.lstrip() for line in lines if line.strip() and line[0] != "#"), "")
    if kind not in {None, "esp-sa"} or not first.startswith('"'):
        stated = f"found {len(text):,} characters, expected at most {PIECE_BYTES_MAX:,}"
        raise click.UsageError(f"FILE: {stated}; import it in parts, or as esp-sa")
    pieces: list[list[str]] = [[]]
    size = 0
    for line in lines:
        size += len(line.encode())
        if size > PIECE_BYTES_MAX:
            pieces.append([])
            size = len(line.encode())
        pieces[-1].append(line)
    return ["".join(piece) for piece in pieces]


def _key(option: str, name: str, file: str | None, *, wanted: bool) -> str | None:
    """A key as its user gave it, less spaces and line ends."""
    if file is not None:
        return "".join(_text_of(option, file, KEY_BYTES_MAX).split())
    if not wanted:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing; name a file, or - for standard input")
    typed: str = click.prompt(f"{name} in hexadecimal", hide_input=True, err=True)
    return "".join(typed.split())


def _text_of(name: str, file: str, bytes_max: int) -> str:
    """The text of a file or of standard input; what is wrong with it is said without quoting it."""
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(file).open("rb") as opened:
                octets = opened.read(bytes_max + 1)
        text = octets.decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} {file}: found no text in UTF-8") from None
    except OSError as problem:
        raise click.UsageError(f"{name} {file}: cannot be read: {problem.strerror}") from None
    if len(octets) > bytes_max:
        raise click.UsageError(f"{name} {file}: found more than {bytes_max:,} bytes")
    return text
