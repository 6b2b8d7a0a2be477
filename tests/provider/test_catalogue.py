"""The user's own models and prices: ``[klingvideo] catalogue`` and the contract of a connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from importlib.resources import files

import pytest

from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
from airflow_provider_klingvideo.kling import ApiFamily, Sureness, parse_request, quote
from airflow_provider_klingvideo.runtime.configuration import step_settings
from airflow_provider_klingvideo.runtime.connections.faults import ConnectionSettingsError

SHIPPED = json.loads(files("airflow_provider_klingvideo.kling.catalogue").joinpath("capabilities.json").read_text())
TURBO = next(row for row in SHIPPED["models"] if row["kind"] == "text_to_video")
NEW_MODEL = {**TURBO, "model": "kling-9.0", "vendor_name": "kling-9.0", "label": "Kling 9", "durations": [40]}
NEW_PRICE = {**SHIPPED["prices"][0], "model": "kling-9.0", "units": {"720p": "2"}, "confidence": "third-party"}
ASKED = """
from airflow_provider_klingvideo.{first} import *
from airflow_provider_klingvideo.runtime import session
from airflow_provider_klingvideo.kling import ApiFamily, check_request, parse_request, quote
from airflow_provider_klingvideo.params import text_to_video_params
request = parse_request({{"prompt": "a fox", "model": "kling-9.0", "duration": 40, "audio": "native"}})
check_request(request, ApiFamily.NEW, unknown_models="refuse")
print("kling-9.0" in text_to_video_params()["model"].schema["enum"], quote(request, ApiFamily.NEW))
"""


def asked(path, code):
    environment = {**os.environ, "AIRFLOW__KLINGVIDEO__CATALOGUE": str(path)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("first", ["kling", "params", "operators.video", "runtime.session"])
def test_new_models_and_prices_need_no_release(tmp_path, first):
    file = tmp_path / "catalogue.json"
    data = {**SHIPPED, "as_of": "2027-01-02", "models": [NEW_MODEL, *SHIPPED["models"]], "new": 1}
    file.write_text(json.dumps({**data, "prices": [NEW_PRICE, *SHIPPED["prices"]]}))
    done = asked(file, ASKED.format(first=first))
    told = "unconfirmed 80 units or 11.2 USD (40 x kling-9.0 native 720p at 2 units by the list of 2027-01-02)"
    assert done.stdout.strip().splitlines()[-1:] == [f"True {told}"], done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"as_of": "2027-01-02", "models": [{}]}', None])
def test_a_catalogue_that_cannot_be_read_is_told(tmp_path, text):
    file = tmp_path / "catalogue.json"
    if text is not None:
        file.write_text(text)
    done = asked(file, "from airflow_provider_klingvideo.cli.main import main; raise SystemExit(main(['models']))")
    assert done.returncode == 1
    assert f"{file} cannot be read" in done.stderr


def connect(monkeypatch, **extra):
    fields = {"conn_type": "klingai", "password": "a-key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", json.dumps(fields))
    return KlingAIHook().settings


@pytest.mark.parametrize("written", [dict, json.dumps])
def test_a_connections_contract_decides_what_its_jobs_are_expected_to_cost(monkeypatch, written):
    rates = [{"pack": "video", "currency": "CNY", "money": "0.9"}]
    settings = connect(monkeypatch, region="beijing", prices=written({"rates": rates, "discount": 0.5}))
    terms = step_settings(settings, {}).terms
    told = quote(parse_request({"prompt": "a fox", "model": "kling-2.5-turbo"}), ApiFamily.NEW, terms)
    assert (told.units, told.money, told.currency) == (Decimal("1.5"), Decimal("0.675"), "CNY")
    assert told.sure is Sureness.LISTED


@pytest.mark.parametrize("prices", ["cheap", [1], {"rates": [{"pack": "video"}]}, '{"discount": 2}'])
def test_a_contract_that_is_none_is_refused_with_the_connection(monkeypatch, prices):
    with pytest.raises(ConnectionSettingsError, match="prices: the contract's prices cannot be read"):
        connect(monkeypatch, prices=prices)
