"""Many jobs: rows, run, manifest, judgement."""
