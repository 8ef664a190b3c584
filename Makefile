# Verbs. Each sets up what it needs in .venv, from nothing but Python >= 3.11 and make.
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --progress-bar off \
	--constraint constraints.txt --editable

BENCHMARKS := $(filter-out %/measure.py, $(wildcard benchmarks/*.py))

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs clean

help:  ## say what the verbs do
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 14

demo: .venv/.installed  ## explain simulated chests that no model was trained on
	$(BIN)/hirescam demo

test: .venv/.installed-dev  ## run the tests
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: .venv/.installed-dev  ## lint, format, types, layers, spelling; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

bench: .venv/.installed-dev  ## measure every number that README and docs state; takes hours
	@failed=; for script in $(BENCHMARKS); do \
		printf '\n# %s\n' $$script; $(BIN)/python $$script || failed="$$failed $$script"; \
	done; \
	test -z "$$failed" || { echo "not measured, each for the reason it gave:$$failed" >&2; exit 1; }

docs: .venv/.installed-docs  ## build the pages into site/
	$(BIN)/mkdocs build --strict

clean:  ## remove the environment and all that was built
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# One stamp per set of packages: the second call installs nothing.
.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) .
	@touch $@

.venv/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) ".[$*]"
	@touch .venv/.installed $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python " + sys.version.split()[0] + " is too old: name one >= 3.11, e.g. make test PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
