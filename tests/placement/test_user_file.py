"""Rules of one's own: found by file and name, read anew when changed, refused in one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saactors.errors import ParameterError
from saactors.model.compiled import compiled
from saactors.placement.cost import CostModel
from saactors.placement.entry import RuleEntry
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.table import RULES, make_rule, read_parameters, rule_entry
from saactors.placement.user_file import beside, file_digest, is_in_file, seen_from

COST = CostModel(2000.0, 0.0, 800.0, 0.0, 3000.0)

SOUND = '''"""Replaces whoever
came first.

More than anybody wants to know.
"""
from dataclasses import dataclass
from saactors.model.compiled import compiled
from saactors.placement.entry import policy_entry
from saactors.placement.policies.lru import LRU
from saactors.placement.policy import Policy
from saactors.placement.policy_parameters import PolicyParameters, number

@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters(PolicyParameters):
    patience: int = number(3, "rounds", "three is enough", least=1)

@compiled
def nobody(table, sa, now_ns):
    return -1

mine = LRU._replace(victim=nobody)
yours = policy_entry("yours", "Waits.\\nAnd loads.", "a book", mine, Parameters)
seven = 7
'''

Write = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Write a file of rules and name one in it; the file is later than any before it."""
    turn = 0

    def write(content: str, name: str = "mine", file: str = "rules.py") -> str:
        nonlocal turn
        turn += 1
        path = tmp_path / file
        path.write_text(content, encoding="utf-8")
        os.utime(path, ns=(turn * 10**9, turn * 10**9))
        return f"{path}:{name}"

    return write


def refusal_of(name: str) -> str:
    """What is expected of a name that is refused; it is always one line about the rule."""
    with pytest.raises(ParameterError) as refused:
        rule_entry(name)
    assert (refused.value.name, refused.value.found) == ("rule", name)
    assert "\n" not in str(refused.value)
    return refused.value.expected


def test_a_policy_becomes_a_rule_without_parameters(written: Write) -> None:
    """Its docstring's first paragraph says what it does, and its file is the source."""
    name = written(SOUND)
    entry = rule_entry(name)
    assert entry.summary == "Replaces whoever\ncame first."
    assert name == f"{entry.source}:mine"
    assert entry.parameters_type is PolicyParameters
    assert (entry.parameters, entry.clairvoyant) == ((), False)


def test_an_entry_is_taken_as_it_is(written: Write) -> None:
    """With its parameters, which are read as those of any rule."""
    name = written(SOUND, "yours")
    assert (rule_entry(name).summary, rule_entry(name).source) == ("Waits.\nAnd loads.", "a book")
    parameters = read_parameters(name, {"patience": 5}, COST)
    assert getattr(parameters, "patience", None) == 5
    with pytest.raises(ParameterError, match="patience: found 0, expected 1 or more"):
        read_parameters(name, {"patience": 0}, COST)


def test_a_rule_of_the_table_is_found_as_ever() -> None:
    """By the one function that resolves names."""
    assert rule_entry("lru") is RULES["lru"]
    assert [name for name in RULES if is_in_file(name)] == []


def test_halves_are_built_as_those_of_any_rule(written: Write) -> None:
    """The arbiter is empty, and has the slots that it was given."""
    rule = make_rule(written(SOUND), {}, 3, 2, COST)
    rule.arbiter.receive(5)
    assert (rule.arbiter.resident_count, rule.arbiter.loads_outstanding) == (0, 0)
    assert rule.name.endswith("rules.py:mine")


def test_a_file_is_read_once_and_anew_when_it_has_changed(written: Write) -> None:
    """However its path is spelt, and even if it changes within the same length."""
    name = written(SOUND)
    before = rule_entry(name)
    assert rule_entry(name) is before
    assert rule_entry(os.path.relpath(name)) is before
    digest = file_digest(name)
    written(SOUND.replace("whoever", "anybody"))
    assert rule_entry(name).summary == "Replaces anybody\ncame first."
    assert rule_entry(name) is not before
    assert file_digest(name) != digest


def test_two_files_with_one_name_do_not_meet(written: Write) -> None:
    """Neither as modules nor as compiled code."""
    one = rule_entry(written(SOUND, file="one.py"))
    other = rule_entry(written(SOUND.replace("return -1", "return 0"), file="other.py"))
    names = {code_name(entry) for entry in (one, other)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return -1", "return 0"),
        ("    return -1", "    return LIMITS[0]"),
        ("LIMITS = (1, 2)", "LIMITS = (1, 3)"),
        ("from saactors.model", "import numpy as np  # only a comment\nfrom saactors.model"),
    ],
)
def test_compiled_code_has_another_name_when_the_file_has_changed(
    written: Write, before: str, after: str
) -> None:
    """Or code on disk would go on doing what the file does not say any more."""
    start = SOUND.replace("@compiled\n", "LIMITS = (1, 2)\n\n@compiled\n", 1)
    assert before in start
    first = code_name(rule_entry(written(start)))
    assert code_name(rule_entry(written(start.replace(before, after)))) != first


