# Everything sets itself up: `make demo` on a fresh machine is the first command to try.
PYTHON ?= python3
BIN := .venv/bin
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST := $(THREADS) $(BIN)/python -P -m pytest
DEMO ?= demo-workspace
PACKS ?=

.PHONY: demo test test-long test-production test-label-studio check bench format lock setup clean

demo: setup  ## a complete story on real digits, no servers; about three minutes
	$(BIN)/assay demo $(DEMO)

test: setup  ## every test but the long ones
	$(PYTEST) -n 2 --dist loadgroup -m "not long"

test-long: setup  ## the long ones: minutes to hours
	$(PYTEST) -m "long and not production"

test-production: setup  ## ten drops while everything is killed, on SQLite and on PostgreSQL; about half an hour
	ASSAY_RECORD=benchmarks/results $(PYTEST) -m production -s

test-label-studio: setup  ## against a real Label Studio server, which is installed first (800 MB, once); minutes
	$(BIN)/python scripts/label_studio.py
	$(PYTEST) -m label_studio

check: setup  ## what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

bench: setup  ## what docs/ claims, measured again (PACKS=FOLDER: real data too); an hour, and a quiet machine
	mkdir -p benchmarks/results
	$(THREADS) $(BIN)/python benchmarks/receive.py benchmarks/results/receive.json
	$(THREADS) $(BIN)/python benchmarks/increment.py benchmarks/results/increment.json
	$(THREADS) $(BIN)/python benchmarks/calibration.py benchmarks/results/calibration.json
	$(THREADS) $(BIN)/python benchmarks/review.py benchmarks/results/review.json
	$(THREADS) $(BIN)/python benchmarks/review_page.py benchmarks/results/review-page.json
	$(THREADS) $(BIN)/python benchmarks/outoffold.py benchmarks/results/outoffold.json
	$(THREADS) $(BIN)/python benchmarks/graph.py benchmarks/results/graph.json
	$(THREADS) $(BIN)/python benchmarks/audit.py benchmarks/results/audit.json $(PACKS:%=--packs %)
	$(if $(PACKS),$(THREADS) $(BIN)/python benchmarks/pairs.py benchmarks/results/pairs.json --packs $(PACKS))

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup:
	@$(PYTHON) scripts/set_up.py

lock: setup  ## resolve pyproject.toml again: names, versions and hashes, no addresses
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --group dev pyproject.toml --output-file requirements.lock --quiet $(LOCK_FLAGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis $(DEMO)
