"""``explain``: why an SA is where it is, from what the rule itself goes by."""

from __future__ import annotations

from typing import Any

from saactors.gateway.live_sa import LiveSa
from saactors.gateway.parts import Parts
from saactors.gateway.sa_views import SaViews
from saactors.observe.units import plain


def explain(parts: Parts, known: LiveSa) -> dict[str, Any]:
    """Metric, lowest resident, threshold, savings, last moves, and what would have to change."""
    row = SaViews(parts).row(known)
    lowest = parts.steered.lowest()
    threshold = getattr(parts.steered.plan.parameters, "threshold", None)
    cost = parts.system.rule.cost
    mean_bytes = row["bytes"] // row["packets"] if row["packets"] else 0
    saving_ns = cost.saving_ns(mean_bytes)
    told_lowest = None
    if lowest is not None:
        resident = parts.sas.at(lowest[0])
        told_lowest = {
            "sa": lowest[0],
            "spi": resident.spi if resident is not None else 0,
            "metric": lowest[1],
        }
    return {
        "sa": row,
        "lowest": told_lowest,
        "threshold": threshold,
        "saving_ns": saving_ns,
        "load_host_ns": float(cost.load_host_ns),
        "saved_ns": row["saved_ns"],
        "text": list(_sentences(parts, row, told_lowest, threshold, saving_ns)),
        "moves": [
            {"time_ns": move.time_ns, "move": move.move, "reason": move.reason}
            for move in parts.moves.of(known.sa)
        ],
        "to_change": _to_change(parts, row, told_lowest, threshold),
    }


def _sentences(
    parts: Parts,
    row: dict[str, Any],
    lowest: dict[str, Any] | None,
    threshold: float | None,
    saving_ns: float,
) -> list[str]:
    where = {
        "nic": "on the card",
        "loading": "on its way to the card; until it is there, software does its crypto",
        "software": "in software",
    }
    lines = [f"SA {row['spi']:#010x} ({row['name']}) is {where[row['where']]}."]
    if row["pinned"] != "auto":
        place = "the card" if row["pinned"] == "nic" else "software"
        lines.append(f"It is pinned to {place}, so the rule does not decide.")
    name = parts.steered.plan.name
    if threshold is None:
        lines.append(f"The rule {name} goes by no threshold.")
    else:
        lines.append(f"Its metric is {plain(row['metric'])}; the threshold {plain(threshold)}.")
        if lowest is None:
            lines.append("The card is empty; an empty slot counts as a metric of 0.")
        elif parts.system.card.slots_free:
            free = parts.system.card.slots_free
            lines.append(f"{free} slots are free; each counts as a metric of 0.")
        else:
            metric = plain(lowest["metric"])
            lines.append(f"The lowest resident is {lowest['spi']:#010x} with {metric}.")
    lines.append(
        f"A packet of its mean size saves {plain(saving_ns)} ns on the card;"
        f" so far the card has saved it {plain(row['saved_ns'] / 1e6 or 0.0)} ms less its loads."
    )
    return lines


def _to_change(
    parts: Parts,
    row: dict[str, Any],
    lowest: dict[str, Any] | None,
    threshold: float | None,
) -> str:
    if row["pinned"] != "auto":
        return f"Unpin it: saactors ctl sa pin {row['spi']:#x} auto"
    if threshold is None:
        return f"What the rule {parts.steered.plan.name} loads is told by docs/rules.md."
    card_full = parts.system.card.slots_free == 0
    floor = lowest["metric"] if lowest is not None and card_full else 0.0
    needed = floor + threshold
    if row["where"] == "software":
        missing = needed - row["metric"]
        if missing <= 0:
            return "Its next packet has it loaded, if the loader has room."
        per_s = row["packets_per_s"]
        return (
            f"Its metric has to reach {plain(needed)}, {plain(missing)} more than now;"
            f" its traffic is {plain(per_s)} packets/s, and metrics decay meanwhile."
        )
    if lowest is not None and lowest["sa"] == row["sa"]:
        newcomer = plain(row["metric"] + threshold)
        return f"It is the lowest resident: a newcomer with a metric of {newcomer} takes its slot."
    return "It has to become the card's lowest, and a newcomer has to lead it by the threshold."
