# Two commands on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
HOME_DIR ?= .vigie/home
# Tests run beside each other, one process for each processor; four are enough for this suite.
WORKERS  ?= $(shell $(PYTHON) -c "import os; print(min(4, os.cpu_count() or 1))")
# What a first score imports: compiled here, since an account that may not write would do it anew each time.
READ_FIRST := numpy scipy pyarrow typer rich py3langid safetensors

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit('Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is %d.%d: name another, for example make PYTHON=python3.12' % v)"
	@test "$$($(BIN)/python -V 2>&1)" = "$$($(PYTHON) -V 2>&1)" || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@$(BIN)/python -m compileall -q -j 0 models pipelines $(addprefix $(VENV)/lib/python3*/site-packages/,$(READ_FIRST)) || true
	@touch $(STAMP)

.PHONY: setup
setup: $(STAMP) ## Make the virtual environment from the lock

.PHONY: demo
demo: $(STAMP) ## Run the whole pipeline through Airflow on twelve days of an invented town
	$(BIN)/python -m tests.town.demo

.PHONY: board
board: $(STAMP) ## Open the board over what the demo left, with an account for each role
	$(BIN)/python -m tests.town.board

.PHONY: run
run: $(STAMP) ## Run Airflow with its web interface on HOME_DIR (default .vigie/home)
	$(BIN)/vigie up --home $(HOME_DIR)

.PHONY: test
test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

$(VENV)/.extras: $(STAMP)
	$(BIN)/pip install --quiet 'torch>=2.13,<3' 'onnx>=1.19' 'floret>=0.10.5'
	@touch $@

.PHONY: test-training
test-training: $(VENV)/.extras ## The tests that need torch: training, export and quantising of checkpoints
	$(BIN)/python -m pytest tests/models/test_hub.py tests/models/test_hub_kinds.py tests/models/test_export.py \
		tests/models/test_pull.py tests/models/test_train.py

.PHONY: check
check: $(STAMP) ## Formatter, linter, types, import contracts, SQL linter, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar sql
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: lock
lock: $(STAMP) ## Make requirements.lock again from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--quiet --output-file requirements.lock
