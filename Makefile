# `make demo` and `make test` do all the set-up they need, on a machine with Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

OLDEST := .venv-oldest
# Most tests wait: for a task to end, for Airflow to look again. The tests of a file share what they wait for.
PARALLEL := -n 3 --dist loadfile

BENCH = PYTHONPATH=tests $(BIN)/python benchmarks
BENCHMARKS := bench-imports bench-resume bench-waiting bench-batches bench-storm bench-thousand bench-mapped bench-media \
	bench-film

.PHONY: help demo test test-forms test-fast test-live chaos-tests chaos test-oldest lint $(BENCHMARKS) bench clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[dev]'
	# Some images forbid Python to write bytecode; without it every Airflow process starts seconds later.
	$(BIN)/python -m compileall -q $(VENV)/lib >/dev/null 2>&1 || true
	touch $@

demo: $(STAMP) ## make four videos with Airflow and the sandbox
	$(BIN)/klingvideo demo

test: $(STAMP) lint ## all tests, with a scheduler and a triggerer, and their coverage
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report= --ignore tests/chaos -m 'not forms' tests
	$(BIN)/python scripts/check_coverage.py

test-forms: $(STAMP) ## what every form of a video or batch does, and runs that an earlier version has begun; minutes
	$(BIN)/python -m pytest $(PARALLEL) -m forms tests/dags tests/live tests/upgrade

test-fast: $(STAMP) ## the tests that need no Airflow
	$(BIN)/python -m pytest -m 'not airflow and not live and not chaos' tests

test-live: $(STAMP) ## the tests on a running scheduler and triggerer
	$(BIN)/python -m pytest -m live tests

chaos-tests: $(STAMP) ## kill Airflow's parts, the database and the sandbox; needs postgresql
	$(BIN)/python -m pytest -s tests/chaos

chaos: $(STAMP) ## hundreds of videos, faults drawn from seeds, the invariants [SEED=n] [JOBS=n] [WRITE=file]; needs postgresql
	PYTHONPATH=tests $(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS)) $(if $(WRITE),--write $(WRITE))

$(OLDEST)/.installed: pyproject.toml .ci/constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --upgrade pip
	$(OLDEST)/bin/pip install --quiet --constraint .ci/constraints-oldest.txt apache-airflow --editable '.[dev]'
	$(OLDEST)/bin/python -m compileall -q $(OLDEST)/lib >/dev/null 2>&1 || true
	touch $@

test-oldest: $(OLDEST)/.installed ## what depends on Airflow's version, on the oldest one that is served
	$(OLDEST)/bin/python -m pytest tests/provider tests/plugins tests/storage tests/test_examples.py tests/dags -k 'not dags or five_jobs or rejected_key'

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: KEEP := yes
bench: $(BENCHMARKS) ## all of the following, one after the other, some two hours; writes docs/performance.md
	$(BIN)/python scripts/draw_docs.py

bench-imports: $(STAMP) ## what importing the operators costs, beside the openai provider
	$(BIN)/pip install --quiet apache-airflow-providers-openai
	$(BIN)/python benchmarks/import_time.py $(if $(KEEP),--keep imports)

bench-film: $(STAMP) ## what a film of six clips needs beside one clip, and beside one graph of all six
	$(BENCH)/film.py $(if $(KEEP),--keep film)

bench-resume: $(STAMP) ## what a finished wait costs, beside an operator of the usual kind; needs postgresql, as all below
	$(BENCH)/resume.py $(if $(KEEP),--keep resume)

bench-waiting: $(STAMP) ## what waiting for the vendor costs, beside the usual trigger; some fifteen minutes
	$(BENCH)/waiting.py $(if $(KEEP),--keep waiting)

bench-batches: $(STAMP) ## how long 200 videos take on a running Airflow, in every granularity
	$(BENCH)/batches.py $(if $(KEEP),--keep batches)

bench-storm: $(STAMP) ## 50 videos for 5 slots that somebody else holds for a minute
	$(BENCH)/batches.py --jobs 50 --slots 5 --held 60 --only compact $(if $(KEEP),--keep storm)

bench-thousand: $(STAMP) ## 1000 videos, fifty in each task, with faults and kills, and what must hold afterwards
	$(BENCH)/thousand.py $(if $(KEEP),--keep thousand)

bench-mapped: $(STAMP) ## 1000 videos, mapped, in ten DAG runs
	$(BENCH)/batches.py --jobs 1000 --runs 10 --slots 50 --only mapped $(if $(KEEP),--keep mapped)

bench-media: $(STAMP) bench-film ## what rendering costs, beside what ffmpeg alone would need; some three minutes
	$(BENCH)/media.py $(if $(KEEP),--keep media)

clean: ## remove what the other targets made
	rm -rf $(VENV) $(OLDEST) .demo .mypy_cache .pytest_cache .ruff_cache .coverage*
