# Everything runs from .venv, which the first target that needs it makes. PYTHON=python3.12 chooses another Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-week test lint bench clean

help:
	@echo "make demo    one night on a public log, and what came of it"
	@echo "make demo-week  a week on the job: a model serves, is corrected and learns, night after night"
	@echo "make test    the tests"
	@echo "make lint    style and types"
	@echo "make bench   the figures in bench/results"
	@echo "make clean   remove .venv, the demo's files and caches"

demo: $(VENV)/train
	$(BIN)/journeyman demo $(ARGS)

demo-week: $(VENV)/serve
	$(BIN)/journeyman week $(ARGS)

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

bench: $(VENV)/train
	@echo "scripts (each says what it needs with --help):"
	@ls bench/*.py
	$(BIN)/python bench/night.py $(ARGS)

clean:
	rm -rf $(VENV) demo week.db week.db.* dist .pytest_cache .ruff_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The files without a suffix in .venv say what has been installed; a change of a version installs anew.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: Journeyman needs Python 3.11 or newer, and '$(PYTHON)' is not: $$($(PYTHON) --version 2>&1 | head -n 1)" >&2; \
	  echo "try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
	  echo "try: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@touch $@

# torch first and by itself: given a range, pip would look at newer builds, which bring gigabytes for GPUs.
$(VENV)/train: $(VENV)/made pyproject.toml constraints.txt
	$(PIP) install --quiet $(TORCH) -c constraints.txt
	$(PIP) install --quiet -e ".[train]" -c constraints.txt
	@touch $@

$(VENV)/serve: $(VENV)/train
	$(PIP) install --quiet -e ".[train,serve]" -c constraints.txt
	@touch $@

$(VENV)/dev: $(VENV)/train
	$(PIP) install --quiet -e ".[train,serve,postgres,dev]" -c constraints.txt
	@touch $@
