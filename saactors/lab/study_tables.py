"""The tables of a study file: every key, its type and its default.

Wherever a key of the grid holds an array, every value is combined with every other. ``card``,
``host`` and ``rules`` are kept as they stand; ``study_checks`` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field

from nicmodel.errors import ProfileError
from nicmodel.presets import HOST
from nicmodel.profile import HostProfile
from saactors.errors import ParameterError
from saactors.scenario.tables import Table
from saactors.scenario.values import Settings, whole
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS

SEED_MAX: Final = (1 << 64) - 1
DEFAULT_PROFILE: Final = "82599"
PRIMARY: Final = "saving_percent"

ItemT = TypeVar("ItemT")
_Array = Annotated[tuple[ItemT, ...], Field(strict=False)]  # TOML's arrays are lists to Python


def _no_settings() -> Settings:
    return MappingProxyType({})


class QuestionTable(Table):
    """One of ``[[questions]]``: a figure on the page, made from columns of the results."""

    title: Annotated[str, Field(min_length=1, description="the question, as text")]
    x: Annotated[str, Field(description="a column's name, such as 'slots'")]
    y: Annotated[str, Field(description="a column's name, such as 'saving_percent'")] = PRIMARY
    colour: Annotated[str | None, Field(description="a column's name")] = "rule"
    facet: Annotated[str | None, Field(description="a column's name")] = None
    where: Annotated[
        Settings, Field(description="a table of columns with the values that are shown")
    ] = Field(default_factory=_no_settings)


class Study(Table):
    """A study described; it starts nothing."""

    title: Annotated[str, Field(description="text")] = ""
    traces: Annotated[
        _Array[str],
        Field(min_length=1, description="an array of captures, files of columns or 'synth:MODEL'"),
    ]
    sa_per: Annotated[
        Literal["flow", "host-pair", "subnet"],
        Field(description="'flow', 'host-pair' or 'subnet'"),
    ] = "flow"
    seeds: Annotated[
        _Array[Annotated[int, whole(0, SEED_MAX)]],
        Field(min_length=1, description="an array of seeds for synthetic traces, such as [0, 1]"),
    ] = (0,)
    burst: Annotated[int, whole(1, BURST_MAX, "packets")] = BURST_MAX
    burst_wait_us: Annotated[int, whole(0, 1_000_000, "microseconds")] = BURST_WAIT_NS // 1000
    profiles: Annotated[
        _Array[str], Field(min_length=1, description="an array of card profiles")
    ] = (DEFAULT_PROFILE,)
    slots: Annotated[
        _Array[int | str],
        Field(description="an array of numbers of slots, or of shares of the SAs such as '10%'"),
    ] = ()  # the profile's own
    optimum: Annotated[
        Literal["prefetch", "demand", "ticks", "none"],
        Field(description="'prefetch', 'demand', 'ticks' or 'none'"),
    ] = "prefetch"
    card: Annotated[Settings, Field(description="a table of figures")] = Field(
        default_factory=_no_settings
    )
    host: Annotated[Settings, Field(description="a table of figures")] = Field(
        default_factory=_no_settings
    )
    rules: Annotated[
        _Array[Settings], Field(min_length=1, description="an array of tables, [[rules]]")
    ]
    questions: Annotated[
        _Array[QuestionTable], Field(description="an array of tables, [[questions]]")
    ] = ()


def combinations(table: Mapping[str, Any]) -> Iterable[dict[str, object]]:
    """Every combination of a table's values, where an array stands for each of its own."""
    choices = [value if isinstance(value, list) else [value] for value in table.values()]
    for values in product(*choices):
        yield dict(zip(table, values, strict=True))


def host_of(figures: Mapping[str, object]) -> HostProfile:
    """The host with other figures.

    Raises:
        ParameterError: figures that describe no host.
    """
    if not figures:
        return HOST
    kept = {name: source for name, source in HOST.sources.items() if name not in figures}
    changes: dict[str, Any] = {**figures, "sources": MappingProxyType(kept)}
    try:
        return replace(HOST, name=f"{HOST.name} (changed)", **changes)
    except ProfileError as problem:
        raise ParameterError(problem.field, problem.found, problem.expected) from None
