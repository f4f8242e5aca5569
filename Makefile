# Everything that one does with Cotejo. `make help` lists it.

PYTHON ?= python3.11
VENV := .tools/venv/bin
STACK = $(VENV)/python -m stack

export CARGO_TARGET_DIR := $(CURDIR)/target

.DEFAULT_GOAL := help
.PHONY: help setup commands development doctor up down down-and-delete-data status logs traffic runs report import \
	metrics-rebuild explain label calibrate apply-calibration budget budget-reset estimate reask dead-letters backup restore forget \
	test test-unit test-e2e test-long test-compose test-litellm lint screenshots contracts lock fit bench bench-against bench-compare experiment

# What is compiled and tested here runs here; only test-e2e may be told otherwise.
test test-unit test-long bench bench-against screenshots experiment: export RUNTIME = native
test-e2e: export RUNTIME := $(or $(RUNTIME),native)

# What each command can be told on the command line of make.
knows.traffic := TOTAL DURATION RATE PROFILE DISTRIBUTION ASKERS THINK_TIME OUTCOME_TIMEOUT SPEED BURSTINESS POPULARITY \
	ZIPF_EXPONENT PARAPHRASES SEED RUN SOURCE
knows.logs := SERVICE FOLLOW
knows.report := RUN
knows.import := FILE
knows.explain := ANSWER REFERENCE QUESTION_TEXT QUESTION
knows.label := COUNT SEED RUN FROM
knows.calibrate := TARGET_PRECISION LABELS
knows.apply-calibration := RESET
knows.budget := RELEASE
knows.estimate := TOTAL MODEL
knows.reask := ERRORS RUN
knows.dead-letters := REPLAY TOPIC
knows.backup := BACKUP
knows.restore := BACKUP
knows.forget := QUESTION MESSAGE
knows.bench := SCENARIO ROUNDS
knows.bench-against := REV SCENARIO ROUNDS
knows.bench-compare := A B
knows.fit := DATA
knows.experiment := FILE SIMULATE

# All else there but settings is a slip of the pen.
told := $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
known := $(strip $(foreach command,$(MAKECMDGOALS),$(knows.$(command))) PYTHON RUNTIME)
settings = $(shell grep -ohE '[A-Z]+(_[A-Z]+)+' docker-compose.yml stack/settings.py)
$(foreach name,$(filter-out $(known),$(told)),$(if $(filter $(name),$(settings)),,\
	$(error $(name) is unknown to make $(MAKECMDGOALS); allowed are $(known), and settings)))

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

doctor: ## Look what this machine lacks, and how to get it
	@$(PYTHON) -m stack.doctor

setup: ## Fetch and build what is needed (the others do it by themselves)
	@$(PYTHON) -m stack.setup

commands:
	@$(PYTHON) -m stack.setup commands

development:
	@$(PYTHON) -m stack.setup development

up: setup ## Start everything and send 200 questions; again: only send
	@$(STACK) up

traffic: commands ## Send more: TOTAL=1000 DURATION=10m RATE=50 PROFILE=day DISTRIBUTION=poisson POPULARITY=zipf SEED=1 RUN=name
	@$(traffic_settings) $(STACK) traffic

traffic_settings = $(foreach name,$(knows.traffic),$(if $(filter $(name),$(told)),TRAFFIC_$(name)='$($(name))'))

status: commands ## Show every part, its state and port, what waits, and what the disk holds
	@$(STACK) status

logs: commands ## Show logs: SERVICE=kafka FOLLOW=1
	@$(STACK) logs $(SERVICE) $(if $(FOLLOW),--follow)

runs: commands ## List the runs: when, how many questions, how many accepted, what they cost
	@$(STACK) runs

report: commands ## Write a page, charts and tables of a run into reports/: RUN=name, or RUN=a,b to compare b with a
	@$(STACK) report $(given)

import: commands ## Import questions: FILE=data/train.csv
	@$(STACK) import '$(or $(FILE),$(error which file? make import FILE=data/train.csv))'

metrics-rebuild: commands ## Compute the metrics anew from the stored results
	@$(STACK) metrics-rebuild

explain: setup ## Show why an answer has its score: ANSWER=… REFERENCE=… QUESTION_TEXT=…, or QUESTION=message_id
	@$(STACK) explain $(given)

label: commands ## Judge answers yourself: COUNT=100 SEED=1 RUN=name FROM=unsure
	@$(STACK) label $(given)

calibrate: commands ## Say how far the score is right, from labels: TARGET_PRECISION=0.9 LABELS=file.csv
	@$(STACK) calibrate $(given)

apply-calibration: commands ## Let the job score by the newest calibration; RESET=1: by the shipped model
	@$(STACK) apply-calibration $(given)

budget: commands ## Show what the model has cost and who holds how much: RELEASE=replica or all, of what was killed
	@$(STACK) budget $(given)

budget-reset: commands ## Begin a new budget at zero
	@$(STACK) budget-reset

