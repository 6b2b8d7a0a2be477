"""A thousand videos, fifty in each task, with the faults and kills of a seed, and what must hold afterwards.

.. code-block:: console

    $ make bench-thousand
"""

from __future__ import annotations

import argparse

import figures
from chaos.run import outcomes_of, parsed, rows

JOBS = 1000
RUN = ("--seed", "11", "--jobs", str(JOBS), "--slots", "50", "--only", "compact")


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    figures.add_option(parser)
    keep = parser.parse_args().keep
    (outcome,) = outcomes_of(parsed(RUN)).values()
    struck = outcome["compact"].faults
    kills = sum(count for name, count in struck.items() if name.startswith("killed at"))
    lines = [[f"{name} {words}".strip(), count] for name, words, count in rows([outcome])]
    note = f"{kills} times a task killed itself at a named point; {sum(struck.values()) - kills} other faults struck."
    figures.publish([figures.Figures(f"{JOBS} videos with faults", ["", "compact"], lines, [note])], keep)


if __name__ == "__main__":
    main()
