# Everything that one does with Cotejo. `make help` lists it.

PYTHON ?= python3.11
VENV := .tools/venv/bin
STACK = $(VENV)/python -m stack

export CARGO_TARGET_DIR := $(CURDIR)/target

.DEFAULT_GOAL := help
.PHONY: help setup packages doctor up down down-and-delete-data status logs traffic import metrics-rebuild \
	test test-unit test-e2e lint contracts lock bench bench-compare

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

doctor: ## Look what this machine lacks, and how to get it
	@$(PYTHON) -m stack.doctor

setup: ## Fetch and build what is needed (the others do it by themselves)
	@$(PYTHON) -m stack.setup

packages:
	@$(PYTHON) -m stack.setup packages

up: setup ## Start everything and send 200 questions; again: only send
	@$(STACK) up

traffic: packages ## Send more: TOTAL=1000 RATE=50 DISTRIBUTION=poisson POPULARITY=zipf SEED=1 RUN=name
	@$(traffic_settings) $(STACK) traffic

traffic_settings = $(foreach name,TOTAL RATE DISTRIBUTION BURSTINESS POPULARITY ZIPF_EXPONENT SEED RUN SOURCE,\
	$(if $(findstring command line,$(origin $(name))),TRAFFIC_$(name)='$($(name))'))

status: packages ## Show every part, its state, port and log
	@$(STACK) status

logs: packages ## Show logs: SERVICE=kafka FOLLOW=1
	@$(STACK) logs $(SERVICE) $(if $(FOLLOW),--follow)

import: packages ## Import questions: FILE=data/train.csv
	@$(STACK) import '$(or $(FILE),$(error which file? make import FILE=data/train.csv))'

metrics-rebuild: packages ## Compute the metrics anew from the stored results
	@$(STACK) metrics-rebuild

down: packages ## Stop everything; the data stays
	@$(STACK) down

bench: setup ## Measure a stack of its own; prints a table and writes JSON to benchmarks/results
	$(VENV)/python -m benchmarks

bench-compare: packages ## Put two runs side by side: A=benchmarks/results/….json B=…
	@$(VENV)/python -m benchmarks.compare $(A) $(B)

down-and-delete-data: packages ## Stop everything and delete its data and logs
	@$(STACK) clean

test: setup ## Run every test there is
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-e2e

test-unit: setup ## Run the tests that need no servers
	cargo test --release --locked --workspace
	$(VENV)/pytest flink_job tests -m 'not e2e'

test-e2e: setup ## Run the tests against a stack of their own
	$(VENV)/pytest tests -m e2e

lint: packages ## Check style, types and likely mistakes
	cargo fmt --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy

contracts: packages ## Generate contracts/, messages.py and ARCHITECTURE's diagram from the Rust types
	cargo run --release --locked --bin contracts
	$(VENV)/python -m flink_job.generate_messages

lock: packages ## Choose the versions of both requirements.txt anew
	$(COMPILE) --upgrade --custom-compile-command 'make lock' requirements.in --output-file requirements.txt
	$(COMPILE) --constraint requirements.txt --custom-compile-command 'make lock' jobmanager/requirements.in \
		--output-file jobmanager/requirements.txt

COMPILE = $(VENV)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links
