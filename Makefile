# `make demo` and `make test` do all the set-up they need, on a machine with Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test test-fast test-live lint bench-imports clean

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
	$(BIN)/python -m pytest --cov --cov-report= tests
	$(BIN)/python scripts/check_coverage.py

test-fast: $(STAMP) ## the tests that need no Airflow
	$(BIN)/python -m pytest -m 'not airflow and not live' tests

test-live: $(STAMP) ## the tests on a running scheduler and triggerer
	$(BIN)/python -m pytest -m live tests

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-imports: $(STAMP) ## what importing the operators costs, beside the openai provider
	$(BIN)/pip install --quiet apache-airflow-providers-openai
	$(BIN)/python benchmarks/import_time.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .coverage*
