"""Paths as text: what can be opened, and what is said about the rest."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.runtime.paths import UnknownStoreError, open_path

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("scheme", ["gs", "nowhere"])
def test_a_store_that_nobody_serves_is_told_with_what_to_install(scheme):
    told = rf"'{scheme}://b/a' cannot be opened: .*{scheme}.* Install the Airflow provider"
    with pytest.raises(UnknownStoreError, match=told):
        open_path(f"{scheme}://b/a")


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_local_paths_need_nothing(tmp_path, prefix):
    (tmp_path / "a").write_text("fox")
    assert open_path(f"{prefix}{tmp_path}/a").read_text() == "fox"
