"""What a sweep found, as a table: each rule at its best parameters, on each trace and card."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import polars as pl

from saactors.lab.study_tables import PRIMARY, Study, combinations
from saactors.report.tables import Column, Table

TABLES_MAX: Final = 12
_PLACE: Final = ("trace", "profile", "slots_wanted")
LEGEND: Final = MappingProxyType(
    {
        "saving": "in the mean over the seeds",
        "best parameters": "those of the study's with the greatest saving",
    }
)
_COLUMNS: Final = (
    Column("rule", number=False),
    Column("saving"),
    Column("loads"),
    Column("best parameters", number=False, wraps=True),
)


def best_rules_tables(study: Study, frame: pl.DataFrame) -> list[tuple[Table, str]]:
    """Per trace and card each rule at the parameters with the greatest mean over the seeds.

    A table each with a sentence about it, as many as a page can take. Without an optimum, saving is
    the share of the host time of all in software.
    """
    parameters = varied_parameters(study)
    figures = [name for name in (*study.card, *study.host) if frame[name].n_unique() > 1]
    judged = frame[PRIMARY].null_count() < frame.height
    saved = 100 * (1 - pl.col("rule_ns") / pl.col("never_ns"))
    place = [*_PLACE, *figures]
    means = frame.group_by([*place, "rule", *parameters], maintain_order=True).agg(
        (pl.col(PRIMARY) if judged else saved).mean().alias("saving"),
        pl.col("loads").mean(),
        pl.col("slots").mean(),
        pl.col("seed").n_unique().alias("seeds"),
    )
    ranked = means.sort("saving", descending=True, nulls_last=True, maintain_order=True)
    best = ranked.unique([*place, "rule"], keep="first", maintain_order=True)
    parts = best.partition_by(place, maintain_order=True)
    order = {trace: number for number, trace in enumerate(study.traces)}
    parts.sort(key=lambda part: _order(part.row(0, named=True), order, figures))
    saving = "Saving of the achievable" if judged else "Saving of the host time of all in software"
    found = [
        (_table(part, figures, parameters), f"{saving}{_seeds(part)}.")
        for part in parts[:TABLES_MAX]
    ]
    if len(parts) > TABLES_MAX:
        more = f" {len(parts) - TABLES_MAX} more such tables are in the results' file."
        found[-1] = found[-1][0], found[-1][1] + more
    return found


def _seeds(part: pl.DataFrame) -> str:
    most = int(part.row(0, named=True)["seeds"])
    return f", mean over {most} seeds" if most > 1 else ""


def _order(row: dict[str, Any], traces: dict[str, int], figures: list[str]) -> tuple[Any, ...]:
    """Traces as in the study, then cards from few slots to many."""
    return traces[row["trace"]], row["profile"], row["slots"], *(row[name] for name in figures)


def _table(part: pl.DataFrame, figures: list[str], parameters: list[str]) -> Table:
    first = part.row(0, named=True)
    share = first["slots_wanted"] or ""
    slots = f"{first['slots']:.0f} slots" + (f" ({share})" if share.endswith("%") else "")
    title = f"{first['trace']} on {first['profile']} with {slots}"
    if figures:
        title += f", {_pairs(first, figures)}"
    rows = tuple(_row(row, parameters) for row in part.iter_rows(named=True))
    return Table(title, _COLUMNS, rows)


def varied_parameters(study: Study) -> list[str]:
    """Parameters that the study gives some rule several values of."""
    values: dict[tuple[str, str], set[str]] = {}
    tables: dict[str, list[dict[str, object]]] = {}
    for table in study.rules:
        given = {name: value for name, value in table.items() if name != "name"}
        tables.setdefault(str(table["name"]), []).extend(combinations(given))
    for rule, settings in tables.items():
        for name in dict.fromkeys(name for setting in settings for name in setting):
            values[rule, name] = {str(setting.get(name)) for setting in settings}
    return list(dict.fromkeys(name for (_, name), known in values.items() if len(known) > 1))


def _row(row: dict[str, Any], parameters: list[str]) -> tuple[str, ...]:
    saving = row["saving"]
    told = "" if saving is None else f"{saving:.1f} %"
    return str(row["rule"]), told, f"{row['loads']:,.0f}", _pairs(row, parameters)


def _pairs(row: dict[str, Any], names: list[str]) -> str:
    return " ".join(
        f"{name}={row[name]:g}" if isinstance(row[name], float) else f"{name}={row[name]}"
        for name in names
        if row[name] is not None
    )
