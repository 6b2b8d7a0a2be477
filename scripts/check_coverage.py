"""Check the coverage of the last test run against what each room has to reach: lines and branches together."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "airflow_provider_klingvideo"
WANTED = {f"{PACKAGE}/workflow": 95, f"{PACKAGE}/kling": 95, f"{PACKAGE}/media": 95, PACKAGE: 90}


def main() -> int:
    """Print a line per room; 1 when one is below what it has to reach."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)], check=True)
        files = json.loads(report.read_text())["files"]
    missed = 0
    for room, wanted in WANTED.items():
        found = [entry["summary"] for name, entry in files.items() if Path(name).is_relative_to(room)]
        branches = sum(one["num_branches"] for one in found)
        covered = sum(one["covered_branches"] for one in found)
        lines = sum(one["covered_lines"] for one in found) / max(sum(one["num_statements"] for one in found), 1)
        share = 100 * covered / max(branches, 1)
        is_missed = share < wanted
        missed += is_missed
        verdict = f"{'too few' if is_missed else 'enough'}, wanted are {wanted} %"
        print(f"{room}: {share:.2f} % of {branches} branches ({verdict}), {100 * lines:.1f} % of lines")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
