"""Laws of the source tree, held by reading it.

A law here says what a reader may rely on in every file, and each complaint says why. What ruff,
mypy and import-linter hold already (``make lint``) is not repeated. Every law comes with samples
that break it, so that none holds only because it looks at nothing.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("saactors", "nicmodel")

FILE_LINES_MAX = 350
FUNCTION_LINES_MAX = 60
ACTOR_LINES_MAX = 100
USUAL_FUNCTION_LINES = 40  # nine in ten stay below
FOLDERS_MAX = 3

EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
ORACLES = {"scapy", "dpkt", "libcachesim", "cypcap", "hypothesis", "pytest"}

CORPUS = "tests/corpus/"

# Reasons that stand in one place for many lines.
EXPLAINED = {
    ("saactors/cli", "PLC0415"): "cli/main.py: modules are imported when used, so --help is fast",
}
# Names that somebody else has chosen.
GIVEN_NAMES = {"burst_wait_us"}  # the option's name, in the unit that drivers state it in

# Where long runs of hexadecimal digits are no keys of anybody's.
PUBLISHED = {
    "requirements/": "hashes of packages",
    "tests/esp/": "published vectors and hand-made packets",
}
# What published vectors and examples count up in place of a key.
COUNTED_UP = ("000102030405060708090a0b0c0d0e0f", "0123456789abcdef0123456789abcdef")


@dataclass(frozen=True)
class File:
    """A text file of the tree; ``path`` is relative to the root."""

    path: PurePosixPath
    text: str

    @property
    def is_python(self) -> bool:
        """Whether it is a module."""
        return self.path.suffix == ".py"

    @property
    def is_packaged(self) -> bool:
        """Whether users get it."""
        return self.is_python and self.path.parts[0] in PACKAGES

    @property
    def is_test(self) -> bool:
        """Whether pytest collects it."""
        return self.is_python and self.path.name.startswith("test_")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Its lines, numbered from 1."""
        return enumerate(self.text.splitlines(), 1)

    def comments(self) -> Iterator[tuple[int, str]]:
        """Its comments, with the numbers of their lines."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method in it."""
        for node in ast.walk(self.tree) if self.is_python else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


