# Two commands: `make demo` and `make test`. Each makes .venv, installs what is pinned, and runs.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint bench bench-methods schema
.DELETE_ON_ERROR:

# One run at a time. Jobs that a killed run left behind may still end beside the next: they write the same bytes.
demo: .venv/installed
	@flock --nonblock .venv/demo.lock true || echo "another run is at work here; waiting for it"
	@flock .venv/demo.lock $(BIN)/snakemake --cores $(CORES) --nolock --rerun-incomplete --quiet rules host
	@echo "scores: results/demo_map.json   page: results/demo_report.html"

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --max-worker-restart 0

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks

# Every method on the simulated benchmark: four hours on two cores; HOW=--smoke takes four minutes.
bench-methods: .venv/installed-dev
	$(BIN)/python -m benchmarks.methods $(HOW)

schema: .venv/installed
	$(BIN)/python -m clip_ae schema > workflow/schemas/config.schema.json

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv (about two minutes and 6 GB, once)"
	$(INSTALL) --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) --editable '.[dev]'
	@touch $@