def code_name(entry: RuleEntry) -> str:
    """The name under which Numba keeps what decides."""
    return str(getattr(entry.functions.decide, "__qualname__", ""))


def test_what_a_function_closes_over_is_part_of_its_name_on_disk() -> None:
    """Numba looks at that of a function itself, but not at that of those it calls."""

    def made(limit: int) -> str:
        def inner() -> int:
            return limit

        @compiled
        def outer() -> int:
            return inner()

        return str(outer.__qualname__)

    assert made(1) == made(1) != made(2)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    expected = refusal_of(f"{tmp_path}/none.py:mine")
    assert expected == f"a file that can be read: {tmp_path}/none.py: No such file or directory"
    (tmp_path / "folder.py").mkdir()
    assert refusal_of(f"{tmp_path}/folder.py:mine").endswith("Is a directory")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "are LRU, mine, yours"),
        ("yuors", "are LRU, mine, yours; did you mean yours?"),
        ("seven", "seven is of type int, and the rules in "),
        ("Parameters", "Parameters is of type type, and the rules in "),
    ],
)
def test_a_name_that_is_no_rule_is_answered_with_those_that_are(
    written: Write, name: str, expected: str
) -> None:
    """Also where the file is named alone."""
    told = refusal_of(written(SOUND, name).removesuffix(":"))
    assert expected in told
    assert "a Policy, or what policy_entry returns" in told


def test_a_file_without_rules_says_so(written: Write) -> None:
    """There is nothing to choose from."""
    assert refusal_of(written("x = 1")).endswith("rules.py has none")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x = 1\ny = 1 / 0\n", "rules.py, line 2: ZeroDivisionError: division by zero"),
        ("\n\ndef f(:\n", "rules.py, line 3: SyntaxError: invalid syntax"),
        ("import there_is_none\n", "rules.py, line 1: ModuleNotFoundError: No module named"),
        ("\nraise SystemExit(3)\n", "rules.py, line 2: SystemExit: 3"),
        ("def f():\n    raise ValueError('a\\nb')\nf()\n", "rules.py, line 2: ValueError: a b"),
    ],
)
def test_an_exception_in_the_file_is_one_line(written: Write, content: str, told: str) -> None:
    """Its type, what it says and where; the module is not kept."""
    modules = set(sys.modules)
    assert told in refusal_of(written(content))
    assert set(sys.modules) == modules


def test_a_function_that_is_not_compiled_is_named(written: Write) -> None:
    """With what to do about it."""
    told = refusal_of(written(SOUND.replace("@compiled\n", "")))
    assert told == "compiled functions; victim is nobody, put @compiled above its def"


def test_a_function_with_other_arguments_is_named(written: Write) -> None:
    """With the arguments that it should have."""
    told = refusal_of(written(SOUND.replace("(table, sa, now_ns)", "(table, sa)")))
    assert told == "victim(table, sa, now_ns); nobody takes 2 arguments"


def test_a_relative_path_is_seen_from_a_folder_and_back() -> None:
    """Names of the table, and absolute paths, are the same from everywhere."""
    assert beside("rules/mine.py:mine", Path("studies")) == "studies/rules/mine.py:mine"
    assert seen_from("studies/rules/mine.py:mine", Path("studies")) == "rules/mine.py:mine"
    assert seen_from("mine.py:mine", Path("studies")) == "../mine.py:mine"
    assert beside("/mine.py:mine", Path("studies")) == "/mine.py:mine"
    assert beside("lru", Path("studies")) == seen_from("lru", Path("studies")) == "lru"
    assert file_digest("lru") == ""


PLACED = """
import sys
from nicmodel.presets import HOST, PROFILES
from saactors.lab.run import run_rule
from saactors.lab.trace import lab_trace
from saactors.traces.synthetic.table import synthesise
trace = lab_trace(synthesise("zipf", {"packets": 500, "sas": 50}, 0))
print(len(run_rule(trace, sys.argv[1], {}, PROFILES["82599"], HOST).loads))
"""


def placed(name: str, cache: Path) -> tuple[str, str]:
    """What a process of its own prints that runs the rule: loads, or what went wrong."""
    done = subprocess.run(
        [sys.executable, "-c", PLACED, name],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), done.stderr.strip()[-300:]


@pytest.mark.slow
def test_code_on_disk_serves_a_file_that_was_moved_or_changed_in_its_comments(
    written: Write, tmp_path: Path
) -> None:
    """Numba imports the module by its name when it comes back to code on disk."""
    cache = tmp_path / "cache"
    first = placed(written(SOUND), cache)
    assert first == ("50", "")
    for content, file in ((SOUND, "other.py"), (SOUND + "# more\n", "rules.py")):
        assert placed(written(content, file=file), cache) == first
    assert placed(written(SOUND.replace("return -1", "return table.no"), "mine"), cache)[
        1
    ].endswith("Unknown attribute 'no' of type Table (rules.py, line 19)")
