"""Shell completion: what a shell offers after Tab, also of the gateway that runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., Any]
SCRIPTS = Path(sys.executable).parent  # where the command itself is

# Calls the function that the script has registered, as readline does, and prints what it offers.
PRESS_TAB = """
eval "$(saactors completion bash)"
function=$(complete -p saactors); function=${function##*-F }; function=${function%% *}
read -ra COMP_WORDS <<< "$1"
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { local IFS=" "; echo "compopt $*"; }
"$function" saactors "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(line: str, **environment: str) -> list[str]:
    """What bash offers for a command line that ends where Tab is pressed."""
    bash = shutil.which("bash")
    assert bash is not None
    paths = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [bash, "--norc", "-c", PRESS_TAB, "bash", line],
        env=os.environ | {"PATH": paths} | environment,
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ran.stderr == ""
    return ran.stdout.split("\n")[:-1]


def test_bash_completes_commands_that_are_imported_when_used() -> None:
    """All of them, and those inside of them; options by their first letters."""
    assert {"replay", "ctl", "completion"} <= set(offered("saactors "))
    assert offered("saactors c") == ["compare", "ctl", "completion"]
    assert offered("saactors ctl sa p") == ["pin"]
    assert offered("saactors ctl sa list --so") == ["--sort", "--socket"]
    assert offered("saactors ctl sa pin 0x1000 n") == ["nic"]
    assert offered("saactors completion ") == ["bash", "zsh", "fish"]
    assert offered("saactors ctl sa import ") == ["compopt -o default", ""]  # bash's own file names


@pytest.mark.parametrize(
    "command", ["explain", "sa show", "sa delete", "sa pin", "trace add --spi"]
)
def test_bash_completes_spis_of_the_running_gateway(gateway: Any, command: str) -> None:
    """As the tables have them, or without the zeros in front."""
    assert offered(f"saactors ctl {command} ") == ["0xc0ffee01", "0x00001000"]
    assert offered(f"saactors ctl {command} 0xc0f") == ["0xc0ffee01"]
    assert offered(f"saactors ctl {command} 0x1") == ["0x1000"]
    assert gateway.asked[1] == ("sa.list", {"limit": 200, "search": "c0f"})


def test_bash_completes_rules_and_their_parameters(gateway: Any) -> None:
    """The rules of the gateway, and the values in use of the rule that it has."""
    assert offered("saactors ctl rule set ") == ["metric", "never"]
    assert offered("saactors ctl rule set n") == ["never"]
    assert offered("saactors ctl rule set metric de") == ["decay=factor:0.9"]
    assert offered("saactors ctl rule set never de") == [""]
    assert gateway.asked


def test_the_gateway_is_the_one_that_the_line_names(
    gateways: Callable[..., Any], tmp_path: Path
) -> None:
    """By --socket or --to, at the group or at the command."""
    (named,) = gateways("named")
    nowhere = {"SAACTORS_SOCKET": str(tmp_path / "no.sock")}
    path = shlex.quote(named.path)
    for line in (
        f"saactors ctl --socket {path} explain 0xc",
        f"saactors ctl explain --socket {path} 0xc",
        f"saactors ctl sa pin --to {path} 0xc",
    ):
        assert offered(line, **nowhere) == ["0xc0ffee01"]


def test_without_a_gateway_nothing_is_offered_and_nothing_said(tmp_path: Path) -> None:
    """Nobody wants an error between the letters of a command line."""
    nowhere = {"SAACTORS_SOCKET": str(tmp_path / "no.sock")}
    assert offered("saactors ctl explain 0x", **nowhere) == [""]
    assert offered("saactors ctl rule set ", **nowhere) == [""]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("bash", ["_SAACTORS_COMPLETE=bash_complete", "complete -o nosort -F "]),
        ("zsh", ["#compdef saactors\n", "_SAACTORS_COMPLETE=zsh_complete", "compdef "]),
        ("fish", ["_SAACTORS_COMPLETE=fish_complete", "complete --no-files --command saactors"]),
    ],
)
def test_every_shell_gets_a_script_that_it_understands(
    run: Run, shell: str, expected: list[str], tmp_path: Path
) -> None:
    """Where the shell is not installed its grammar is not tried."""
    ran = run("completion", shell)
    assert (ran.status, ran.err) == (0, "")
    for text in expected:
        assert text in ran.out
    program = shutil.which(shell)
    if program is not None:
        (tmp_path / "script").write_text(ran.out)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True, timeout=20)


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", "plain\n0xc0ffee01\nout 198.51.100.7\nplain\n0x00001000\nin \n"),
        ("fish", "plain,0xc0ffee01\tout 198.51.100.7\nplain,0x00001000\tin \n"),
    ],
)
def test_other_shells_get_spis_with_a_word_about_each(
    gateway: Any, shell: str, expected: str
) -> None:
    """The lines that their scripts read; the shells themselves are not needed for it."""
    words = {"COMP_WORDS": "saactors ctl explain ", "COMP_CWORD": "3" if shell == "zsh" else ""}
    asked = {"_SAACTORS_COMPLETE": f"{shell}_complete"}
    program = SCRIPTS / "saactors"
    ran = subprocess.run(
        [program], env=os.environ | words | asked, capture_output=True, text=True, check=False
    )
    assert ran.stdout.replace("\n\n", "\n") == expected
    assert gateway.asked


def test_an_unknown_shell_is_refused(run: Run) -> None:
    """With those there are."""
    ran = run("completion", "tcsh")
    assert ran.status == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.err
