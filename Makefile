# Yeji's commands. `make` alone lists them. Only Python 3.11+ and make need to be there for `make run`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCAL  := PYTHONPATH=deploy/local $(BIN)/python -m local_services

.DEFAULT_GOAL := help
.PHONY: help install run test coverage check lint soak audit docs services services-stop services-status services-fetch lock env clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

run: $(VENV)/.run ## install, then run the main job here: ARGS="--csv PATH" replays a file
	$(BIN)/yeji run $(ARGS)

install: $(VENV)/.dev ## install for development, without running anything

test: $(VENV)/.dev ## everything that must hold: lint, types, tests on real services, coverage
	bash deploy/ci/prepare
	$(MAKE) --no-print-directory lint
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m streams.prepare # so that no process of a test waits for the compiler
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

coverage: $(VENV)/.dev ## after `make test`: add what kernels run as plain Python, and report again
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q -W ignore -m "not slow and not compiler and not services and not soak" tests/detectors \
	    --cov --cov-append --cov-report=term-missing:skip-covered

check: $(VENV)/.dev ## the quick part: lint, types and the tests that need no service, in random order
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q -m "not services and not browser and not slow and not soak" $(ARGS)

lint: $(VENV)/.dev ## ruff's rules and format, mypy's types, and that what is imported is declared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=deploy/local $(BIN)/mypy -p local_services
	$(BIN)/deptry --no-ansi detectors pipeline connectors desk streams

soak: $(VENV)/.dev ## faults by lot on real services, every reading accounted for: ARGS="--minutes 60"
	bash deploy/ci/prepare services
	PYTHONPATH=.:deploy/local $(BIN)/python -m tests.survival.soak $(ARGS)

audit: $(VENV)/.dev ## a bill of materials (CycloneDX) in var, and known vulnerabilities where a service answers
	@bash deploy/ci/audit

docs: $(VENV)/.dev ## write what is made from the code: settings, commands, index, dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/yeji grafana write deploy/grafana/dashboards

services: $(VENV)/.dev ## start real Kafka and InfluxDB in the background, data in var/services
	@bash deploy/ci/prepare services
	@$(LOCAL) start $(ARGS)

services-stop: $(VENV)/.dev ## stop them; data stays
	@$(LOCAL) stop $(ARGS)

services-status: $(VENV)/.dev ## where they are
	@$(LOCAL) status $(ARGS)

services-fetch: $(VENV)/.dev ## fetch Kafka and build InfluxDB, start nothing
	@$(LOCAL) fetch

env: ## write .env with random passwords for docker-compose.yml, unless it is there
	@$(PYTHON) deploy/make_env.py

lock: $(VENV)/.dev ## write constraints.txt anew, from what this .venv holds
	$(BIN)/python deploy/lock.py > constraints.new && mv constraints.new constraints.txt

clean: ## remove .venv and the tools' caches (not var/: that is data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* dist

# A stamp each: what is installed is installed again only when its list changed.
$(VENV)/bin/python:
	PYTHON="$(PYTHON)" sh deploy/make_venv.sh "$(VENV)"

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@touch $@ $(VENV)/.run