estimate: commands ## Say what questions will cost, and why: TOTAL=1000 MODEL=gpt-4o-mini
	@$(STACK) estimate $(given)

reask: commands ## Ask again what ended in an error: ERRORS=timeout,refused RUN=name; without ERRORS: show them
	@$(STACK) reask $(given)

dead-letters: commands ## Show what could not be handled: REPLAY=schema sends it back, each record once; TOPIC=questions_in
	@$(STACK) dead-letters $(given)

backup: commands ## Copy MongoDB to a folder, while everything runs: BACKUP=folder
	@$(STACK) backup $(given)

restore: setup ## Fill an empty stack with a backup: BACKUP=folder
	@$(STACK) restore $(given)

forget: commands ## Take a question's texts out of MongoDB, caches, labels and index: QUESTION=question_id or MESSAGE=message_id
	@$(STACK) forget $(given)

# What the command line of make says, as NAME=value and to the letter, whatever quotes and dollars are in it.
given = $(foreach name,$(knows.$@),$(if $(filter $(name),$(told)),$(name)="$$$(name)"))
$(foreach name,ANSWER REFERENCE QUESTION_TEXT QUESTION MESSAGE LABELS RELEASE MODEL,\
	$(if $(filter command,$(origin $(name))),$(eval override export $(name) := $$(value $(name)))))

down: commands ## Stop everything; the data stays
	@$(STACK) down

bench: development setup ## Measure a stack of its own, and print tables: SCENARIO=distinct,repeats
	$(VENV)/python -m benchmarks '$(SCENARIO)' $(if $(ROUNDS),--rounds='$(ROUNDS)')

bench-against: development setup ## Measure this and another revision in alternation: REV=HEAD~1 SCENARIO=distinct ROUNDS=5
	$(VENV)/python -m benchmarks.against '$(or $(REV),$(error which revision? make bench-against REV=HEAD~1))' \
		$(if $(SCENARIO),--scenarios='$(SCENARIO)') $(if $(ROUNDS),--rounds='$(ROUNDS)')

bench-compare: commands ## Put two runs side by side: A=benchmarks/results/….json B=…
	@$(VENV)/python -m benchmarks.compare $(A) $(B)

experiment: development setup ## Run settings × seeds on stacks of their own, and compare: FILE=experiments/cache.toml SIMULATE=1
	@$(VENV)/python -m experiments '$(or $(FILE),$(error which file? make experiment FILE=experiments/cache.toml))' \
		$(if $(filter-out 0,$(SIMULATE)),--simulate)

down-and-delete-data: commands ## Stop everything and delete its data and logs
	@$(STACK) clean

test: setup ## Run the tests, but for those that have a command of their own
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-e2e

test-unit: development setup ## Run the tests that need no servers
	# Many tests wait for what a broker or a clock does: four at once wait on two cores as well as on eight.
	cargo test --profile bench --locked --workspace -- --test-threads=4
	$(VENV)/pytest calibration experiments flink_job report tests -m 'not e2e'

test-e2e: development setup ## Run the tests against a stack of their own; RUNTIME=compose: in containers
	$(VENV)/pytest tests -m 'e2e and not long' --durations=15

test-long: development setup ## Run the tests that take minutes each: brokers that are killed, state over two million answers, a browser beside 100,000 results
	$(VENV)/pytest tests -m long --capture=no

test-compose: development ## The same in containers, where there is an engine
	@if { docker info && docker compose version; } >/dev/null 2>&1; then $(MAKE) --no-print-directory test-e2e RUNTIME=compose; \
	else echo 'No container engine with Compose answers: the tests in containers are skipped.'; fi

test-litellm: development setup ## The same against LiteLLM's proxy, which takes half a gigabyte of packages
	LITELLM=1 $(VENV)/pytest tests/test_e2e_litellm.py

lint: development ## Check style, types and likely mistakes
	cargo fmt --check
	PYO3_NO_PYTHON=1 PYO3_BUILD_EXTENSION_MODULE=1 cargo clippy --release --locked --workspace --all-targets \
		--features flink-job-native/python -- -D warnings
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy

screenshots: development setup ## Take the pictures of README.md anew, of a stack of its own
	$(VENV)/python -m tests.screenshots

contracts: ## Generate contracts/ and ARCHITECTURE's diagram from the Rust types
	# All of them, as the set-up does: with the features of this one alone, much would be compiled a second time.
	cargo build --release --locked --workspace --bins
	target/release/contracts

fit: development setup ## Fit the judge anew and print how well it does: DATA=folder with the judged answers
	$(VENV)/python -m calibration.fit '$(or $(DATA),$(error which data? make fit DATA=folder))'

lock: development ## Choose the versions of every requirements.txt anew
	$(COMPILE) --upgrade --custom-compile-command 'make lock' requirements.in --output-file requirements.txt
	for folder in jobmanager stack; do $(COMPILE) --constraint requirements.txt --custom-compile-command 'make lock' \
		$$folder/requirements.in --output-file $$folder/requirements.txt || exit; done

COMPILE = $(VENV)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links
