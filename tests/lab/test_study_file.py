"""Study files: what they may say, and the one error that lists everything wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from saactors.errors import ScenarioError
from saactors.lab.study_checks import columns_of
from saactors.lab.study_file import load_study
from saactors.lab.study_tables import QuestionTable, Study, combinations

CHECKOUT = Path(__file__).parents[2]
REFERENCE = (CHECKOUT / "docs" / "tuning.md").read_text(encoding="utf-8")

MINIMAL = """
traces = ["synth:zipf,sas=50,packets=1000"]
[[rules]]
name = "metric"
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Study]:
    """Read a study from text."""

    def load(text: str) -> Study:
        path = tmp_path / "study.toml"
        path.write_text(text, encoding="utf-8")
        return load_study(path)

    return load


def test_a_trace_and_a_rule_are_enough(load: Callable[[str], Study]) -> None:
    """Everything else has the defaults of ``saactors compare``."""
    study = load(MINIMAL)
    assert study.profiles == ("82599",)
    assert study.slots == ()
    assert study.seeds == (0,)
    assert study.optimum == "prefetch"
    assert (study.burst, study.burst_wait_us) == (256, 50)


def test_arrays_are_combined_with_each_other() -> None:
    """In the order of the file, the last one fastest; a single value stands for itself."""
    found = list(combinations({"a": [1, 2], "b": "x", "c": [True, False]}))
    assert found[0] == {"a": 1, "b": "x", "c": True}
    assert found[1] == {"a": 1, "b": "x", "c": False}
    assert len(found) == 4
    assert list(combinations({})) == [{}]


@pytest.mark.parametrize(
    "path", sorted((CHECKOUT / "examples" / "studies").glob("*.toml")), ids=str
)
def test_every_example_is_a_study(path: Path) -> None:
    """With questions whose columns there are."""
    assert load_study(path).questions


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("slot = [3]", "slot: unknown key; did you mean 'slots'?"),
        ("seeds = 3", "seeds: found 3, expected an array of seeds"),
        ("seeds = [-1]", "seeds[0]: found -1, expected"),
        ('profiles = ["8259"]', "profiles[0]: found '8259', expected one of '82599'"),
        ("slots = [0]", "slots[0]: found 0, expected a whole number above 0, or a percentage"),
        ('slots = ["5"]', "slots[0]: found '5'"),
        ('optimum = "best"', "optimum: found 'best', expected 'prefetch', 'demand', 'ticks'"),
        ("burst = 300", "burst: found 300, expected a whole number of packets from 1 to 256"),
        ("[card]\nload_host = 3", "card.load_host: unknown key; did you mean 'load_host_ns'?"),
        ("[card]\nload_host_ns = [5, -1]", "card.load_host_ns: found -1, expected"),
        ("[card]\nload_host_ns = []", "card.load_host_ns: found an array of 0"),
        ("[card]\nslots_max = 3", "card.slots_max: set by slots"),
        ("[host]\nsoftware_packet_ns = 'x'", "host.software_packet_ns: found 'x', expected"),
        ("[[rules]]\nname = 'metrc'", "rules[1].name: found 'metrc', expected one of"),
        ("[[rules]]\nthreshold = 3", "rules[1].name: missing"),
        ("[[rules]]\nname = 'metric'\ntreshold = 3", "did you mean 'threshold'?"),
        ("[[rules]]\nname = 'metric'\ndecay = ['factor:2']", "rules[1].decay: found 'factor:2'"),
        ("[[rules]]\nname = 'metric'\nbonus = []", "rules[1].bonus: found an array of 0"),
        ("[[questions]]\nx = 'slots'", "questions[0].title: missing"),
        ("[[questions]]\ntitle = 'a'\nx = 'slts'", "questions[0].x: found 'slts'"),
        ("[[questions]]\ntitle = 'a'\nx = 'slots'\ncolor = 'rule'", "did you mean 'colour'?"),
        ("[[questions]]\ntitle = 'a'\nx = 'slots'\ny = 'rule'", "questions[0].y: found 'rule'"),
        (
            "[[questions]]\ntitle = 'a'\nx = 'slots'\nwhere = { rle = 'metric' }",
            "questions[0].where.rle: unknown key; did you mean 'rule'?",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_key(
    load: Callable[[str], Study], added: str, said: str
) -> None:
    """What was found, what was expected, and what was meant perhaps."""
    top, _, rest = MINIMAL.partition("[[rules]]")
    text = f"{top}{added}\n[[rules]]{rest}" if not added.startswith("[") else MINIMAL + added
    with pytest.raises(ScenarioError) as caught:
        load(text)
    assert said in str(caught.value)
    assert "study.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("day.pcap", "traces[0]: found 'day.pcap', expected a file that is there"),
        ("synth:zpf", "traces[0]: found 'zpf', expected one of"),
        ("synth:zipf,sas=x", "traces[0]: sas: found 'x'"),
    ],
)
def test_traces_are_there_before_anything_runs(
    load: Callable[[str], Study], trace: str, said: str
) -> None:
    """A night's study must not end at its last trace."""
    with pytest.raises(ScenarioError) as caught:
        load(MINIMAL.replace("synth:zipf,sas=50,packets=1000", trace))
    assert said in str(caught.value)


