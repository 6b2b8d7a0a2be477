"""What nobody has set is decided by Airflow's own layers, for every option, in every form; what is set counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, Asset, TaskGroup, TriggerRule, task
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_klingvideo._compat import BACKOFF, HAS_RETRY_POLICIES
from airflow_provider_klingvideo.operators.assembly import KlingVideoAssembleOperator
from airflow_provider_klingvideo.operators.reconciliation import KlingVideoReconcileOperator
from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.runtime.options import OPTIONS, OptionError, options_of
from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow
from airflow_provider_klingvideo.workflow import TRANSITIONS

FOX = {"prompt": "A fox"}
# What a request, its rows and its job are is said by the DAG file for each task.
OF_ONE_TASK = {"job", "request", "requests", "rows", "chunk"}
SET = {
    "job_key": "mine",
    "klingai_conn_id": "klingai_eu",
    "output_path": "/videos/of/mine",
    "transitions": {**TRANSITIONS.as_json(), "QUEUED": ["GENERATING", "FAILED", "CANCELLED"]},
    "batch": "spring",
    "budget_units": 7,
    "budget_key": "may",
    "unknown_price": "allow",
    "queue_timeout": 11,
    "priority": 3,
    "ask_above": 4,
    "assigned_users": ["ann"],
    "answer_timeout": 16,
    "on_no_answer": "order",
    "take": 2,
    "regenerate_failed": True,
    "on_changed_request": "fail",
    "repeat_unanswered": True,
    "slot_timeout": 12,
    "generation_timeout": 13,
    "render_plan": ["master"],
    "deferrable": False,
    "patience": 14.0,
    "chunk_size": 15,
    "max_failed_share": 0.5,
    "on_invalid_rows": "skip",
}
UNSETTING = dict.fromkeys(SET) | {
    "budget_units": "",
    "priority": 0,
    "regenerate_failed": False,
    "output_path": "",
}
assert SET.keys() == {one.name for one in OPTIONS} - OF_ONE_TASK


def a_video(**given):
    kling_video_workflow(request=FOX, **given)


def many_videos(**given):
    kling_video_workflow.partial(**given).expand(request=[FOX, FOX])


def a_batch(mode):
    return lambda **given: kling_video_batch([FOX], mode=mode, **given)


def one_task(**given):
    KlingVideoOperator(task_id="video", request=FOX, **given)


def mapped_tasks(**given):
    KlingVideoOperator.partial(task_id="video", **given).expand(request=[FOX])


def a_function(**given):
    @task.kling_video(**given)
    def video():
        return FOX

    video()


def mapped_functions(**given):
    @task.kling_video(**given)
    def video(prompt):
        return {"prompt": prompt}

    video.expand(prompt=["A fox"])


FORMS = {
    "a group": a_video,
    "a mapped group": many_videos,
    "a compact batch": a_batch("compact"),
    "a single batch": a_batch("single"),
    "a mapped batch": a_batch("mapped"),
    "an operator": one_task,
    "a mapped operator": mapped_tasks,
    "a function": a_function,
    "a mapped function": mapped_functions,
}
# Decided by the batch itself, whatever is set: the verdict judges the chunks, and rows are cut for a compact one only.
FIXED = {("a compact batch", "videos", "max_failed_share"): 1.0} | {
    (f"a {mode} batch", "rows", "chunk_size"): None for mode in ("single", "mapped")
}


def in_the_dag(form, defaults, given):
    with DAG("d", schedule=None, default_args=defaults) as dag:
        form(**given)
    return dag


def in_a_group(form, defaults, given):
    with (
        DAG("d", schedule=None, default_args=dict.fromkeys(defaults, "beaten")) as dag,
        TaskGroup("outer", default_args=defaults),
    ):
        form(**given)
    return dag


def in_a_nested_group(form, defaults, given):
    with DAG("d", schedule=None) as dag, TaskGroup("outer", default_args=defaults), TaskGroup("inner"):
        form(**given)
    return dag


def at_the_form(form, defaults, given):
    with DAG("d", schedule=None, default_args=dict.fromkeys(defaults, "beaten")) as dag:
        form(default_args=defaults, **given)
    return dag


LAYERS = {
    "DAG": in_the_dag,
    "group": in_a_group,
    "group of a group": in_a_nested_group,
    "form": at_the_form,
}


def made(one):
    """The task as it runs: a mapped one for the first of its values."""
    if not isinstance(one, MappedOperator):
        return one
    values = {"request": FOX, "chunk": {"first": 0, "count": 1}, "text": "Hello"}
    name = next(iter(one.expand_input.value), None)
    return one.unmap({name: values[name]} if name else {"op_kwargs": {"prompt": "A fox"}})


def taken(dag, form, option):
    """The values of an option in all tasks that take it, but where the form decides it itself."""
    tasks = [made(one) for one in dag.tasks]
    takers = [one for one in tasks if option in {row.name for row in options_of(one.task_name)}]
    return [getattr(one, option) for one in takers if (form, one.task_name, option) not in FIXED]


def takes(form, option):
    return bool(taken(in_the_dag(FORMS[form], {}, {}), form, option))


CASES = [(form, option) for form in FORMS for option in SET if takes(form, option)]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("form", "option"), CASES)
def test_what_is_not_set_comes_from_airflows_layers(form, option, layer):
    dag = LAYERS[layer](FORMS[form], {option: SET[option]}, {})
    assert set(map(str, taken(dag, form, option))) == {str(SET[option])}


@pytest.mark.parametrize(("form", "option"), CASES)
def test_what_is_set_beats_every_layer(form, option):
    dag = in_a_group(FORMS[form], {option: "beaten"}, {option: SET[option]})
    assert set(map(str, taken(dag, form, option))) == {str(SET[option])}


@pytest.mark.parametrize(("form", "option"), [case for case in CASES if case[1] != "job_key"])
def test_none_and_false_are_set_too_and_mean_our_default(form, option):
    ours = set(map(repr, taken(in_the_dag(FORMS[form], {}, {}), form, option)))
    dag = in_the_dag(FORMS[form], {option: SET[option]}, {option: UNSETTING[option]})
    row = next(one for one in OPTIONS if one.name == option)
    told = {repr(row.value(value)) for value in taken(dag, form, option)}
    assert told == {repr(row.value(None))} or told == ours


@pytest.mark.parametrize("form", [form for form in FORMS if "batch" in form])
def test_the_check_of_all_requests_is_asked_for_by_a_layer_too(form):
    def checked(defaults, **given):
        return any(one.task_id.endswith("checked") for one in in_the_dag(FORMS[form], defaults, given).tasks)

    assert checked({"all_or_nothing": True})
    assert not checked({"all_or_nothing": True}, all_or_nothing=False)
    assert not checked({})


def test_a_layers_table_decides_the_edges_too():
    table = {**TRANSITIONS.as_json(), "QUEUED": ["GENERATING", "FAILED"]}
    table.pop("CANCELLED")
    assert not in_the_dag(a_video, {"transitions": table}, {}).has_task("video.cancelled")


AIRFLOWS = {
    "retries": 7,
    "retry_delay": timedelta(seconds=3),
    # Falsy, and of the type that this Airflow takes.
    "retry_exponential_backoff": type(BACKOFF)(0),
    **({"retry_policy": None} if HAS_RETRY_POLICIES else {}),
    "max_retry_delay": timedelta(seconds=5),
    "pool": "kling",
    "queue": "video",
    "owner": "ann",
    "priority_weight": 9,
    "execution_timeout": timedelta(minutes=2),
    "outlets": [Asset("videos", uri="file:///videos")],
    "email_on_failure": False,
    "depends_on_past": True,
    "max_active_tis_per_dag": 4,
    "map_index_template": "{{ task.task_id }}",
}


AIRFLOWS_LAYERS = {
    "DAG": in_the_dag,
    "group": in_a_nested_group,
    "form": lambda form, defaults, given: in_the_dag(form, {}, {"default_args": defaults, **given}),
}


@pytest.mark.parametrize("layer", AIRFLOWS_LAYERS)
@pytest.mark.parametrize("form", FORMS)
def test_airflows_own_arguments_come_from_its_layers_and_beat_our_defaults(form, layer):
    dag = AIRFLOWS_LAYERS[layer](FORMS[form], AIRFLOWS, {})
    for one in dag.tasks:
        for name, value in AIRFLOWS.items():
            assert (name, getattr(made(one), name)) == (name, value)
            assert (name, getattr(one, name)) == (name, value)


@pytest.mark.parametrize("form", [form for form in FORMS if "group" in form or "batch" in form])
def test_a_rule_for_branches_holds_for_the_first_task_and_breaks_no_edge_within(form):
    rules = {one.task_id: one.trigger_rule for one in in_the_dag(FORMS[form], {}, {}).tasks}
    dag = in_the_dag(FORMS[form], {"trigger_rule": TriggerRule.ALL_DONE}, {})
    (first,) = [one.task_id for one in dag.roots]
    assert {one.task_id: one.trigger_rule for one in dag.tasks} == {**rules, first: TriggerRule.ALL_DONE}


@pytest.mark.parametrize("form", [form for form in FORMS if "batch" in form])
def test_what_is_mapped_over_is_pushed_whatever_a_layer_says(form):
    dag = in_the_dag(FORMS[form], {"do_xcom_push": False, "all_or_nothing": True}, {})
    pushed = {
        one.task_id.rpartition(".")[2]: one.do_xcom_push for one in dag.tasks if not isinstance(one, MappedOperator)
    }
    assert (pushed["rows"], pushed["checked"], pushed["verdict"]) == (True, True, False)


class TestTheWaitForKling:
    """A sensor has a word of its own for its deadline."""

    def waiting(self, defaults, **given):
        dag = in_the_dag(a_video, defaults, given)
        return dag.get_task("video.generation").settings()["generation_seconds"]

    def test_is_bounded_by_either_word(self):
        assert self.waiting({}) == 3600
        assert self.waiting({"timeout": 9}) == 9
        assert self.waiting({"timeout": 9, "generation_timeout": 20}) == 20

    def test_what_is_set_beats_the_other_word_of_a_layer(self):
        from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor

        assert self.waiting({"timeout": 9}, generation_timeout=20) == 20
        with DAG("d", schedule=None, default_args={"generation_timeout": 20}):
            sensor = KlingVideoGenerationSensor(task_id="wait", timeout=9)
        assert sensor.settings()["generation_seconds"] == 9

    def test_a_deadline_that_makes_no_sense_is_found_before_anything_is_ordered(self):
        dag = in_the_dag(a_video, {}, {"generation_timeout": "soon"})
        with pytest.raises(OptionError, match="generation_timeout: 'soon' makes no sense"):
            dag.get_task("video.validated").settings()


OTHERS = {
    "speech": lambda **given: KlingVideoSpeakOperator(task_id="t", text="Hello", voice_id="x", **given),
    "mapped speech": lambda **given: KlingVideoSpeakOperator.partial(task_id="t", voice_id="x", **given).expand(
        text=["Hi"]
    ),
    "comparison": lambda **given: KlingVideoReconcileOperator(task_id="t", **given),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", OTHERS)
def test_speech_and_comparison_take_the_same_layers(form, layer):
    told = {"klingai_conn_id": "klingai_eu", "output_path": "/videos"}
    (one,) = map(made, LAYERS[layer](OTHERS[form], told, {}).tasks)
    assert (one.klingai_conn_id, one.output_path) == ("klingai_eu", "/videos")
    (one,) = map(made, in_the_dag(OTHERS[form], told, {"klingai_conn_id": None}).tasks)
    assert (one.klingai_conn_id, one.output_path) == (None, "/videos")


def test_films_of_a_dag_that_has_one_folder_for_all_do_not_replace_one_another(tmp_path):
    from types import SimpleNamespace

    context = {"ti": SimpleNamespace(dag_id="d", run_id="r", map_index=-1)}
    with DAG("d", schedule=None, default_args={"output_path": str(tmp_path)}):
        films = [KlingVideoAssembleOperator(task_id=name, clips=["a.mp4"]) for name in ("long", "short")]
        named = KlingVideoAssembleOperator(task_id="named", clips=["a.mp4"], output_path=str(tmp_path / "premiere"))
    folders = [str(one._folder(context)) for one in (*films, named)]
    assert len(set(folders)) == 3
    assert all(folder.startswith(str(tmp_path)) for folder in folders)
    assert folders[2].endswith("premiere")


def test_a_function_made_outside_of_every_dag_takes_the_layers_of_where_it_is_used():
    @task.kling_video
    def shot(prompt="A fox"):
        return {"prompt": prompt}

    with DAG("d", schedule=None, default_args={"retries": 9, "klingai_conn_id": "klingai_eu"}) as dag:
        shot()
        shot.override(task_id="again").expand(prompt=["A hare"])
    assert {(one.retries, made(one).retries, made(one).klingai_conn_id) for one in dag.tasks} == {(9, 9, "klingai_eu")}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_failed_share", 50),
        ("max_failed_share", "half"),
        ("max_failed_share", float("nan")),
        ("chunk_size", 0),
        ("chunk_size", -1),
        ("chunk_size", 2.5),
        ("patience", -1),
        ("patience", float("inf")),
        ("deferrable", "perhaps"),
    ],
)
def test_what_no_template_can_mend_is_refused_when_the_file_is_read(option, value):
    with pytest.raises(OptionError, match=f"{option}: .* makes no sense \\(legal: ") as told:
        in_the_dag(FORMS["a compact batch"], {}, {option: value})
    assert told.value.advice
