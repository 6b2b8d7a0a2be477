"""What importing the operators adds to ``import airflow.sdk``, beside the official openai provider's operators.

Fresh interpreters, the variants in turns, the best of several rounds: ``python benchmarks/import_time.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import figures

BASELINE = "import airflow.sdk; from airflow.sdk import BaseOperator, BaseSensorOperator, BaseHook"
VARIANTS = {
    "airflow.sdk alone": (),
    "this provider": (
        "airflow_provider_klingvideo.operators.klingvideo",
        "airflow_provider_klingvideo.operators.video",
        "airflow_provider_klingvideo.operators.outcome",
        "airflow_provider_klingvideo.operators.speech",
        "airflow_provider_klingvideo.operators.batch",
        "airflow_provider_klingvideo.operators.assembly",
        "airflow_provider_klingvideo.sensors.klingvideo",
        "airflow_provider_klingvideo.triggers.klingvideo",
        "airflow_provider_klingvideo.task_groups.klingvideo",
        "airflow_provider_klingvideo.task_groups.batch",
        "airflow_provider_klingvideo.task_groups.chaining",
    ),
    "openai provider": (
        "airflow.providers.openai.operators.openai",
        "airflow.providers.openai.operators.agent",
    ),
}
ROUNDS = 7

MEASURE = """
import sys, time
sys.stdout = sys.stderr
start = time.perf_counter()
{statements}
print(time.perf_counter() - start, file=sys.__stdout__)
"""


def seconds(modules: tuple[str, ...]) -> float:
    """Import in a fresh interpreter and return how long it took."""
    statements = "\n".join([BASELINE, *(f"import {name}" for name in modules)])
    code = MEASURE.format(statements=statements)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    figures.add_option(parser)
    arguments = parser.parse_args()
    best = dict.fromkeys(VARIANTS, float("inf"))
    for _ in range(ROUNDS):
        for name, modules in VARIANTS.items():
            best[name] = min(best[name], seconds(modules))
    base = best["airflow.sdk alone"]
    rows = [[name, f"{total:.3f}", f"{(total - base) * 1000:.1f}"] for name, total in best.items()]
    ours, theirs = best["this provider"] - base, best["openai provider"] - base
    note = f"Ours / openai provider: {ours / theirs:.2f}"
    title = f"Importing the operators, the best of {ROUNDS}"
    figures.publish([figures.Figures(title, ["", "total s", "added ms"], rows, [note])], arguments.keep)


if __name__ == "__main__":
    main()
