"""``klingvideo models``: the matrix for people."""

from __future__ import annotations

import json

import pytest
import yaml

from airflow_provider_klingvideo.cli import main
from airflow_provider_klingvideo.kling import PRODUCTS, registry
from airflow_provider_klingvideo.kling.catalogue.matrix import HEAD, matrix, retired


def test_every_product_and_model_is_printed(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert all(kind in printed for kind in PRODUCTS)
    assert all(one.model in printed for one in registry().capabilities if not one.is_retired)


def test_one_product_with_prices_and_what_is_gone(capsys):
    assert main(["models", "--kind", "image_to_video", "--prices", "--retired"]) == 0
    printed = capsys.readouterr().out
    assert "text_to_video" not in printed
    assert "native+voice" in printed
    assert "kling-v1-6 (image_to_video, 2026-09-15): use kling-2.5-turbo" in printed


def test_scenes_and_voices(capsys):
    assert main(["models", "--kind", "effect", "--scenes", "--voices"]) == 0
    printed = capsys.readouterr().out
    assert "scenes with 2 pictures" in printed
    assert all(one.name in printed for one in registry().effect_scenes.values() if not one.is_gone)
    assert "oversea_male1" in printed


def test_a_kind_that_there_is_not_is_told_with_all_that_there_are(capsys):
    assert main(["models", "--kind", "hologram"]) == 1
    said = capsys.readouterr().err
    assert "there is no kind 'hologram'" in said
    assert all(kind in said for kind in PRODUCTS)


@pytest.mark.parametrize("row", matrix(), ids=lambda row: "-".join(row[:3]))
def test_every_row_fills_the_columns(row):
    assert len(row) == len(HEAD)
    assert row[0] in {one.kind for one in registry().capabilities}


def test_every_retired_model_names_its_successor():
    assert all("use kling-" in line for line in retired())


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_read_the_same(capsys, output, read):
    asked = ["--prices", "--scenes", "--voices", "--retired"]
    assert main(["models", "--kind", "text_to_video", *asked, "--output", output]) == 0
    told = read(capsys.readouterr().out)
    assert {one["kind"] for one in told["products"]} == {"text_to_video"}
    assert {
        "of": "kling-2.5-turbo",
        "feature": "off",
        "per": "second",
        "units": {"720p": "0.3", "1080p": "0.5"},
    } in told["prices"]
    assert "kling-image-o1" not in {one["of"] for one in told["prices"]}
    assert all(told[name] for name in ("scenes", "voices", "retired"))
