# make fit      the default joint fit, from nothing
# make test     lint, types and fast tests, from nothing (test-all: slow ones too)
# make docs     the site, without warnings, into docs/_build/html
# make install  .venv with the command line in .venv/bin/astroemu
# make multinest  the library of MultiNest into .venv (asks for its licence; needs gfortran and LAPACK)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install multinest fit docs test test-all durations coverage lint bench emulator emulator-mcg emulator-park19 clean

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST) | head -5

install: $(VENV)/.installed

$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt -e .
	@$(PIP) install --quiet -c constraints.txt -e '.[ultranest]' > $(VENV)/ultranest.log 2>&1 || \
	  echo "UltraNest was left out: it needs a C compiler (apt-get install gcc python3-dev, then make install again)."
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[test]'
	@touch $@

multinest: install
	$(BIN)/astroemu install multinest

fit: install
	$(BIN)/astroemu fit

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Written: docs/_build/html/index.html"

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Processes with one thread each: one more than the cores, since many tests wait for others, and at most four. A file of
# tests stays together, since it shares what it fits. Compiled modules are kept, also where the environment says otherwise.
WORKERS = $(shell n=$$(( $$(nproc 2>/dev/null || echo 2) + 1 )); echo $$(( n < 4 ? n : 4 )))
PARALLEL = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile

test: lint
	$(PARALLEL) -m "not slow"

test-all: lint
	$(PARALLEL)

# The slowest tests, one after the other.
durations: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" --durations=40 --durations-min=0.5

# Which lines and branches the fast tests reach, by module.
coverage: $(VENV)/.installed-test
	$(PARALLEL) -m "not slow" --cov --cov-report=term

# The engines and whole posteriors, beside what one would run instead, and the memory (hours).
# With py21cmemu (pip install -e '.[21cmemu]') they are compared with 21CMMC's way. BENCH=--quick shows that all works.
bench: install
	$(BIN)/astroemu bench
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/posteriors.py $(BENCH)
	$(BIN)/python benchmarks/memory.py $(BENCH)

# The shipped emulator and its errors, made again from nothing (an hour and a half on two cores; needs PyTorch).
emulator: install
	$(PIP) install --quiet -c constraints.txt -e '.[21cmemu]'
	$(BIN)/astroemu simulate docs/examples/train_acg.toml --out training/acg_set.h5 --workers 2
	$(BIN)/astroemu train docs/examples/train_acg.toml --data training/acg_set.h5 --out training/acg_1.h5
	sed -e 's/^n = 524288/n = 262144/' -e 's/^seed = 1$$/seed = 77/' docs/examples/train_acg.toml > training/new.toml
	$(BIN)/astroemu simulate training/new.toml --out training/acg_new.h5 --workers 2
	$(BIN)/astroemu train docs/examples/train_acg.toml --data training/acg_new.h5 --errors-of training/acg_1.h5 \
	  --out training/acg.h5

# The shipped emulator with minihalos (five CPU hours; needs PyTorch).
emulator-mcg: install
	$(PIP) install --quiet -c constraints.txt -e '.[21cmemu]'
	$(BIN)/astroemu simulate docs/examples/train_mcg.toml --out training/mcg_set.h5 --workers 2
	$(BIN)/astroemu train docs/examples/train_mcg.toml --data training/mcg_set.h5 --out training/mcg.h5

# The shipped emulator of galaxies in any cosmology (twenty minutes on two busy cores).
emulator-park19: install
	$(BIN)/astroemu simulate docs/examples/train_park19_cosmology.toml --out training/park19_set.h5 --workers 2
	$(BIN)/astroemu train docs/examples/train_park19_cosmology.toml --data training/park19_set.h5 \
	  --out training/park19_cosmology.h5

clean:
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache
