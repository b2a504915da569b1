# `make` alone shows what there is.
.DEFAULT_GOAL := help
.PHONY: help run test check lint format test-timescale test-rabbitmq4 e2e smoke env lock docs clean bench bench-engine train-opinion

PYTHON ?=
BIN := .venv/bin
PACKAGES := libs/common $(wildcard services/*) libs/cli
EDITABLE := $(foreach package,$(PACKAGES),-e $(package))
CODE := libs services tests bench docs

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.installed ## Install what is needed into .venv and run all six services; Ctrl-C stops them
	@$(BIN)/sakimori run all

test: .venv/dev.installed ## Unit, contract and integration tests, against real servers
	@$(BIN)/python -m sakimori_packet_sensor.precompile
	@$(BIN)/pytest --ignore=tests/e2e --ignore=tests/timescale

check: lint ## Format, lint, types, boundaries, content, unit tests
	@$(BIN)/python -m sakimori_packet_sensor.precompile
	@$(BIN)/pytest -q tests/unit tests/architecture

lint: .venv/dev.installed ## All of check but the tests
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sakimori rules check
	@$(BIN)/sakimori rules test

format: .venv/dev.installed ## Format the code and mend what can be mended by itself
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

test-timescale: .venv/dev.installed tests/timescale/node_modules/.installed ## Migrations, policies and dashboard queries on a real TimescaleDB (needs npm)
	@$(BIN)/pytest tests/timescale

e2e: .venv/dev.installed ## The stack of docker-compose.yml, really started (needs Docker with Compose v2)
	@$(BIN)/pytest tests/e2e

test-rabbitmq4: .venv/dev.installed ## The bus's suites on the RabbitMQ of the compose file (needs Docker)
	@RABBITMQ_FROM=docker $(BIN)/pytest tests/contract/test_bus.py tests/integration/bus

smoke: .venv/run.installed ## Four checks against a running instance: chat, limit, finding, notice
	@$(BIN)/sakimori demo --only chat

bench: .venv/dev.installed ## The whole pipeline on this machine: events/s, latency, lost and doubled
	@$(BIN)/python -m bench.pipeline

bench-engine: .venv/dev.installed ## The detection engine beside its peers; fails when it got over 20 % slower than what is committed
	@$(BIN)/python -m bench.engine --check

train-opinion: .venv/dev.installed ## Train the second opinion on web payloads anew (needs the development data)
	@$(BIN)/python -m bench.opinion train

env: ## Write a fresh .env with random secrets for docker compose
	@deploy/make-env

docs: .venv/dev.installed ## Write the generated references and .env.example anew
	@$(BIN)/python docs/generate.py

lock: .venv/dev.installed ## Write the hash-pinned requirements anew (UPGRADE=1: newest versions)
	@requirements/lock

clean: ## Remove .venv and caches; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

tests/timescale/node_modules/.installed: tests/timescale/package.json
	@npm install --prefix tests/timescale --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.venv/bin/pip:
	@deploy/make-venv "$(PYTHON)"

.venv/%.installed: requirements/%.txt requirements/build.txt $(addsuffix /pyproject.toml,$(PACKAGES)) | .venv/bin/pip
	@deploy/install $* $(EDITABLE)
	@touch $@
