# The interface of the project: make run, make test, make lint (make help lists the rest).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := Snakefile $(wildcard rules/*.smk)

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Jobs and tests find the package themselves.
PACKAGE := PYTHONPATH=scripts python

.PHONY: help setup run plan test fuzz test-slurm lint format dag docs docs-site lock bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## create .venv from requirements.lock, where missing or stale

# pip's own download bars say how the 5 GB are coming along.
$(STAMP): requirements.lock
	@echo "robustmia: installing the locked packages into $(VENV) (about 5 GB, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "robustmia: Python 3.11 or newer is needed; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(STAMP)

run: setup  ## the whole pipeline on config.yaml, then the main table
	@snakemake --cores all
	@$(PACKAGE) -m robustmia.workflow.summary config.yaml

plan: setup  ## jobs, hours and disk of a configuration, before anything runs: make plan CONFIG=configs/paper/yale_small.yaml
	@snakemake -n $(if $(CONFIG),--configfile $(CONFIG))
	@$(PACKAGE) -m robustmia.workflow.plan $(CONFIG)

test: setup  ## every test (ROBUSTMIA_SHARED=/path/to/shared adds those on real data)
	@pytest -n 2

fuzz: setup  ## look for configurations that are met badly: make fuzz SECONDS=600
	@PYTHONPATH=scripts:tests python tests/config/fuzz.py $(or $(SECONDS),600)

test-slurm: setup  ## the tests on a throw-away SLURM (as root, with slurm-wlm, slurmdbd, munge and mariadb-server)
	@pytest tests/slurm

lint: setup  ## ruff, snakefmt, snakemake --lint, mypy
	ruff check scripts tests benchmarks website
	ruff format --check scripts tests benchmarks website
	snakefmt --check $(SOURCES)
	snakemake --lint
	mypy

format: setup  ## rewrite the code in its standard form
	ruff check --fix scripts tests benchmarks website
	ruff format scripts tests benchmarks website
	snakefmt $(SOURCES)

dag: setup  ## draw the graph of rules to results/rulegraph.svg (needs graphviz)
	@command -v dot >/dev/null || { echo "robustmia: the graph needs graphviz: apt-get install graphviz"; exit 1; }
	@snakemake --rulegraph dot all 2>/dev/null | dot -Tsvg > results/rulegraph.svg
	@echo "robustmia: results/rulegraph.svg"

docs: setup  ## write docs/configuration.md, config.schema.json and configs/paper/all.yaml from what they repeat
	$(PACKAGE) -m robustmia.config.docs configuration > docs/configuration.md
	$(PACKAGE) -m robustmia.config.docs schema > config.schema.json
	$(PACKAGE) -m robustmia.config.docs paper > configs/paper/all.yaml

docs-site: setup  ## build docs/ and the docstrings as a site in results/site; a broken link is an error
	@PYTHONPATH=website zensical build --strict --clean
	@echo "robustmia: results/site/index.html"

bench: setup  ## time attacks, training, bounds, inference and plans (docs/performance.md), in an hour
	@for one in attacks training steps ensembles bounds inference scale draw; do $(PACKAGE) benchmarks/$$one.py || exit 1; done

# uv (https://docs.astral.sh/uv) resolves for every platform and Python at once; constraints.txt holds exact pins.
lock:  ## resolve pyproject.toml into requirements.lock again
	uv pip compile pyproject.toml --group dev --group docs --universal --fork-strategy fewest --python-version 3.11 \
		--constraint constraints.txt --generate-hashes --no-header \
		--output-file requirements.lock

clean:  ## remove results, keep .venv and data
	rm -rf results/* .snakemake
