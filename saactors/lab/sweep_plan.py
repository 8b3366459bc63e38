"""The cells of a study: each one rule with its parameters on one trace and one card.

A cell is described in full, down to the content of its capture and the version of saactors, and is
named by a hash of that description. So a finished cell is never mistaken for another, and whatever
is edited in a study (or in a capture) makes new cells beside the old ones.

Cells that differ in rule and parameters only are a group: they have one optimum between them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from saactors import __version__
from saactors.lab.equipment import Slots
from saactors.lab.study_tables import Study, combinations
from saactors.placement.user_file import file_digest
from saactors.traces.synthetic.table import SYNTH_PREFIX

_NAME_CHARACTERS: Final = 32  # of a SHA-256 in hexadecimal: 128 bits
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A trace, ready to be loaded anywhere that its path leads to the same file."""

    name: str  # as the study has it
    path: str  # absolute, or synth:…
    digest: str  # of the file; empty for synthetic traffic
    seed: int | None  # None where no seed makes it
    sa_per: str
    burst: int
    burst_wait_ns: int


@dataclass(frozen=True, kw_only=True)  # without slots, so that what is worked out can be kept
class Setting:
    """A trace on a card and a host: what a group of cells has in common."""

    source: Source
    profile: str
    slots: Slots | None  # None: the profile's
    card: Mapping[str, object]  # figures that differ from the profile's
    host: Mapping[str, object]

    @cached_property
    def description(self) -> str:
        """In full, less where its trace stands: of a file only the content matters."""
        described = asdict(self)
        if self.source.digest:
            del described["source"]["path"]
            del described["source"]["name"]
        return _text_of(described)

    def optimum_name(self, kind: str) -> str:
        """The hash of everything that the optimum of that kind depends on."""
        return _hash_of(self.description, _text_of({"optimum": kind}))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A rule with its parameters in such a setting."""

    setting: Setting
    rule: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    rule_digest: str = ""  # of the file of a rule of one's own
    folder: str = ""  # from where that file's path is seen

    @cached_property
    def name(self) -> str:
        """The hash of everything that its result depends on."""
        own: dict[str, object] = {"rule": self.rule, "parameters": dict(self.parameters)}
        if self.rule_digest:
            own["rule"] = [self.rule.rpartition(":")[2], self.rule_digest]
        return _hash_of(self.setting.description, _text_of(own))

    @property
    def label(self) -> str:
        """In words, for whoever looks for it in a study."""
        given = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        source = self.setting.source
        seed = "" if source.seed is None else f" seed {source.seed}"
        slots = "" if self.setting.slots is None else f" slots {self.setting.slots}"
        return f"{self.rule} {given}".strip() + f" on {source.name}{seed}{slots}"


def cells_of(study: Study, folder: Path) -> list[Cell]:
    """Every cell of a study whose paths are in ``folder``, those of one trace side by side."""
    rules = [
        (str(table["name"]), parameters)
        for table in study.rules
        for parameters in combinations({k: v for k, v in table.items() if k != "name"})
    ]
    cells = [
        Cell(
            setting=setting,
            rule=name,
            parameters=parameters,
            rule_digest=file_digest(name),
            folder=str(Path.cwd()) if file_digest(name) else "",
        )
        for setting in _settings(study, folder)
        for name, parameters in rules
    ]
    return list({cell.name: cell for cell in cells}.values())


def _text_of(description: Mapping[str, object]) -> str:
    return json.dumps(description, sort_keys=True, default=str)


def _hash_of(*descriptions: str) -> str:
    text = "\n".join((__version__, *descriptions))
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_CHARACTERS]


def _settings(study: Study, folder: Path) -> Iterator[Setting]:
    for source in _sources(study, folder):
        for profile in dict.fromkeys(study.profiles):
            for slots in dict.fromkeys(study.slots) or [None]:
                for card in combinations(study.card):
                    for host in combinations(study.host):
                        yield Setting(
                            source=source, profile=profile, slots=slots, card=card, host=host
                        )


def _sources(study: Study, folder: Path) -> Iterator[Source]:
    for trace in dict.fromkeys(study.traces):
        synthetic = trace.startswith(SYNTH_PREFIX)
        path = trace if synthetic else str((folder / trace).resolve())
        digest = "" if synthetic else _digest(Path(path))
        for seed in dict.fromkeys(study.seeds) if synthetic else [None]:
            yield Source(
                name=trace,
                path=path,
                digest=digest,
                seed=seed,
                sa_per=study.sa_per,
                burst=study.burst,
                burst_wait_ns=1000 * study.burst_wait_us,
            )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while content := file.read(_READ_BYTES):
            digest.update(content)
    return digest.hexdigest()
