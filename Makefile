# What a newcomer types: make demo, make test. Each target sets up .venv from a bare python3 (3.11 to 3.13) first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=

.PHONY: help demo test check bench faults fuzz kafka format wheel clean

help:            ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13) and \
	  f"rasd needs Python 3.11, 3.12 or 3.13, this is {v[0]}.{v[1]}: try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)   ## replay the packaged example archive and show what comes out (no network, no broker)
	@$(BIN)/rasd demo $(ARGS)

test: $(READY)   ## the test suite, with a broker and a database if this machine has them (then 12 minutes, else 3)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: $(READY)  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

faults: $(READY) ## kill, stop and poison the pipeline at length, over a simulated week; hostile pages
	$(BIN)/python -m pytest tests/faults tests/newsroom tests/hostile --long-faults $(ARGS)

fuzz: $(READY)   ## mutated articles and archives at length
	$(BIN)/python -m bench.fuzz $(ARGS)

kafka:           ## Apache Kafka on 127.0.0.1 until Ctrl-C (Java and Maven); ARGS="--nodes 3 --port 9092"
	@$(PYTHON) scripts/kafka $(ARGS)

bench: $(READY)  ## the numbers of the README; ARGS="--archive FILE" for an archive of your own
	$(BIN)/python -m bench.run $(ARGS)

format: $(READY) ## put the code into the one layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY)  ## build the wheel into dist/
	rm -rf dist && $(BIN)/python -m build --wheel --outdir dist .

clean:           ## remove what make made
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache rasd-demo
