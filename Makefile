# redis-sentinel-operator. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/redis-sentinel-operator
LOCK_ID := $(shell sha256sum tests/requirements.txt | cut -c1-16)
VENV := $(CACHE)/venv-$(LOCK_ID)
PYTHON := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)/tests
# Compiled once for all runs and workers, the assertions that pytest rewrites among it; none of it in the checkout.
export PYTHONPYCACHEPREFIX := $(CACHE)/bytecode
unexport PYTHONDONTWRITEBYTECODE
export PIP_CACHE_DIR ?= $(CACHE)/pip

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / — /' | sort

.PHONY: venv
venv: $(VENV)/.ready ## the Python environment of the checks, in the cache (no root)
	@ln -sfn $(VENV) .venv

# Its name says which packages are in it, so it is made once: another checkout may be running from it.
$(VENV)/.ready:
	@/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || \
	  { echo "Python 3 with its venv module is missing here: run \`make machine\` as root first" >&2; exit 2; }
	@echo "venv: installing $$(grep -c == tests/requirements.txt) pinned packages into $(VENV), which takes a minute"
	@rm -rf $(VENV).tmp $(VENV) && mkdir -p $(CACHE)
	@/usr/bin/python3 -m venv $(VENV)
	@$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@

.PHONY: lock
UV_COMPILE = $(VENV)/bin/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: venv ## pin requirements.in into requirements.txt, with hashes and without addresses
	$(UV_COMPILE) operator/requirements.in -o operator/requirements.txt
	$(UV_COMPILE) -c operator/requirements.txt operator/requirements-cli.in -o operator/requirements-cli.txt
	$(UV_COMPILE) tests/bench/requirements.in -o tests/bench/requirements.txt
	$(UV_COMPILE) docs/requirements.in -o docs/requirements.txt
	echo hatchling==1.27.0 | $(UV_COMPILE) - -o operator/requirements-build.txt
	$(UV_COMPILE) tests/requirements.in -o tests/requirements.txt

# ---- what runs -------------------------------------------------------------------------------------------------------
RUN := $(PYTHON) -W error::SyntaxWarning -m

.PHONY: machine
machine: ## check that this is a Debian 12 with root, and install what the lab and the checks need
	@./tests/lab/prepare.sh

.PHONY: demo
demo: machine venv ## the seed's cluster on four real hosts: installed, failed over, healed (KEEP=1, NODE=1)
	@$(RUN) lab.demo

# Said before anything is installed, and before a lab of root's is called absent.
.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo "Labs belong to root: do this as root." >&2; exit 2; }

.PHONY: lab-up lab-down lab-status lab-shell lab-boot
lab-up: machine venv ## bring up bare hosts and an API server that knows the resource, and leave them up
	@$(RUN) lab up
lab-down: root venv ## take the lab down
	@$(RUN) lab down
lab-status: root venv ## what is up
	@$(RUN) lab status
lab-shell: root venv ## a shell on a host: make lab-shell HOST=redis_master01
	@$(RUN) lab shell "$(HOST)"
lab-boot: root venv ## switch a host on again: make lab-boot HOST=redis_master01
	@$(RUN) lab boot "$(HOST)"

.PHONY: image
image: machine venv ## build the container image with buildah
	@$(RUN) lab.image

.PHONY: sbom
sbom: venv ## what Python packages the image has, as CycloneDX: dist/sbom.cdx.json
	@$(RUN) lab.sbom dist/sbom.cdx.json

# ---- checks ----------------------------------------------------------------------------------------------------------
PYTEST := $(RUN) pytest -p no:cacheprovider

# Scripts for hosts are put together of parts: a part has no shebang and uses names that another sets.
SHELLCHECK_PARTS := $(VENV)/bin/shellcheck --shell=sh --severity=warning --exclude=SC2034,SC2154,SC2174

.PHONY: lint
lint: venv ## ruff, mypy, import contracts, shellcheck
	$(VENV)/bin/ruff format --check operator tests
	$(VENV)/bin/ruff check operator tests
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/shellcheck tests/lab/*.sh .ci/run
	$(SHELLCHECK_PARTS) operator/redis_sentinel_operator/*/*.sh

# A process for each half: workers of one process would each collect, and at first compile, all of it.
HALF := tests/unit/judge tests/unit/operations tests/unit/plan

.PHONY: test-unit
test-unit: venv ## what needs no server: no root, under 30 s; an eighth of the random examples (real sshd: ONLY=tests/unit/connect)
ifdef ONLY
	QUICK=1 $(PYTEST) $(ONLY)
else
	@echo "two halves of the unit tests, side by side; the other one is shown when this one is through"
	@half=$$(mktemp); trap 'rm -f "$$half"' EXIT; status=0; \
	QUICK=1 $(PYTEST) $(HALF) > "$$half" 2>&1 & other=$$!; \
	QUICK=1 $(PYTEST) tests/unit $(patsubst %,--ignore=%,$(HALF) tests/unit/connect) || status=$$?; \
	wait $$other || status=$$?; cat "$$half"; exit $$status
endif

# Three workers on two cores: tests mostly wait for sentinels. WORKERS=0 runs one after the other, for a debugger.
WORKERS ?= 3

.PHONY: artefacts
artefacts: machine venv ## build what labs are made of: minutes the first time, then nothing
	@$(RUN) lab artefacts

.PHONY: test
test: machine venv lint artefacts ## everything CI runs; a part of it with ONLY="tests/e2e/test_seed.py -k bare"
	$(PYTEST) -m "not long" -n $(WORKERS) $(or $(ONLY),tests)

# What the bench measures against, and the play that a test runs, live in an environment of their own: its paramiko is another one.
BENCH_VENV := $(CACHE)/bench-venv-$(shell sha256sum tests/bench/requirements.txt | cut -c1-16)
DOCS_VENV := $(CACHE)/docs-venv-$(shell sha256sum docs/requirements.txt | cut -c1-16)

# An environment of its own in the directory of the target, with the packages of the file that follows.
INSTALL = rm -rf $(@D) && mkdir -p $(CACHE) && /usr/bin/python3 -m venv $(@D) && \
  $(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r

$(BENCH_VENV)/.ready:
	@echo "bench: installing Ansible and pyinfra into $(@D)"
	$(INSTALL) tests/bench/requirements.txt
	touch $@

$(DOCS_VENV)/.ready:
	@echo "docs: installing MkDocs into $(@D)"
	@$(INSTALL) docs/requirements.txt
	@touch $@

SITE ?= dist/site

.PHONY: docs  # not --quiet: what is not shown does not count for --strict
docs: $(DOCS_VENV)/.ready ## the pages of docs/ as a site in dist/site (SITE=...): whatever is wrong in them ends it (no root)
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --clean --site-dir $(abspath $(SITE))

.PHONY: test-long
test-long: machine venv artefacts $(BENCH_VENV)/.ready ## the matrices; resumable by ONLY="tests/e2e/... -k ..."
	BENCH_VENV=$(BENCH_VENV) $(PYTEST) -m long $(or $(ONLY),tests)

.PHONY: bench
bench: machine venv artefacts $(BENCH_VENV)/.ready ## how fast it is, against a play, a deploy and bare paramiko in the same run
	@$(RUN) bench $(BENCH_VENV) $(ONLY)

.PHONY: generate
generate: venv ## the CRD from the models, deploy/ from its chart (builds helm the first time), what docs/ takes from the product
	$(PYTHON) -m redis_sentinel_operator.api.crd
	$(PYTHON) -m lab.helm
	$(PYTHON) -m handbook
