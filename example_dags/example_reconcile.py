"""Maintenance: once a day, look for videos that were paid and that nobody has taken, and take them."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_klingvideo.operators.reconciliation import KlingVideoReconcileOperator

with DAG(
    dag_id="klingvideo_reconcile",
    schedule="@daily",
    catchup=False,
    doc_md="Compares Kling's tasks of the last 30 days with the job records. Nothing is ever ordered.",
    tags=["klingvideo", "example"],
):
    KlingVideoReconcileOperator(task_id="reconcile", adopt=True)