Law = Callable[[File], Iterator[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def short_files(file: File) -> Iterator[str]:
    """A file that fits into a head has one subject."""
    lines = file.text.count("\n")
    if file.is_packaged and lines > FILE_LINES_MAX:
        yield f"{lines} lines, at most {FILE_LINES_MAX}: split it by subject"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines below the signature and the docstring: those that do something."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def short_functions(file: File) -> Iterator[str]:
    """A function is read at once; an actor's whole loop may take a page (DESIGN.md §4)."""
    actors = file.path.parts[:2] == ("saactors", "actors")
    for function in file.functions() if file.path.parts[0] != "tests" else ():
        is_actor = actors and isinstance(function, ast.AsyncFunctionDef)
        most = ACTOR_LINES_MAX if is_actor else FUNCTION_LINES_MAX
        if body_lines(function) > most:
            found = body_lines(function)
            yield f"{function.name} has {found} lines, at most {most}: it does two things"


def shallow_folders(file: File) -> Iterator[str]:
    """A tree that is shallow is found by looking."""
    if len(file.path.parts) - 1 > FOLDERS_MAX:
        yield f"more than {FOLDERS_MAX} folders deep: whoever looks for it will not find it"


def telling_names(file: File) -> Iterator[str]:
    """A module is named for what it knows."""
    for part in file.path.parts:
        if part.partition(".")[0] in EMPTY_NAMES:
            yield f"{part} says nothing of what is inside, so anything may get in"


IGNORE = re.compile(
    r"#\s*(?:noqa:\s*(?P<code>[A-Z]+\d+)|noqa|type:\s*ignore(?:\[[\w, -]+\])?|pragma:\s*[\w ]+)"
    r"(?P<reason>.*)"
)


def reasons_for_ignores(file: File) -> Iterator[str]:
    """Whoever silences a check says why, on the line or in a comment right above."""
    comments = dict(file.comments()) if file.is_python else {}
    lines = file.text.splitlines()
    for number, comment in comments.items():
        found = IGNORE.search(comment)
        if found is None:
            continue
        above = number > 1 and lines[number - 2].lstrip().startswith("#")
        elsewhere = (file.path.parent.as_posix(), found["code"]) in EXPLAINED
        if not (above or elsewhere or re.search(r"[a-z]{3}", found["reason"])):
            yield f"line {number}: an ignore without a reason cannot be judged later"


def nothing_left_for_later(file: File) -> Iterator[str]:
    """What is to be done stands in the issues; the tree holds what is done."""
    for number, line in file.lines() if file.path.suffix in {".py", ".md"} else ():
        if re.search(r"\b(?:TOD[O]|FIXM[E]|XX[X])\b", line):
            yield f"line {number}: put it into an issue, where somebody will find it"


def no_keys(file: File) -> Iterator[str]:
    """Keys of real SAs never get into the tree (law 10)."""
    if file.path.as_posix().startswith(tuple(PUBLISHED)):
        return
    for number, line in file.lines():
        for digits in re.findall(r"[0-9a-fA-F]{32,}", line):
            if not digits.lower().startswith(COUNTED_UP):
                yield f"line {number}: {len(digits)} hexadecimal digits look like a key"
        if re.search(r"BEGIN [A-Z ]*PRIVATE KE[Y]", line):
            yield f"line {number}: a private key"


def no_places(file: File) -> Iterator[str]:
    """The tree works on any machine, and tells nobody about ours."""
    for number, line in file.lines():
        if re.search(r"(?<![\w.:/])/(?:work|home|root|mnt|Users|tmp)/\w", line):
            yield f"line {number}: a path of one machine"
        if re.search(r"://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|jfrog|registry)", line):
            yield f"line {number}: the address of a package registry: pip's settings know it"
        if re.search(r"(?:index-url|trusted-host|find-links)[ =]+\w", line):
            yield f"line {number}: where packages come from is the machine's business"


UNITS = re.compile(
    r"_(?:seconds?|secs?|minutes?|millis\w*|msecs?|ms|micros\w*|usecs?|us|nanos\w*)$"
)


def nanoseconds(file: File) -> Iterator[str]:
    """Time is integer nanoseconds; another unit is converted where it comes in (DESIGN.md §6)."""
    for name in set(names_bound(file.tree)) if file.is_packaged else ():
        if UNITS.search(name) and name not in GIVEN_NAMES:
            yield f"{name}: time is in nanoseconds, in names that end in _ns"


def names_bound(tree: ast.Module) -> Iterator[str]:
    """Every name that the module gives to something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, Function):
            yield node.name


def documented_tests(file: File) -> Iterator[str]:
    """A test's name is the claim; its docstring is what is behind it."""
    for function in file.functions() if file.is_test else ():
        if function.name.startswith("test_") and not ast.get_docstring(function):
            yield f"{function.name} does not say what it is for"


def documented_names(file: File) -> Iterator[str]:
    """A reader of a signature finds shapes, units and errors beside it."""
    if file.is_python and not ast.get_docstring(file.tree):
        yield "the file does not say what it is for"
    for node in public_names(file.tree) if file.is_packaged else ():
        if not ast.get_docstring(node):
            yield f"{node.name} is public and not documented"


def public_names(scope: ast.Module | ast.ClassDef) -> Iterator[Function]:
    """Functions and classes that others may use, and the methods of such classes."""
    for node in scope.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_names(node)


def no_oracles(file: File) -> Iterator[str]:
    """What checks us, and what is GPL, is no part of what users install."""
    for node in ast.walk(file.tree) if file.is_packaged else ():
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.partition(".")[0] in ORACLES:
                yield f"imports {module}, which is for tests"


def sample(path: str, text: str) -> File:
    """A file that breaks a law."""
    return File(PurePosixPath(path), text)


LONG_BODY = "\n".join(["    pass"] * (FUNCTION_LINES_MAX + 1))

LAWS: dict[Law, list[File]] = {
    short_files: [sample("nicmodel/long.py", "\n" * (FILE_LINES_MAX + 1))],
    short_functions: [
        sample("saactors/esp/long.py", f"def long():\n{LONG_BODY}\n"),
        sample("saactors/actors/long.py", f"async def long():\n{LONG_BODY}\n{LONG_BODY}\n"),
    ],
    shallow_folders: [sample("saactors/a/b/c/deep.py", "")],
    telling_names: [sample("saactors/esp/utils.py", ""), sample("tests/helpers/test_a.py", "")],
    reasons_for_ignores: [
        sample("saactors/esp/a.py", "import os  # noqa: F401\n"),
        sample("saactors/esp/a.py", "import os  # noqa\n"),
        sample("tests/esp/a.py", "x: int = ''  # type: ignore[assignment]\n"),
        sample("tools/a.py", "if x:  # pragma: no cover\n"),
    ],
    nothing_left_for_later: [sample("docs/a.md", "T" "ODO: write this\n")],
    no_keys: [
        sample("examples/a.toml", 'key = "' + "3f" * 16 + '"\n'),
        sample("demo/a.pem", "-----BEGIN RSA PRIVATE KE" "Y-----\n"),
    ],
    no_places: [
        sample("tools/a.py", 'open("/ho' 'me/me/a.pcap")\n'),
        sample("Makefile", "pip --index-ur" "l https://somewhere/\n"),
        sample("docs/a.md", "see https:/" "/pypi.example/simple\n"),
    ],
    nanoseconds: [
        sample("nicmodel/a.py", "def wait(timeout_ms): ...\n"),
        sample("nicmodel/a.py", "class A:\n    age_seconds: float = 0\n"),
        sample("nicmodel/a.py", "self.pause_us = 3\n"),
    ],
    documented_tests: [sample("tests/esp/test_a.py", "def test_b(): pass\n")],
    documented_names: [
        sample("tests/esp/test_a.py", "import os\n"),
        sample("saactors/esp/a.py", '"""A."""\ndef b(): pass\n'),
        sample("saactors/esp/a.py", '"""A."""\nclass B:\n    """B."""\n    def c(self): pass\n'),
    ],
    no_oracles: [
        sample("saactors/esp/a.py", "import dpkt.ip\n"),
        sample("nicmodel/a.py", "from scapy.all import IP\n"),
    ],
}  # fmt: skip


@cache
def files() -> tuple[File, ...]:
    """Every text file that is tracked, or would be: ignored files are nobody's.

    The corpus of the fuzzer is left out: nobody has written it.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    found = []
    for name in sorted(filter(None, listed.split("\0"))):
        if name.startswith(CORPUS):
            continue
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in content and not name.endswith(".gz"):
            found.append(File(PurePosixPath(name), content.decode()))
    return tuple(found)


def named(law: Law) -> str:
    """A law's name as pytest shows it."""
    return law.__name__


@pytest.mark.parametrize("law", LAWS, ids=named)
def test_the_tree_keeps_its_laws(law: Law) -> None:
    """Each complaint names the file and says why the law is there."""
    complaints = [f"{file.path}: {complaint}" for file in files() for complaint in law(file)]
    assert not complaints, "\n".join([law.__doc__ or "", *complaints])


@pytest.mark.parametrize("law", LAWS, ids=named)
def test_every_law_notices_what_breaks_it(law: Law) -> None:
    """Otherwise it would hold whatever happens."""
    for broken in LAWS[law]:
        assert list(law(broken)), broken.text


def test_the_laws_see_the_whole_tree() -> None:
    """Packages, tests, tools and documents; nothing that is ignored."""
    seen = {file.path.parts[0] for file in files()}
    assert {*PACKAGES, "tests", "tools", "docs", "README.md", "Makefile"} <= seen
    assert ".venv" not in seen
    assert sum(file.is_packaged for file in files()) > 100


def test_nine_functions_in_ten_are_short() -> None:
    """The usual function is read at a glance, so the few long ones stand out."""
    lengths = sorted(
        body_lines(function)
        for file in files()
        if file.is_packaged
        for function in file.functions()
    )
    assert lengths[len(lengths) * 9 // 10] < USUAL_FUNCTION_LINES


def test_no_two_test_files_have_the_same_name() -> None:
    """So a failure's file is found by its name alone."""
    names = Counter(file.path.name for file in files() if file.is_test)
    assert [name for name, count in names.items() if count > 1] == []


def test_tables_of_exceptions_name_only_what_is_there() -> None:
    """An exemption that outlives its file would shelter whatever comes in its place."""
    paths = [file.path.as_posix() for file in files()]
    for prefix in PUBLISHED:
        assert any(path.startswith(prefix) for path in paths), prefix
    for folder, code in EXPLAINED:
        texts = [file.text for file in files() if file.path.parent.as_posix() == folder]
        assert any(f"noqa: {code}" in text for text in texts), (folder, code)
    bound = {name for file in files() if file.is_packaged for name in names_bound(file.tree)}
    assert bound >= GIVEN_NAMES
