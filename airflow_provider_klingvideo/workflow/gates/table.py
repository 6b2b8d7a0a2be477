"""The gates of QUEUED, in the order in which a job passes them."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_klingvideo.workflow.gates.approval_gate import ApprovalGate
from airflow_provider_klingvideo.workflow.gates.budget_gate import BudgetGate
from airflow_provider_klingvideo.workflow.gates.gate import Gate, GateMeans
from airflow_provider_klingvideo.workflow.gates.slot_gate import SlotGate

# A person comes first: nothing is held for a job while somebody thinks about it.
# The slot comes last: it is short, and whoever holds one orders at once.
GATES: tuple[Callable[[GateMeans], Gate], ...] = (ApprovalGate, BudgetGate, SlotGate)