def test_paths_start_where_the_study_stands(tmp_path: Path, load: Callable[[str], Study]) -> None:
    """Wherever the command is called."""
    (tmp_path / "day.pcap").touch()
    assert load(MINIMAL.replace("synth:zipf,sas=50,packets=1000", "day.pcap")).traces


def test_all_problems_are_listed_at_once(load: Callable[[str], Study]) -> None:
    """A line each, under the file's name."""
    with pytest.raises(ScenarioError) as caught:
        load(MINIMAL + "[[rules]]\nname = 'a'\n[[questions]]\ntitle = 'q'\nx = 'b'\n")
    first, *lines = str(caught.value).splitlines()
    assert first.endswith("study.toml: 2 problems")
    assert [line.strip().partition(":")[0] for line in lines] == ["rules[1].name", "questions[0].x"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"traces = [", "end of file: "),
        (b"traces = 'a'\n\xff", "line 2: found bytes that are not UTF-8"),
        (b"a = " + b"9" * 10_000, "found a number of thousands of digits"),
        (b"", "traces: missing"),
        (b"#" * (64 << 20) + b"#", "found more than 64 MiB, expected a study"),
    ],
)
def test_what_is_no_study_at_all_is_one_error(tmp_path: Path, content: bytes, said: str) -> None:
    """Never a traceback."""
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load_study(path)
    assert said in str(caught.value)


def test_a_study_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        load_study(tmp_path / "none.toml")


def test_whatever_is_varied_is_a_column(load: Callable[[str], Study]) -> None:
    """Beside those of every comparison, so that questions can be asked of it."""
    study = load(MINIMAL + "[card]\nload_latency_ns = [1, 2]\n[host]\nsoftware_byte_ns = 0.1\n")
    columns = columns_of(study)
    assert {"saving_percent", "loads", "load_latency_ns", "software_byte_ns"} <= set(columns)
    assert {"threshold", "decay"} <= set(columns)


def test_the_references_example_is_a_study(load: Callable[[str], Study]) -> None:
    """As it stands."""
    (text,) = re.findall(r"^```toml\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE)
    assert load(text).title == "Do slots or patience pay?"


@pytest.mark.parametrize("table", [Study, QuestionTable])
def test_the_reference_has_every_key(table: type[Study | QuestionTable]) -> None:
    """In its table of keys."""
    documented = set(re.findall(r"^\| `(\w+)` \|", REFERENCE, re.MULTILINE))
    assert set(table.model_fields) <= documented
