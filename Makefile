# Every target, explained by `make help`. Settings may stand in a file .env.
-include .env
export

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
STAGE ?= dev
SCOPES ?= admin
NAME ?= operator

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench soak package deploy key fix clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv with everything pinned (the other targets do it when needed)

$(VENV)/.ready: requirements.txt requirements-dev.txt constraints.txt sdk/pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null \
	  || { echo "Eventyard needs Python 3.11: install it, or say where it is with PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV) (a minute or two, once)"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check 'pip<26.3'
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

run: setup ## Run the whole platform at http://localhost:5555; edits redeploy by themselves
	@exec $(RUN) -m infra.local

test: setup ## Run every test (unit, service, api, package, end to end)
	@$(RUN) -m pytest -q -n 2 tests/unit tests/api tests/service tests/package
	@$(RUN) -m pytest -q -n 2 --dist loadfile -m "not soak" tests/e2e

check: setup ## Check style, types, layers and the CloudFormation template
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(RUN) -m infra.deploy --template-only --stage check > /dev/null
	@$(VENV)/bin/cfn-lint .eventyard/build/out/stack.yaml

fix: setup ## Let ruff mend what it can
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: setup ## Measure speed, side by side with what one would use instead
	@$(RUN) -m tests.bench

PAGES := $(wildcard tests/e2e/test_page*.py) tests/e2e/test_api_pages.py

soak: setup ## Run the long forms of the heavy tests (kills, floods, cuts), and all of the pages
	@$(RUN) -m pytest -q -m soak $(PAGES:%=--ignore=%)
	@$(RUN) -m pytest -q -n 2 --dist loadfile -m soak $(PAGES)
	@$(RUN) -m pytest -q -n 2 -m property --hypothesis-profile=thorough \
	  tests/unit tests/api tests/service

package: setup ## Build the deployable zip and template into .eventyard/build/out
	@$(RUN) -m infra.package

deploy: setup ## Deploy to AWS, or to AWS_ENDPOINT_URL: make deploy STAGE=prod
	@$(RUN) -m infra.deploy --stage $(STAGE)

key: setup ## Make an API key: make key STAGE=prod NAME=ci SCOPES="events:publish"
	@$(RUN) -m infra.keys --stage $(STAGE) --name "$(NAME)" $(SCOPES)

clean: ## Remove everything that was built (not .eventyard/ with its events)
	@rm -rf $(VENV) .eventyard/build build .pytest_cache .mypy_cache .ruff_cache .hypothesis
