# Start with `make quickstart`, then `make test`. While you work: `make test-fast` and `make lint`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Isolated builds: one of the dependencies comes as source, and its own way to build breaks beside newer tools.
PIP_INSTALL := $(BIN)/python -m pip install --use-pep517 --no-compile --constraint constraints.txt
# Compiles what was installed on all cores; pip takes one. Files for other versions of Python fail and are left out.
COMPILE := $(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null || true

.PHONY: quickstart test test-fast test-jax soak parity bench results docs release lint format clean

# Options of the verb go into ARGS: make quickstart ARGS="--seed 1"
quickstart: $(VENV)/installed
	$(BIN)/bert-tf quickstart $(ARGS)

# Two processes with one thread each are faster on two cores than one process with two: most of the time goes into
# Python and into tracing. A single test file or option goes into ARGS: make test ARGS="tests/text -k offsets"
PYTEST := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest
WORKERS ?= 2
# A file's tests share fixtures; files begin in the order of tests/conftest.py, the slow ones first.
DIST := --dist loadfile --no-loadscope-reorder

# Unit tests of every part, to run while you work; two minutes on two cores.
test-fast: $(VENV)/installed-dev
	$(PYTEST) -n $(WORKERS) $(DIST) -m "not slow and not soak" $(ARGS)

# All tests but those marked soak; 15 minutes on two cores.
test: $(VENV)/installed-dev
	$(PYTEST) -n $(WORKERS) $(DIST) -m "not soak" $(ARGS)

# The models on Keras's JAX backend.
test-jax: $(VENV)/installed-dev
	KERAS_BACKEND=jax $(BIN)/python -m pytest tests/modeling $(ARGS)

# The tests marked soak; then kills training runs at random moments and compares the resulting weights. 30 minutes.
soak: $(VENV)/installed-dev
	$(PYTEST) -n $(WORKERS) $(DIST) -m soak
	$(BIN)/python tools/soak.py --folder runs/soak-1
	$(BIN)/python tools/soak.py --folder runs/soak-2 --workers 2

# Other projects open what bert_tf writes, and the other way round; makes an environment of its own with PyTorch, or
# takes one: make parity ARGS="--environment VENV"
parity: $(VENV)/installed-dev
	$(BIN)/python tools/parity.py $(ARGS)

# Speed and memory beside the peers', to docs/PERFORMANCE.md; an hour, or stop it: make bench ARGS="--data FOLDER"
bench: $(VENV)/installed-dev
	$(BIN)/python tools/benchmark.py $(ARGS)

# Fine-tunes on every data set and writes docs/RESULTS.md: make results ARGS="--data FOLDER --peers"
results: $(VENV)/installed-dev
	$(BIN)/python tools/results.py $(ARGS)

# The documentation as a site, in site/; needs no network after the installation, and fails on a broken link.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)

# Wheel and sdist in dist/, checked, installed into an empty environment and tried there: make release ARGS="--minutes 5"
release: $(VENV)/installed-release
	$(BIN)/python tools/release.py $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"bert_tf needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt | $(VENV)/python
	$(PIP_INSTALL) --editable .
	$(COMPILE)
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[garden,dev]'
	$(PIP_INSTALL) --no-deps --requirement tests/requirements.txt
	$(COMPILE)
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[docs]'
	$(COMPILE)
	touch $@

$(VENV)/installed-release: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[release]'
	$(COMPILE)
	touch $@

clean:
	rm -rf $(VENV) build dist site *.egg-info
