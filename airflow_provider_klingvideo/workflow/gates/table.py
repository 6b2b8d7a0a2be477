"""The gates of QUEUED, in the order in which a job passes them."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_klingvideo.workflow.gates.budget_gate import BudgetGate
from airflow_provider_klingvideo.workflow.gates.gate import Gate, GateMeans
from airflow_provider_klingvideo.workflow.gates.slot_gate import SlotGate

# The slot comes last: it is short, and whoever holds one orders at once.
GATES: tuple[Callable[[GateMeans], Gate], ...] = (BudgetGate, SlotGate)
