# `make run` measures this link; `make test` runs the tests. Both first make what they need.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEVELOPING := $(VENV)/ready-to-test
# A file stays with one worker, for some files share a costly fixture: a country of namespaces, a wheel. The longest are
# begun first (tests/order.py), and with twice as many workers as cores, for half of those wait more than they work.
WORKERS ?= $(shell echo $$(($$(nproc) * 2)))
# Bytecode is kept, whatever the environment says: else each worker rewrites all assertions again, and each of the hundreds
# of programs that the tests start compiles itself first.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run link setup test pythons lab lab-loaded demo torture bench-influx bench-collector dashboards grafana-load oonidata test-deps check format-check lint types lock clean pictures tools torture-long bench-networks
.DELETE_ON_ERROR:

run: setup
	@exec $(BIN)/ringback-collector local --data ./data $(if $(filter 1,$(ONCE)),--once) $(ARGS)

# Another link to the page of the collector that `make run` runs: it opens once.
link: setup
	@exec $(BIN)/ringback-collector link --data ./data

# What measuring and collecting need; `tools` adds what tests, types and dashboards need.
setup: $(READY)

tools: $(DEVELOPING)

# A stamp carries when the environment last agreed with the two files; while it does, no network is needed.
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ringback needs Python 3.11 or later")'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[collector]'
	touch $@

$(DEVELOPING): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[collector,dev]'
	touch $@

test: tools
	@if [ "$(NO_APT)" != 1 ]; then tests/install-packages.sh --if-possible; fi
	@scratch=$$(tests/scratch.sh) && trap 'rm -rf "$$scratch"' EXIT INT TERM && TMPDIR=$$scratch $(PYTEST) $(ARGS)

# The scoreboard of the simulated country: needs root, and the machine for itself. ARGS="--entry NAME" runs a part of it.
lab: tools
	$(BIN)/python -m tests.lab $(ARGS)

# Three hundred runs of it beside twenty busy processes: what is still concluded must be true. Half an hour at most.
lab-loaded: tools
	$(BIN)/python -m tests.lab --loaded $(ARGS)

# The simulated country under a ban, to look at: prints where.
demo: tools
	@exec $(BIN)/python -m tests.lab.demo $(ARGS)

# The picture in the README, from the replay of Morocco's ban: some minutes.
pictures: setup
	$(BIN)/python -m collector.replay.picture morocco-2016 docs/pictures/morocco-2016.svg

# Grafana's dashboards and alert rules, from the program in grafana/building.
dashboards: tools
	$(BIN)/python -m grafana.building

# The dashboards' queries on a month of rollups of 10,000 probes: some five minutes.
grafana-load: tools
	$(BIN)/python -m tests.grafana.load

# OONI's own parser reads an export. It needs old releases of what we need new ones of, so it has an environment of its own.
oonidata: tools
	test -x $(VENV)-oonidata/bin/pip || $(PYTHON) -m venv $(VENV)-oonidata
	$(VENV)-oonidata/bin/pip install --quiet --disable-pip-version-check -r tests/collector/package/oonidata.txt
	$(BIN)/pytest tests/collector/package/test_oonidata.py $(ARGS)

# What a collector must survive, each line with its figure and mark: twenty minutes, on a machine that does nothing else.
# ARGS="--only T8" runs one line of them.
torture: tools
	$(BIN)/python -m tests.torture $(ARGS)

# The same for longer: 300 kills, an hour's soak, 10,000 probes at once. ARGS="--kills 30 --soak-s 300 --probes 1000" for less.
torture-long: tools
	$(BIN)/python -m tests.torture --long $(ARGS)

# How fast an InfluxDB is caught up with, on a real one: some minutes. ARGS="--probes 2000" for less.
bench-influx: tools
	$(BIN)/python -m tests.bench.influx $(ARGS)

# How fast a collector is, each line with its figure and mark: docs/figures.md. ARGS="--only ingest".
bench-collector: tools
	$(BIN)/python -m tests.bench.collector $(ARGS)

# What the table of networks needs, of processor and memory. ARGS="FILE…" takes tables that others publish.
bench-networks: tools
	$(BIN)/python -m tests.bench.networks $(ARGS)

# The probe's tests under Python 3.11 to 3.13, as far as this machine has them.
pythons:
	@tests/pythons.sh $(ARGS)

# The Debian packages that the tests need (tests/packages.txt); needs root.
test-deps:
	@tests/install-packages.sh

check: format-check lint types test

format-check: tools
	$(BIN)/ruff format --check

lint: tools
	$(BIN)/ruff check

types: tools
	$(BIN)/mypy

lock: tools
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --strip-extras --extra collector --extra dev \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) $(VENV)-oonidata $(VENV)-3.* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
