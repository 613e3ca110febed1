# Two commands are enough: `make demo` and `make test`. `make help` lists the others.
SHELL := /bin/bash
PY := .venv/bin/python
BAREME := .venv/bin/bareme
PASSWORD ?= Abidexercice123
TEAM ?= demo
EX ?= 07_dbt
OUT ?= rapports

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage lint datagen grade batch unlock selftest engine images bench clean

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: .venv/.ready ## Install everything into .venv

.venv/.ready: pyproject.toml requirements.lock scripts/setup.sh
	@scripts/setup.sh .venv
	@touch $@

demo: setup ## Grade the solution and a flawed variant of 07_dbt, without Docker
	@BAREME_PASSWORD='$(PASSWORD)' $(BAREME) demo --out $(OUT)/demo

test: setup ## Run the tests; those that need a Docker engine only where there is one
	@scripts/test.sh $(PY)

coverage: setup ## Coverage of the code and of the tests, by the fast tests
	@$(PY) -m pytest -n auto -m "not docker and not slow" -q --cov --cov-report=term:skip-covered

lint: setup ## ruff, mypy --strict
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

datagen: setup ## Generate a team's data: make datagen EX=07_dbt TEAM=ma-team
	@$(BAREME) datagen $(EX) --team $(TEAM)

grade: setup ## Grade one submission: make grade EX=07_dbt TEAM=ma-team
	@$(BAREME) grade submissions/$(TEAM)/$(EX) --out $(OUT)

batch: setup ## Grade every submission: make batch OUT=rapports
	@$(BAREME) batch submissions --out $(OUT)

unlock: setup ## Open a correction: make unlock EX=07_dbt (asks for the password)
	@$(BAREME) unlock $(EX)

selftest: setup ## Grade the graders with the sealed solutions and mutants
	@BAREME_PASSWORD='$(PASSWORD)' $(BAREME) selftest

engine: ## Install and start a Docker engine on a bare Debian (as root)
	@scripts/engine.sh

images: setup ## Build the images of the tools from package registries
	@$(BAREME) images build

bench: setup ## Run the benchmarks (ratios, minutes)
	@for b in airflow datagen dbt policy spark stack superset; do \
		echo "== $$b"; BAREME_PASSWORD='$(PASSWORD)' $(PY) -m benchmarks.$$b || exit; done

clean: ## Remove what barème left in the engine and in temporary folders
	@if [ -x $(BAREME) ]; then $(BAREME) clean; fi
