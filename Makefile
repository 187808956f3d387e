# redis-sentinel-operator. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/redis-sentinel-operator
LOCK_ID := $(shell sha256sum tests/requirements.txt | cut -c1-16)
VENV := $(CACHE)/venv-$(LOCK_ID)
PYTHON := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)/tests
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / — /' | sort

.PHONY: venv
venv: $(VENV)/.ready ## the Python environment of the checks, in the cache (no root)
	@ln -sfn $(VENV) .venv

$(VENV)/.ready: tests/requirements.txt
	@echo "venv: installing $$(grep -c == tests/requirements.txt) pinned packages into $(VENV)"
	rm -rf $(VENV).tmp $(VENV) && mkdir -p $(CACHE)
	/usr/bin/python3 -m venv $(VENV)
	$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

.PHONY: lock
lock: ## pin requirements.in into requirements.txt, with hashes and without addresses
	$(VENV)/bin/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate operator/requirements.in -o operator/requirements.txt
	$(VENV)/bin/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate tests/requirements.in -o tests/requirements.txt
