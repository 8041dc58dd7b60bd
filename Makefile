# `make run` (the main job), `make report` (its figures and tables as a page), `make ui`,
# `make serve` (a trained network over HTTP), `make test`, `make coverage`, `make bench`.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

VIEW := \#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=results
MODEL ?= models:/synthetic-dpeformer@best

.PHONY: run report test coverage ui serve bench lint

run: .venv/installed
	snakemake --cores all

report: .venv/installed
	snakemake --report results/report.zip --report-stylesheet workflow/report/report.css

test: .venv/installed
	python -m pytest -n 2 --no-loadscope-reorder

coverage: .venv/installed
	python -m pytest -n 2 --no-loadscope-reorder \
		--cov=pipeline --cov-report=term:skip-covered --cov-fail-under=95

ui: .venv/installed
	dpeformer relocate --database results/mlflow.db
	@echo 'Results: http://127.0.0.1:5000/$(VIEW)'
	mlflow ui --backend-store-uri sqlite:///results/mlflow.db --host 127.0.0.1 --port 5000 --workers 1

serve: .venv/installed
	dpeformer relocate --database results/mlflow.db
	MLFLOW_TRACKING_URI=sqlite:///results/mlflow.db mlflow models serve \
		--model-uri $(MODEL) --env-manager local --host 127.0.0.1 --port 5001

bench: .venv/installed
	python -m benchmarks --docs

lint: .venv/installed
	ruff check . && ruff format --check . && mypy
	snakefmt --check Snakefile workflow && snakemake --lint
	hadolint Dockerfile

.venv/installed: pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv .venv
	pip install --quiet --disable-pip-version-check -c envs/constraints.txt -e '.[dev]'
	touch $@
