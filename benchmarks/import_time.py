"""What importing the operators adds to ``import airflow.sdk``, beside the official openai provider's operators.

Fresh interpreters, the variants in turns, the best of several rounds: ``python benchmarks/import_time.py [ROUNDS]``.
"""

from __future__ import annotations

import subprocess
import sys

BASELINE = "import airflow.sdk; from airflow.sdk import BaseOperator, BaseSensorOperator, BaseHook"
VARIANTS = {
    "airflow.sdk alone": (),
    "this provider": (
        "airflow_provider_klingvideo.operators.klingvideo",
        "airflow_provider_klingvideo.operators.outcome",
        "airflow_provider_klingvideo.operators.speech",
        "airflow_provider_klingvideo.sensors.klingvideo",
        "airflow_provider_klingvideo.triggers.klingvideo",
        "airflow_provider_klingvideo.task_groups.klingvideo",
        "airflow_provider_klingvideo.task_groups.chaining",
    ),
    "openai provider": (
        "airflow.providers.openai.operators.openai",
        "airflow.providers.openai.operators.agent",
    ),
}
DEFAULT_ROUNDS = 7

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


def main(rounds: int) -> None:
    """Print the table."""
    best = dict.fromkeys(VARIANTS, float("inf"))
    for _ in range(rounds):
        for name, modules in VARIANTS.items():
            best[name] = min(best[name], seconds(modules))
    base = best["airflow.sdk alone"]
    print(f"{'best of ' + str(rounds):<20}{'total s':>10}{'added ms':>12}")
    for name, total in best.items():
        print(f"{name:<20}{total:>10.3f}{(total - base) * 1000:>12.1f}")
    ours, theirs = best["this provider"] - base, best["openai provider"] - base
    print(f"ours / openai provider: {ours / theirs:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_ROUNDS)
