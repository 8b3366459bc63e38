"""The page about gateways is true: its tables, its names, and the example that a reader pastes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from saactors.gateway.ports.port import SLOT_BYTES
from saactors.gateway.ports.sockets import RECEIVE_BUFFER_BYTES
from saactors.gateway.reload import _FIXED  # the page has to name them all
from saactors.gateway.reserved_sequences import BLOCK
from saactors.model.verdicts import Verdict
from saactors.scenario.gateway_checks import _KEYS  # which keys a kind of port has
from saactors.scenario.gateway_tables import FollowedKeys, Live, Port, Settings, Web
from saactors.scenario.load import load_gateway
from saactors.scenario.tables import Table

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "gateway.md").read_text(encoding="utf-8")
EXAMPLE = CHECKOUT / "examples" / "gateway.toml"
PATIENCE_S = 300  # what is not compiled yet is compiled then
READY = """
until [ "$(grep -c '"event": "ready"' log)" = 2 ]; do
    [ "$(jobs -pr | wc -l)" = 2 ] || exit 1
    sleep 0.1
done
"""


def section(title: str) -> str:
    """A section of the page, from its heading to the next."""
    _, _, rest = PAGE.partition(f"\n## {title}\n")
    assert rest, f"the page has a section {title}"
    return rest.partition("\n## ")[0]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of a section's tables by the keys in their first cells."""
    found = {}
    for line in section(title).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells[1:])
    return found


@pytest.mark.parametrize(
    ("title", "table"),
    [
        ("`[gateway]`", Settings),
        ("`[web]`", Web),
        ("`[follow_keys]`", FollowedKeys),
    ],
)
def test_a_table_has_its_keys_and_no_others(title: str, table: type[Table]) -> None:
    """A key that is added somewhere is missed here."""
    assert set(rows(title)) == set(table.model_fields)


def test_the_file_has_its_tables_and_no_others() -> None:
    """Replays' options are named as what a gateway refuses."""
    assert set(rows("The file")) == set(Live.model_fields) - {"replay"}


def test_every_kind_of_port_has_its_keys_and_no_others() -> None:
    """The keys that all have stand in a table of their own."""
    documented: dict[str, set[str]] = {kind: set() for kind in _KEYS}
    text = section("`[[ports]]`")
    for kinds, key in re.findall(r"^\| ([a-z, ]+) \| `(\w+)` \|", text, re.MULTILINE):
        for kind in kinds.split(", "):
            if kind in documented:
                documented[kind].add(key)
    assert documented == {kind: {*must, *may} for kind, (must, may) in _KEYS.items()}
    of_all = set(rows("`[[ports]]`"))
    assert of_all == set(Port.model_fields) - {key for keys in documented.values() for key in keys}


@pytest.mark.parametrize(
    ("title", "table"),
    [("`[gateway]`", Settings), ("`[web]`", Web), ("`[follow_keys]`", FollowedKeys)],
)
def test_defaults_are_the_codes(title: str, table: type[Table]) -> None:
    """Figures and paths that stand in the page and in the code."""
    documented = rows(title)
    for name, field in table.model_fields.items():
        told = documented[name][1].replace("\u202f", "").replace(" ", "").strip('`"')
        if field.is_required():
            assert told == "required"
        elif field.default is not None:
            assert told == str(field.default).lower()


def test_figures_are_the_codes() -> None:
    """Those in the text."""
    assert f"more than {SLOT_BYTES} bytes" in PAGE
    assert f"{RECEIVE_BUFFER_BYTES:,}".replace(",", " ") in section("`[[ports]]`")
    assert f"{BLOCK:,}".replace(",", " ") in section("The state folder")


def test_what_needs_a_restart_is_named() -> None:
    """All that a reload compares and cannot apply."""
    row = next(line for line in section("Signals").splitlines() if "need a restart" in line)
    assert set(re.findall(r"`(\w+)`", row)) == set(_FIXED)


def test_reasons_of_drops_are_those_of_the_code() -> None:
    """A reader searches for them in `ctl status`."""
    labels = {verdict.label for verdict in Verdict}
    assert set(rows("Overload")) <= labels
    for name in ("no_sa_yet", "not_esp", "unknown_spi", "send_refused", "packet_too_big"):
        assert name in labels
        assert f"`{name}`" in PAGE


def test_links_lead_somewhere() -> None:
    """Files beside the page, and headings in it."""
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        if link.startswith("#"):
            assert link[1:] in headings
        else:
            assert (CHECKOUT / "docs" / link).exists()


def test_the_example_file_has_every_table() -> None:
    """Whoever copies it begins with something that works."""
    gateway = load_gateway(EXAMPLE)
    assert gateway.model_fields_set == set(Live.model_fields) - {"replay", "seed"}
    assert {policy.sa is None for policy in gateway.policies} == {True, False}


def test_the_command_takes_the_example_file() -> None:
    """As a user would ask before a start."""
    words = [sys.executable, "-m", "saactors", "run", "--check", str(EXAMPLE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "a gateway with 2 SAs; ports: inside tun, outside udp, outside esp" in done.stdout


def why_not() -> str:
    """What this machine lacks for the page's example."""
    missing = [name for name in ("ip", "ping", "openssl", "unshare") if shutil.which(name) is None]
    if missing:
        return f"there is no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "it has to be root, to make network namespaces"
    return "" if Path("/dev/net/tun").exists() else "there is no /dev/net/tun"


@pytest.mark.slow
def test_the_two_gateways_of_the_page_work(tmp_path: Path) -> None:
    """Pasted as it stands, but for a wait until both are ready: pings arrive, both end well.

    Its namespaces get their names in a /run of their own, so that they clash with nobody's and go
    with the script.
    """
    if reason := why_not():
        pytest.skip(reason)
    begin, use, end = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    script = f"set -e\nmount -t tmpfs none /run\n{begin}{READY}{use}{end}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--net", "bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
    logged = (tmp_path / "log").read_text()
    assert process.returncode == 0, told + logged
    assert "3 received" in told
    assert "2 of 2 SAs" in told
    assert "SA 0x00001012 (sent)" in told
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    ends = [line for line in lines if line["event"] == "ended"]
    assert [(line["drained"], line["left_inside"]) for line in ends] == [(True, 0)] * 2
