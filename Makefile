# make help lists the targets. `make demo` runs the main job, `make test` every test, `make bench` the peers beside us.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BENCH_VENV := .bench-venv
NODE_DIR := bindings-node
RUST_SOURCES := $(shell find core/src bindings-python/src bindings-node/src Cargo.toml Cargo.lock core/Cargo.toml bindings-python/Cargo.toml bindings-node/Cargo.toml -type f 2>/dev/null)

.PHONY: help need demo test format lint test-core test-python test-node test-examples bench bench-core clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 18

need: ## check for Rust, Python, Node and a C compiler
	@PYTHON=$(PYTHON) tools/need.sh

# --- environments: made once, again when their list changes ---------------------------------------------------------

$(VENV)/.ready: bindings-python/requirements-test.txt | need
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -r bindings-python/requirements-test.txt
	@touch $@

$(BENCH_VENV)/.ready: benches/peers/requirements.txt | need
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(BENCH_VENV)/bin/python -m pip install --quiet -r benches/peers/requirements.txt
	@touch $@

$(NODE_DIR)/node_modules/.ready: $(NODE_DIR)/package.json $(NODE_DIR)/package-lock.json | need
	npm ci --prefix $(NODE_DIR) --ignore-scripts --no-audit --no-fund
	@touch $@

# --- the two commands ------------------------------------------------------------------------------------------------

demo: $(VENV)/.ready ## build what it needs and run the main job; ARGS="--events FILE --orders FILE" for your own data
	cd bindings-python && ../$(VENV)/bin/maturin develop --quiet --release
	$(PY) examples/python/customer_360.py $(ARGS)

test: need format lint test-core test-python test-node test-examples ## every test
	@echo "every test passed"

# --- its parts -------------------------------------------------------------------------------------------------------

format: $(VENV)/.ready ## formatting of Rust and Python
	cargo fmt --all --check
	$(VENV)/bin/ruff format --check --quiet bindings-python examples/test_examples.py examples/python examples/data benches
	$(VENV)/bin/ruff check --quiet bindings-python examples benches

lint: need ## clippy and rustdoc, warnings fatal
	cargo clippy --workspace --all-features --quiet -- -D warnings
	cargo clippy -p headwater -p headwater-benches --all-features --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc -p headwater --all-features --no-deps --quiet

# Properties are drawn from a stated seed, as everything else here: `make test PROPTEST_RNG_SEED=2` draws others.
export PROPTEST_RNG_SEED ?= 1

test-core: need ## the crate: unit, golden, property, oracle and doc tests
	cargo test -p headwater --all-features --quiet
	cargo check -p headwater --no-default-features --quiet

test-python: $(VENV)/.ready ## the Python package
	cd bindings-python && ../$(VENV)/bin/maturin develop --quiet
	cd bindings-python && HEADWATER_ALLOW_DEBUG=1 ../$(PY) -m pytest -q
	cd bindings-python && HEADWATER_ALLOW_DEBUG=1 ../$(PY) -m mypy
	cd bindings-python && HEADWATER_ALLOW_DEBUG=1 ../$(PY) -m mypy tests/typed.py
	cd bindings-python && HEADWATER_ALLOW_DEBUG=1 ../$(PY) -m mypy.stubtest headwater --allowlist stubtest-allowlist.txt

test-node: $(NODE_DIR)/node_modules/.ready ## the Node package
	npm run --silent --prefix $(NODE_DIR) build:debug
	npm test --silent --prefix $(NODE_DIR)

test-examples: test-python test-node ## the story told three times: same numbers; the README's code; notebooks
	cargo build -p headwater --all-features --examples --quiet
	HEADWATER_ALLOW_DEBUG=1 $(PY) -m pytest -q examples

bench: $(BENCH_VENV)/.ready ## the peers beside us; writes benches/RESULTS.md
	$(BENCH_VENV)/bin/python -m pip install --quiet "maturin>=1.16,<2"
	cd bindings-python && VIRTUAL_ENV=../$(BENCH_VENV) ../$(BENCH_VENV)/bin/maturin develop --quiet --release
	npm run --silent --prefix $(NODE_DIR) build
	$(BENCH_VENV)/bin/python benches/peers/run.py $(ARGS)

bench-core: need ## the core's own stages, for comparing one version with another
	cargo bench --package headwater-benches

clean: ## everything that was built
	cargo clean
	rm -rf $(VENV) $(BENCH_VENV) $(NODE_DIR)/node_modules $(NODE_DIR)/*.node
