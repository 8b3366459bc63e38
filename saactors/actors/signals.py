"""The control side: rule and parameters arrive as a message and the running system follows them."""

from __future__ import annotations

import structlog

from saactors.errors import UserError
from saactors.observe.events import RuleChanged
from saactors.observe.observer import Emitter
from saactors.placement.change import RuleChange, decode_signal
from saactors.placement.cost import CostModel
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet


async def run_signals(
    network: Inlet[bytes],
    decay: Outlet[RuleChange],
    rule: str,
    cost: CostModel,
    clock: Clock,
    emit: Emitter,
) -> None:
    """Pass on every signal (see ``placement.change``) that makes sense to a run of ``rule``.

    One that does not is logged and changes nothing: who sends nonsense does not stop the traffic.
    """
    async for signal in network:
        try:
            change = decode_signal(signal, rule, cost)
        except UserError as problem:
            structlog.get_logger().warning("signal_ignored", problem=str(problem))
            continue
        emit(RuleChanged(clock.now_ns(), change.rule, change.given))
        await decay.send(change)
