"""What Airflow is told about this provider."""

from __future__ import annotations

import json
import tomllib
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_klingvideo.get_provider_info import get_provider_info

INFO = get_provider_info()


def named(path):
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_it_is_valid_by_airflows_schema():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


@pytest.mark.parametrize("part", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_is_there(part):
    for entry in INFO[part]:
        for name in entry["python-modules"]:
            import_module(name)


def test_every_class_is_there():
    (connection,) = INFO["connection-types"]
    hook = named(connection["hook-class-name"])
    assert (hook.conn_type, hook.hook_name) == (connection["connection-type"], connection["hook-name"])
    names = {named(path).name for path in INFO["extra-links"]}
    assert names == {"Kling AI console", "Video", "Poster", "Job record"}


HOMES = ("catalogue.py", "configuration.py", "connections/connection.py")


def test_every_option_is_used_and_every_used_option_is_declared():
    runtime = Path(__file__).parents[2] / "airflow_provider_klingvideo" / "runtime"
    source = "".join((runtime / name).read_text() for name in HOMES)
    for name in INFO["config"]["klingvideo"]["options"]:
        assert f'"{name}"' in source
    assert source.count("conf.get") == len(INFO["config"]["klingvideo"]["options"])


def test_secrets_are_masked_in_the_form():
    fields = INFO["connection-types"][0]["conn-fields"]
    assert fields["secret_key"]["schema"]["format"] == "password"


def test_airflow_finds_the_provider():
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert "airflow-provider-klingvideo" in manager.providers
    assert "klingai" in manager.hooks


def test_the_plugin_is_registered_twice_under_one_name():
    (plugin,) = INFO["plugins"]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    entry = project["project"]["entry-points"]["airflow.plugins"]
    assert {name: path.replace(":", ".") for name, path in entry.items()} == {plugin["name"]: plugin["plugin-class"]}
    assert named(plugin["plugin-class"]).name == plugin["name"]
