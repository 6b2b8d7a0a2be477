"""The example DAGs: read by Airflow without an error, and their forms take what they propose."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import Template

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT / "example_dags", ROOT / "airflow_provider_klingvideo" / "demo" / "dags"]


@pytest.mark.parametrize("folder", FOLDERS, ids=["examples", "demonstration"])
def test_airflow_reads_every_example(folder):
    from airflow.models.dagbag import DagBag

    bag = DagBag(dag_folder=str(folder))
    assert bag.import_errors == {}
    assert len(bag.dags) == len(list(folder.glob("*.py")))


def test_no_form_begins_with_an_empty_field_that_blocks_the_button():
    from airflow.models.dagbag import DagBag

    for folder in FOLDERS:
        for dag in DagBag(dag_folder=str(folder)).dags.values():
            for name, param in dag.params.items():
                schema = dag.params.get_param(name).schema
                assert param != "" or schema.get("type") != "string", f"{dag.dag_id}: {name}"


def test_what_a_form_proposes_is_a_legal_request():
    from airflow_provider_klingvideo.kling import ApiFamily, check_request, parse_request
    from airflow_provider_klingvideo.params import image_to_video_params, text_to_video_params

    for kind, params in (
        ("text_to_video", text_to_video_params()),
        ("image_to_video", image_to_video_params("https://example.org/a.png")),
    ):
        proposed = {name: param.value for name, param in params.items() if name != "api"}
        assert check_request(parse_request({**proposed, "kind": kind}), ApiFamily.NEW) == []


@pytest.mark.parametrize(
    ("chosen", "presets"),
    [
        ({}, ["master", "poster", "preview", "contact_sheet"]),
        ({"outputs": ["web", "gif"]}, ["web", "gif"]),
        ({"render_plan": {"outputs": [{"preset": "hls"}], "gates": {"black": "warn"}}}, ["hls"]),
    ],
)
def test_a_form_says_what_is_made_of_the_video(chosen, presets):
    from airflow.sdk.definitions.param import ParamsDict
    from jinja2 import Environment

    from airflow_provider_klingvideo.media import RenderPlan
    from airflow_provider_klingvideo.params import output_params, plan_from_params

    form = ParamsDict(output_params())
    form.update(chosen)
    plan = RenderPlan.parse(
        Environment(autoescape=False).from_string(plan_from_params()).render(params=form.validate())
    )
    assert [output.preset for output in plan.outputs] == presets
    assert plan.gates.black == ("warn" if "render_plan" in chosen else "off")


def test_a_form_leaves_out_what_is_empty():
    from airflow_provider_klingvideo.params import request_from_params

    request = request_from_params(["prompt", "last_frame"], kind="image_to_video")
    assert request["kind"] == "image_to_video"
    form = Template(request["last_frame"])
    assert [form.render(params={"last_frame": value}) for value in (None, "", "a.png")] == ["", "", "a.png"]
