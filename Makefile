# Two commands matter: `make demo` runs the main job on real bars, `make test` runs the suite.
# Both build what they need on a machine with Python 3.11 and make, and nothing else.

PYTHON ?= python3.11
RUNS ?= 1000000
REPEATS ?= 3
KINDS ?= trades bars busy
SHARE ?= 1
MINUTES ?= 24
CUTS ?= 10000
LIVE_MINUTES ?= 1
VENV := .venv
BIN := $(VENV)/bin
LOCK := configs/lock
VENDOR := engine/monitor/static/vendor
STOCKS := from importlib.util import find_spec as f; print(f('bokeh_sampledata').submodule_search_locations[0] + '/_data/stocks.csv.gz')
PINNED := --quiet --strip-extras --allow-unsafe --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
COMPILE := $(BIN)/pip-compile $(PINNED)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: page bench-monitor help demo test check bench bench-peers lock-peers soak soak-live faults bench-live fuzz format lock clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo    real daily bars of five stocks through the whole line, offline and without keys
demo: $(VENV)/.demo
	$(BIN)/wyckoff replay $$($(BIN)/python -c "$(STOCKS)")

## make test    the whole suite, including make check
test: $(VENV)/.dev check
	@command -v npm >/dev/null && $(MAKE) --no-print-directory page || echo "no chart libraries: tests of the monitor's page will skip"
	$(BIN)/python -m pytest -n 2

## make check   formatting, lint, types, import contracts
check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

## make bench   rows/s through the whole line, with peak memory; out of files, out of raw messages, into bars
bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.line
	$(BIN)/python -m tests.benchmarks.bars
	$(BIN)/python -m tests.benchmarks.feeds
	$(BIN)/python -m tests.benchmarks.codecs

## make bench-peers  the same strategy on the same market in other engines; REPEATS=3 KINDS="trades bars busy" SHARE=1
bench-peers: $(VENV)/.dev
	REPEATS=$(REPEATS) KINDS="$(KINDS)" SHARE=$(SHARE) $(BIN)/python -m tests.benchmarks.peers

## make page    the chart libraries of the monitor's page, from npm, by their hashes (needs npm)
page: $(VENDOR)/.installed

$(VENDOR)/.installed: engine/monitor/package.json engine/monitor/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed once, for the chart libraries (Debian: apt-get install npm)"; exit 1; }
	mkdir -p build/page $(VENDOR)/lightweight-charts $(VENDOR)/uplot
	cp engine/monitor/package.json engine/monitor/package-lock.json build/page/
	timeout 120 npm ci --prefix build/page --ignore-scripts --no-audit --no-fund --loglevel=error
	cd build/page/node_modules/lightweight-charts && cp LICENSE dist/lightweight-charts.standalone.production.mjs $(CURDIR)/$(VENDOR)/lightweight-charts/
	cd build/page/node_modules/uplot && cp LICENSE dist/uPlot.esm.js dist/uPlot.min.css $(CURDIR)/$(VENDOR)/uplot/
	touch $@

## make bench-monitor  1,000 WebSocket clients, 5 % of which never read
bench-monitor: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.monitor

## make soak    the laws with many more examples than the suite has time for
soak: $(VENV)/.dev
	WYCKOFF_SOAK=1 $(BIN)/python -m pytest -n 2 -m "slow or not slow"

## make soak-live  a day in 24 minutes, thousands of reconnects: memory, files and tasks flat; MINUTES=24 CUTS=10000
soak-live: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.soak --minutes $(MINUTES) --reconnects $(CUTS)

## make faults  what goes wrong with venues, processes and hosts, each against a whole trading session
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults

## make bench-live  frame to verdict, loop lag, memory on 2,000 trades/s with faults, then the replay; LIVE_MINUTES=1
bench-live: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.live_session --minutes $(LIVE_MINUTES)

## make fuzz    what readers and codecs make of 1,000,000 odd inputs; RUNS=... for another number
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz.fuzz_codecs -runs=$$(( $(RUNS) / 2 ))
	$(BIN)/python -m tests.fuzz.fuzz_files -runs=$$(( $(RUNS) / 2 ))

## make format  rewrite the tree in the project's style
format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## make lock    pin the newest allowed versions, with hashes
lock: $(VENV)/.dev
	$(PIP) install pip-tools
	$(COMPILE) --extra demo --output-file $(LOCK)/demo.txt pyproject.toml
	$(COMPILE) --extra dev --extra demo --extra alpaca --extra ccxt --extra parquet --extra calendars --extra pictures --output-file $(LOCK)/dev.txt pyproject.toml

## make lock-peers  pin what the engines of make bench-peers need, each for its Python
lock-peers: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.peers.environments lock $(PINNED) --pre

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The dev lock holds everything the demo lock does.
$(VENV)/.dev: $(LOCK)/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing the locked development environment into $(VENV)"
	$(PIP) install --require-hashes -r $(LOCK)/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $(VENV)/.dev $(VENV)/.demo

$(VENV)/.demo: $(LOCK)/demo.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing the locked environment of the demo into $(VENV)"
	$(PIP) install --require-hashes -r $(LOCK)/demo.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $(VENV)/.demo
