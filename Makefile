# Each target sets up what it needs; with nothing left to do that takes a fraction of a second.
#
#   make run ARGS="--port 7861 --no-browser"     options go to app.py
#   make test ARGS="tests/unit -k layers"     options go to pytest
#   make test ARGS="-m slow"     the long repeats that a plain `make test` leaves out

PYTHON := .venv/bin/python
# Containers often set it. Each of the many processes of a test run would compile this repository anew.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=

.PHONY: help run test lint format bench screenshots lock clean

help:
	@echo 'make run      set up and open the dashboard     ARGS="--port 7861 --no-browser"'
	@echo 'make test     all tests                         ARGS="tests/unit"'
	@echo 'make lint     ruff and mypy'
	@echo 'make format   let ruff lay out the code'
	@echo 'make bench    measure what is promised          ARGS="startup"'
	@echo 'make screenshots   the pictures of the docs, from the running program'
	@echo 'make lock     resolve the requirements again    ARGS="--upgrade"'
	@echo 'make clean    remove caches; .venv and workspace/ stay'

run:
	@sh scripts/setup.sh run
	@exec $(PYTHON) app.py $(ARGS)

# On all cores. Of what starts trainers, engines and browsers each file stays with one worker, since its
# tests share them, and all browser tests with one (tests/conftest.py says which begin first).
# Two workers for two cores, so torch gets one thread in each.
test:
	@sh scripts/setup.sh test
ifeq ($(strip $(ARGS)),)
	@failed=0; \
	$(PYTHON) -m pytest tests/unit -n auto --dist loadscope || failed=1; \
	export OMP_NUM_THREADS=1; \
	$(PYTHON) -m pytest tests/integration tests/browser -n auto --dist loadfile \
		--no-loadscope-reorder || failed=1; \
	exit $$failed
else
	@$(PYTHON) -m pytest $(ARGS)
endif

lint:
	@sh scripts/setup.sh lint
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format:
	@sh scripts/setup.sh lint
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

# Some measure what a browser sees, so the set-up is that of the tests.
bench:
	@sh scripts/setup.sh test
	@$(PYTHON) -m benchmarks.run_all $(ARGS)

screenshots:
	@sh scripts/setup.sh test
	@$(PYTHON) -m scripts.screenshots

# Resolved for every platform and for Python 3.11 and newer, with hashes; the development set keeps
# the versions of the first. Existing versions stay unless ARGS says --upgrade.
LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--override overrides.txt --custom-compile-command "make lock"
lock:
	@sh scripts/setup.sh run
	@$(LOCK) $(ARGS) requirements.txt -o requirements.lock
	@$(LOCK) $(ARGS) -c requirements.lock requirements-dev.txt -o requirements-dev.lock

clean:
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
	@find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
