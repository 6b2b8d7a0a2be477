"""Write the generated parts of README and docs from the data they describe; ``--check`` tells what is out of date."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from airflow_provider_klingvideo.get_provider_info import get_provider_info
from airflow_provider_klingvideo.kling.capabilities import Capability, registry
from airflow_provider_klingvideo.workflow.states import TERMINAL_STATES
from airflow_provider_klingvideo.workflow.transitions import TRANSITIONS

ROOT = Path(__file__).parents[1]


def states() -> str:
    """Draw the transition table."""
    edges = [f"    {old} --> {new}" for old, exits in TRANSITIONS.items() for new in exits]
    ends = [f"    {state} --> [*]" for state in TRANSITIONS if state in TERMINAL_STATES]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> CREATED", *edges, *ends, "```"])


def options() -> str:
    """List the configuration's options."""
    rows = [
        f"| `{name}` | {one['type']} | {one['default'] or 'empty'} | {one['description']} |"
        for name, one in get_provider_info()["config"]["klingvideo"]["options"].items()
    ]
    return "\n".join(["| option | type | default | meaning |", "|---|---|---|---|", *rows])


def models() -> str:
    """List what each model can do."""
    known = registry()
    head = ["kind", "model", "API", "resolutions", "seconds", "sound", "last frame", "prompt"]
    rows = [
        f"| {' | '.join(_cells(one))} |"
        for one in sorted(known.capabilities, key=lambda one: (one.kind, one.model), reverse=True)
        if not one.is_retired
    ]
    retired = sorted({one.model for one in known.capabilities if one.is_retired})
    return "\n".join(
        [
            f"As of {known.as_of}:",
            "",
            f"| {' | '.join(head)} |",
            "|---" * len(head) + "|",
            *rows,
            "",
            f"Retired and refused: {', '.join(retired)}.",
        ]
    )


def _cells(one: Capability) -> list[str]:
    durations = one.durations
    whole = len(durations) == durations[-1] - durations[0] + 1
    seconds = f"{durations[0]} to {durations[-1]}" if whole else ", ".join(map(str, durations))
    sound = {("native",): "always", ("off",): "none"}.get(one.audio, "choice")
    if one.native_audio_resolution:
        sound = f"choice, {one.native_audio_resolution} only"
    frame = "no"
    if one.last_frame:
        conditions = [one.last_frame_resolution or "", "silent" if one.last_frame_silent else ""]
        frame = ", ".join(["yes", *filter(None, conditions)])
    return [
        one.kind,
        one.model,
        str(one.generation),
        ", ".join(one.resolutions),
        seconds,
        sound,
        frame if one.kind == "image_to_video" else "",
        f"{one.prompt_max}",
    ]


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "states": ("README.md", states),
    "options": ("docs/configuration.md", options),
    "models": ("docs/requests.md", models),
}


def main(check: bool) -> int:
    """Write the blocks; with ``check`` return 1 when one is out of date."""
    stale = []
    for name, (file, draw) in BLOCKS.items():
        path = ROOT / file
        old = path.read_text()
        start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        head, rest = old.split(start)
        new = f"{head}{start}{draw()}\n{end}{rest.partition(end)[2]}"
        if new != old:
            stale.append(file)
            if not check:
                path.write_text(new)
    print(f"out of date: {', '.join(stale) or 'nothing'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
