# `make demo` and `make test` set up .venv by themselves; `make help` lists the rest.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# What `make check` runs: unit tests that need no browser, Slurm, Snakemake run or video decoding.
UNIT := tests/core tests/data tests/weights tests/provenance tests/losses tests/language tests/clustering \
	tests/proposals tests/scoring tests/pages tests/workflow tests/test_layers.py tests/test_cli.py tests/test_commands.py tests/test_language.py

.PHONY: help demo demo-from-scratch test check lint bench bench-methods schema docs wheel own-venv
.DELETE_ON_ERROR:

help:
	@echo "make demo           install, run the demo, write results/demo_report.html (about 5 minutes)"
	@echo "make demo-from-scratch  the same, and train the demo's networks again (six minutes more)"
	@echo "make check          lint, types and unit tests (about 80 seconds)"
	@echo "make test           every check that needs no GPU, published weights or real videos (about 15 minutes)"
	@echo "make docs           build the documentation site into site/"
	@echo "make bench          every benchmark; make bench-methods HOW=--smoke compares methods"
	@echo "make wheel          build the package into dist/, the same bytes for the same commit"
	@echo "make schema         write the JSON Schema of the config and docs/config.md"

# One run at a time. Jobs that a killed run left behind may still end during the next: they write the same bytes.
demo: own-venv .venv/installed
	@flock --nonblock .venv/demo.lock true || echo "another 'make demo' runs here; waiting for it"
	@flock .venv/demo.lock $(BIN)/snakemake --cores $(CORES) --nolock --rerun-incomplete
	@echo "scores: results/demo_map.json   page: results/demo_report.html"

# The same demo with its networks trained here, as their files in clip_ae/weights/shipped were made.
demo-from-scratch: own-venv .venv/installed
	@flock .venv/demo.lock $(BIN)/snakemake --cores $(CORES) --nolock --configfile examples/demo_from_scratch.yaml

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --max-worker-restart 0

check: lint
	$(BIN)/python -m pytest --numprocesses 2 --max-worker-restart 0 -m "not slow and not real and not gpu and not browser and not slurm and not workflow" $(UNIT)

lint: own-venv .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: own-venv .venv/installed-dev
	$(BIN)/python -m benchmarks

# Every method in five simulated worlds: ten hours on two cores, estimated; HOW=--smoke takes four minutes.
bench-methods: own-venv .venv/installed-dev
	$(BIN)/python -m benchmarks.worlds $(HOW)

# The times in a wheel are that of the commit, so the same commit gives the same bytes on every machine.
wheel: own-venv .venv/installed
	rm -rf build
	umask 022 && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m pip wheel --quiet --disable-pip-version-check \
		--no-deps --wheel-dir dist .
	@sha256sum dist/*.whl

schema: own-venv .venv/installed
	$(BIN)/python -m clip_ae schema > workflow/schemas/config.schema.json
	$(BIN)/python -m docs.config_reference

docs: own-venv .venv/installed-dev
	$(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

# `pip install --editable` ties .venv to one clone. If a second clone shared it, the first would run the code of the second.
own-venv:
	@test ! -s .venv/checkout || test "$$(cat .venv/checkout)" = "$(CURDIR)" || { \
		echo "make: .venv belongs to $$(cat .venv/checkout); remove the link and let make create one here (moved this folder? delete .venv/checkout)"; exit 2; }

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv (about two minutes and 6 GB, once)"
	$(INSTALL) --editable '.[workflow,openvino]'
	@echo "$(CURDIR)" > .venv/checkout
	@touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) --editable '.[dev]'
	@touch $@
