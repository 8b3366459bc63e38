"""``saactors rules``: one rule, a check of it; and a rule of one's own in every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = f"{CHECKOUT}/examples/rules/frequent.py:frequent"
BROKEN = f"{CHECKOUT}/tests/lab/broken_rules.py"
DEMO = CHECKOUT / "demo" / "traffic.pcap.gz"
SYNTH = "synth:zipf,packets=3000,sas=60"

Run = Callable[..., Any]


@pytest.fixture
def beside_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example's file in ``rules/``; commands run in another one."""
    folder = tmp_path / "project"
    (folder / "rules").mkdir(parents=True)
    text = (CHECKOUT / "examples" / "rules" / "frequent.py").read_text(encoding="utf-8")
    (folder / "rules" / "frequent.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


def test_one_rule_is_shown_by_its_name(run: Run) -> None:
    """As it stands in the list, and nothing else."""
    shown = run("rules", "metric").out
    assert shown.startswith("metric\n  Loads an SA once its metric leads")
    assert shown in run("rules").out
    assert "never" not in shown


def test_a_rule_of_ones_own_is_shown_like_any_other(run: Run) -> None:
    """With its parameter, its default and the reason."""
    shown = run("rules", EXAMPLE).out
    assert shown.startswith(f"{EXAMPLE}\n")
    assert "  chances = 3  [rounds]\n      two bits of a counter" in shown


def test_an_unknown_rule_gets_a_suggestion(run: Run) -> None:
    """One line and status 2, whether it is to be shown or checked."""
    for arguments in (("rules", "lruu"), ("rules", "check", "lruu")):
        ran = run(*arguments)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("saactors: rule: found 'lruu', expected one of metric, never")
        assert ran.err.endswith("did you mean lru?\n")


def test_help_says_that_a_rule_may_be_named_and_checked(run: Run) -> None:
    """In the usage line."""
    assert "Usage: saactors rules [OPTIONS] [NAME | check NAME]\n" in run("rules", "--help").out
    assert "--seed" in run("rules", "check", "--help").out


@pytest.mark.slow
def test_a_check_prints_a_line_for_each_law(run: Run) -> None:
    """All kept but the last one, which is a figure; status 0."""
    ran = run("rules", "check", EXAMPLE, "--seed", 1)
    assert (ran.status, ran.err) == (0, "")
    *kept, time = ran.out.splitlines()
    assert len(kept) == 11
    assert {line[:8] for line in kept} == {"ok      "}
    assert time.startswith("-       time for a packet: ")
    assert time.endswith("× that of metric")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("misspelt", "its functions compile: Field 'lst' was not found in record"),
        ("raising", "its functions run, and stay within their arrays: ZeroDivisionError"),
        ("hasty", "loads under way are no more than the card takes: 3 under way, at most 2"),
    ],
)
def test_a_broken_rule_is_one_clear_line(run: Run, rule: str, told: str) -> None:
    """Status 1, no traceback, and what rests on it is not tried."""
    ran = run("rules", "check", f"{BROKEN}:{rule}")
    assert (ran.status, ran.err) == (1, "")
    failed = [line for line in ran.out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert failed[0].startswith(f"FAILED  {told}")
    assert "-       it decides the same twice: not tried\n" in ran.out


@pytest.mark.slow
def test_the_example_can_be_compared_as_its_file_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path from where the command runs, with its parameter set."""
    monkeypatch.chdir(CHECKOUT)
    name = "examples/rules/frequent.py:frequent"
    rules = ("--rules", f"metric,{name}", "--set", f"{name}.chances=5", "--slots", 16)
    metric, frequent = run("compare", DEMO, *rules, "--json").result
    assert (metric["rule"], frequent["rule"]) == ("metric", name)
    assert frequent["parameters"] == {"chances": 5}
    assert 50 < frequent["saving_percent"] < 100
    found = run("size", DEMO, "--rules", name, "--slots", "4,16", "--json").result
    assert list(found["sizes"][0]["rules"]) == [name]


@pytest.mark.slow
def test_a_scenario_names_a_rule_beside_itself(
    run: Run, office_capture: Path, beside_rules: Path
) -> None:
    """Its path is relative to the scenario; the command line's is relative to the command."""
    (beside_rules / "run.toml").write_text(
        '[rule]\nname = "rules/frequent.py:frequent"\nchances = 7\n', encoding="utf-8"
    )
    replay = ("replay", office_capture, "--crypto", "none", "--json")
    used = run(*replay, "--scenario", "project/run.toml").result["rule"]
    assert used["name"] == "project/rules/frequent.py:frequent"
    assert used["parameters"] == {"chances": 7}
    rule = ("--rule", "project/rules/frequent.py:frequent")
    assert run(*replay, *rule).result["rule"]["parameters"] == {"chances": 3}
    both = run(*replay, *rule, "--scenario", "project/run.toml").result["rule"]
    assert both["parameters"] == {"chances": 7}


@pytest.mark.slow
def test_what_tune_writes_names_the_rule_as_seen_from_there(
    run: Run, office_capture: Path, beside_rules: Path
) -> None:
    """So the scenario is good wherever the command runs."""
    rule = ("--rule", "project/rules/frequent.py:frequent", "--slots", 4)
    search = ("--search", "chances=1..9", "--trials", 3, "--output", beside_rules / "tuned.toml")
    assert run("tune", SYNTH, *rule, *search).status == 0
    assert 'name = "rules/frequent.py:frequent"' in (beside_rules / "tuned.toml").read_text()
    replay = ("replay", office_capture, "--crypto", "none", "--json")
    used = run(*replay, "--scenario", "project/tuned.toml").result["rule"]
    assert used["name"] == "project/rules/frequent.py:frequent"


@pytest.mark.slow
def test_a_study_names_rules_beside_itself_and_runs_them_anew_when_they_change(
    run: Run, beside_rules: Path
) -> None:
    """A cell's result depends on the content of the file, not on where it stands."""
    study = beside_rules / "study.toml"
    study.write_text(
        f'traces = ["{SYNTH}"]\nslots = [6]\n[[rules]]\nname = "metric"\n'
        '[[rules]]\nname = "rules/frequent.py:frequent"\nchances = [1, 4]\n',
        encoding="utf-8",
    )
    sweep = ("sweep", study, "--workers", 0)
    assert "3 of 3 cells finished, 0 of them before" in run(*sweep).out
    assert "3 of 3 cells finished, 3 of them before" in run(*sweep).out
    file = beside_rules / "rules" / "frequent.py"
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert "3 of 3 cells finished, 1 of them before" in run(*sweep).out


def test_a_scenario_whose_rule_is_not_there_says_where_it_looked(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """Under the key that named it."""
    scenario = tmp_path / "run.toml"
    scenario.write_text('[rule]\nname = "none.py:mine"\n', encoding="utf-8")
    ran = run("replay", office_capture, "--scenario", scenario)
    told = f"{tmp_path}/none.py: No such file or directory"
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"saactors: {scenario}: rule.name: found ")
    assert ran.err.endswith(f"expected a file that can be read: {told}\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "replay"])
def test_a_rule_that_does_not_compile_is_one_line_in_every_command(
    run: Run, office_capture: Path, command: str
) -> None:
    """Numba's pages of text are not for whoever wrote the rule."""
    option = {"compare": "--rules", "replay": "--rule"}[command]
    ran = run(command, office_capture, option, f"{BROKEN}:misspelt")
    assert (ran.status, ran.out) == (2, "")
    told = "expected functions that Numba can compile; Field 'lst' was not found in record"
    assert told in ran.err.splitlines()[0]


def test_json_of_a_rule_in_a_file_is_plain(run: Run) -> None:
    """A rule of one's own has no name that JSON could not hold."""
    ran = run("compare", SYNTH, "--rules", EXAMPLE, "--slots", 6, "--json")
    assert json.loads(ran.out)[0]["rule"] == EXAMPLE
