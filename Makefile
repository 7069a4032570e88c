# The interface of the project: make run, make test, make lint (make help lists the rest).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := Snakefile $(wildcard rules/*.smk)

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)/scripts

.PHONY: help setup run test lint format dag docs lock bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## create .venv from requirements.lock, where missing or stale

# pip's own download bars say how the 5 GB are coming along.
$(STAMP): requirements.lock
	@echo "robustmia: installing the locked packages into $(VENV) (about 5 GB, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "robustmia: Python 3.11 or newer is needed; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(STAMP)
