# Everything that a user types. Variables may be given behind the target: make test JOBS=4

SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What pip says goes to the log; sizes and errors are shown.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --log $(VENV)/setup.log

SCALE ?= micro
SEEDS ?= 0
JOBS ?=
FULL ?=
LAUNCHER ?= local
GPUS ?=
SLURM ?=
# Overrides that all arms get, such as llm=FOLDER
KEYS ?=
CORE := freezing corpus joint_sft
# None named: all that run at the scale
ONLY ?= $(if $(FULL),,$(CORE))

comma := ,
WANTED = $(subst $(comma), ,$(ONLY))

.DEFAULT_GOAL := help
.PHONY: help setup reproduce-ablations report test bench test-gpu lint clean

help: ## Print the targets
	@echo "make TARGET [VARIABLE=value ...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "Variables of reproduce-ablations (default):"
	@echo "  SCALE ($(SCALE))  SEEDS ($(SEEDS))  ONLY ($(subst $() ,$(comma),$(strip $(ONLY))))  FULL=1 runs all comparisons"
	@echo "  JOBS (all cores)  GPUS (all)  LAUNCHER ($(LAUNCHER)): local, joblib, submitit or ray; SLURM='partition=gpu time=240'"
	@echo "  KEYS: overrides that all arms get, as in SCALE=mini KEYS=llm=FOLDER"

# The stamp holds what .venv was made from: interpreter and place, then a hash of the versions. It
# is there only while .venv is whole. A .venv without it, or of another interpreter or place, is
# made anew; one of other versions is brought up to date.
setup: ## Make .venv with the locked versions; nothing to do when it is up to date
	@command -v $(PYTHON) >/dev/null || \
	  { echo "vilax needs Python 3.11 or newer, and '$(PYTHON)' is not found" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("vilax needs Python 3.11 or newer, and $(PYTHON) is %d.%d: try make setup PYTHON=python3.11" % v[:2])'
	@set -e -o pipefail; \
	base=$$($(PYTHON) -c 'import os, sys; print(sys.version.split()[0], os.path.realpath(sys.base_prefix), os.getcwd())'); \
	lock=$$($(PYTHON) -c 'import hashlib; print(hashlib.sha256(b"".join(open(f, "rb").read() for f in ("pyproject.toml", "requirements.lock", "requirements-no-deps.lock"))).hexdigest())'); \
	stamp=$(VENV)/setup-stamp; \
	if [ "$$(cat $$stamp 2>/dev/null)" = "$$base $$lock" ]; then exit 0; fi; \
	case "$$(cat $$stamp 2>/dev/null)" in "$$base "*) ;; *) \
	  echo "setup: making $(VENV); the first time takes a few minutes, mostly to fetch torch"; \
	  $(PYTHON) -m venv --clear $(VENV) || { echo "setup: no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; };; \
	esac; \
	rm -f $$stamp; \
	$(PIP) -r requirements.lock 2>&1 | sed -n -E 's/^ *(Downloading) ([^ ]*\/)?([^ /]+) \(([0-9.]+ [MG]B)\).*/setup: fetching \3, \4/p; s/^Installing collected.*/setup: installing/p; /^ERROR/p' || \
	  { echo "setup: pip failed; $(VENV)/setup.log has all it said" >&2; exit 1; }; \
	$(PIP) --no-deps -r requirements-no-deps.lock >/dev/null 2>&1 || \
	  { echo "setup: pip failed; $(VENV)/setup.log has all it said" >&2; exit 1; }; \
	$(PIP) --no-deps --no-build-isolation -e . >/dev/null; \
	echo "$$base $$lock" > $$stamp.new; mv $$stamp.new $$stamp; \
	echo "setup: done; the command is $(BIN)/vilax"

reproduce-ablations: setup ## Train and judge the paper's comparisons; writes outputs/report/SCALE/report.html
	@$(BIN)/vilax compare $(WANTED) --scale $(SCALE) --seeds $(SEEDS) --launcher $(LAUNCHER) \
	  $(if $(JOBS),--jobs $(JOBS)) $(if $(GPUS),--gpus $(GPUS)) $(foreach word,$(SLURM),--slurm $(word)) $(KEYS)

report: setup ## Gather the report again from the store; trains nothing
	@$(BIN)/vilax report --scale $(SCALE)

test: setup ## Run the tests, on all cores (JOBS=n: on n)
	@$(BIN)/python -m pytest -n $(or $(JOBS),logical) --dist loadfile -q
	@$(BIN)/python -m pytest tests/evaluation/harness -q

bench: setup ## Measure speeds side by side with peers (minutes; nothing else should run)
	@for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

test-gpu: setup ## Run the tests that need a CUDA device
	@$(BIN)/python -m pytest -m gpu -q

lint: setup ## ruff, mypy --strict and codespell
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src
	@$(BIN)/codespell

clean: ## Remove caches of the tools; .venv and outputs stay
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
