# Two commands on a fresh machine: `make run` and `make test`. Both install what is missing first.

PYTHON := .venv/bin/python
# Three for two cores: tests wait a third of their time.
WORKERS ?= $(shell echo $$(( $$(nproc) * 3 / 2 )))
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

# Tests and the product start hundreds of Python processes: what one has compiled the next need not compile again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test quick check types rules bench faults test-cluster format lock audit clean build-SharedLayer

help:                  ## what can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 21

setup:                 ## .venv with everything in it, and the servers this machine lacks
	@infra/setup.sh

run:                   ## start the scoreboard: http://127.0.0.1:8080
	@infra/setup.sh --to-run
	@exec .venv/bin/scoreboard serve $(ARGS)

test:                  ## lint, types, import rules and all tests, on servers the tests start themselves
	@infra/setup.sh --for-tests
	@$(MAKE) --no-print-directory check
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

quick: setup           ## unit, contract and handler tests but the longest
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup --quiet -m "not long" tests/unit tests/contract tests/handlers $(ARGS)

check: setup           ## ruff, mypy --strict, import-linter, bandit, secret scan, generated documents
	@$(MAKE) --no-print-directory --jobs 2 types rules

types:
	@.venv/bin/mypy shared local_runtime infra functions tests

rules:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@broken=$$(.venv/bin/lint-imports --no-logo 2>&1) || { echo "$$broken" | tail -n 30; exit 1; }
	@.venv/bin/bandit --quiet --configfile pyproject.toml --recursive shared local_runtime infra functions
	@$(PYTHON) -m infra.checks.secret_scan
	@$(PYTHON) -m infra.documents --check
	@$(PYTHON) -m infra.package.requirements --check
	@$(PYTHON) -m infra.checks.template

bench: setup           ## the benchmarks
	@$(PYTHON) -m tests.benchmarks $(ARGS)

faults: setup          ## break the product in every way, a hundred times, and count the points
	@$(PYTHON) -m tests.faults $(ARGS)

test-cluster: setup    ## containers from the image, three hosts in network namespaces: break both, and count the points; as root
	@$(PYTHON) -m tests.cluster $(ARGS)

format: setup          ## format the code and write the generated documents
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format --quiet .
	@$(PYTHON) -m infra.documents

lock: setup            ## pin the dependencies of pyproject.toml with hashes, for every Python from 3.11 on, and those of the layer
	@.venv/bin/pip install --quiet uv
	@.venv/bin/uv pip compile $(LOCK) --all-extras --strip-extras --output-file requirements.txt pyproject.toml
	@.venv/bin/uv pip compile $(LOCK) --constraint requirements.txt --output-file infra/package/runtime-requirements.txt pyproject.toml
	@.venv/bin/uv pip compile $(LOCK) --output-file tests/benchmarks/peers/requirements.txt tests/benchmarks/peers/requirements.in
	@.venv/bin/uv pip compile $(LOCK) --no-deps --output-file infra/kubernetes/helm-requirements.txt infra/kubernetes/helm-requirements.in
	@$(PYTHON) -m infra.package.requirements

audit: setup           ## look the pinned requirements up among known vulnerabilities; needs the network
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" && \
		"$$tools/bin/pip" install --quiet pip-audit && \
		"$$tools/bin/pip-audit" --require-hashes --disable-pip --requirement requirements.txt

clean:                 ## remove what the tools left (not .venv, not the data in .local)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# `sam build` calls this for the layer.
build-SharedLayer:
	@$(PYTHON) -m infra.package layer --out "$(ARTIFACTS_DIR)"
	@$(PYTHON) -m zipfile -e "$(ARTIFACTS_DIR)/layer.zip" "$(ARTIFACTS_DIR)" && rm "$(ARTIFACTS_DIR)/layer.zip"
