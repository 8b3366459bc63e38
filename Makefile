# Two commands do everything: `make demo` shows what saactors does, `make test` runs every check.

PYTHON ?= python3
BIN := .venv/bin
# The suite is made for two cores.
TEST_WORKERS ?= 2
DEMO := demo/report.html demo/esp.pcap demo/esp_sa demo/events.msgpack

.PHONY: demo test lint fast interop live soak bench fuzz coverage lock clean

demo: .venv/run
	$(BIN)/saactors replay demo/traffic.pcap.gz --profile netdevsim --verify \
	    --report demo/report.html --write-esp demo/esp.pcap --write-keys demo/esp_sa \
	    --events demo/events.msgpack

test: lint coverage

# Lint, types and layers: seconds, so first.
lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# All tests; then those of the packet and rule functions once more as plain Python, because
# coverage cannot see into compiled code (without those that are about compiling). Together they
# must reach 95 % of the cores' lines.
COVER := --cov=nicmodel --cov=saactors.model --cov=saactors.esp --cov=saactors.placement
coverage: .venv/dev
	$(BIN)/pytest -n $(TEST_WORKERS) $(COVER) --cov-report=
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q -n $(TEST_WORKERS) -m "not slow" $(COVER) --cov-append \
	    --cov-report=term:skip-covered --cov-fail-under=95 \
	    tests/esp tests/placement tests/claims/test_method_claims.py \
	    --ignore=tests/placement/test_user_file.py

# What a developer runs between edits.
fast: .venv/dev
	$(BIN)/pytest -n $(TEST_WORKERS) -m "not slow"

# Live against strongSwan and the Linux kernel, and against DPDK's captures, tshark and scapy.
# As root, for network namespaces; a peer whose package is missing is told and left out.
interop: .venv/dev
	$(BIN)/python tests/interop/interop.py --write docs/interop.md $(INTEROP)

# TCP through the gateway and back, a minute against each peer, while SAs move; as root.
LIVE_SECONDS ?= 60
live: .venv/dev
	$(BIN)/python tests/live/live.py --seconds $(LIVE_SECONDS)

# Two gateways under traffic while everything about them changes; as root.
SOAK_SECONDS ?= 600
soak: .venv/dev
	$(BIN)/python tools/soak.py --seconds $(SOAK_SECONDS)

bench: .venv/dev
	$(BIN)/python tools/bench.py

# Seconds for each target; see docs/fuzzing.md.
FUZZ_SECONDS ?= 60
fuzz: .venv/dev
	$(BIN)/python tools/fuzz.py --seconds $(FUZZ_SECONDS)

# Pin anew what the ranges in pyproject.toml allow; needs pip-tools in the environment.
lock: .venv/dev
	$(BIN)/python tools/lock.py

.venv/run: pyproject.toml requirements/run.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/run requirements/dev.txt
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f $(DEMO)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
