"""The example DAGs that chain products, for the tests to run. Airflow only reads files that name it."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import airflow_provider_klingvideo

# This file is copied elsewhere for a running Airflow.
FOLDER = Path(airflow_provider_klingvideo.__file__).parents[1] / "example_dags"


def dag_of(name):
    """Load an example."""
    spec = spec_from_file_location(name, FOLDER / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


talking_avatar = dag_of("example_talking_avatar")
storyboard = dag_of("example_storyboard")
effects = dag_of("example_effects")
film = dag_of("example_film")
