# Users: make scaling, make train, make test. Everything is installed into $(VENV) first.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
ARGS ?=

RESULTS := reports/results
# what to install: CI's newer Python goes without PyTorch
EXTRAS ?= all

.PHONY: install scaling derive train test test-slow bench check format browser evidence clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable ".[$(EXTRAS)]" --constraint constraints.txt
	touch $@

scaling: install
	$(RUN) -m simulate.scaling $(ARGS)

derive: install
	$(RUN) -m theory derive $(ARGS)

# the networks of the report, about half an hour on two cores
train: install
	$(RUN) -m train.study $(ARGS)

test: install
	$(RUN) -m pytest -m "not slow" -n auto $(ARGS)

test-slow: install
	$(RUN) -m pytest -m slow $(ARGS)

# speed against what one would use instead, side by side in one run
bench: install
	mkdir -p $(RESULTS)/bench
	$(RUN) -m pytest tests/benchmarks -o python_files='bench_*.py' --quiet --benchmark-columns=min,median,rounds --benchmark-json $(RESULTS)/bench/bench.json
	$(RUN) -m tests.benchmarks.table $(RESULTS)/bench/bench.json | tee $(RESULTS)/bench/bench.md
	$(RUN) -m tests.benchmarks.training | tee $(RESULTS)/bench/training.md

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Debian's Chromium, for the tests of the page
browser:
	command -v chromium || command -v google-chrome || (apt-get update && apt-get install -y --no-install-recommends chromium)

# the small results that the README rests on, refreshed on purpose
evidence: install bench
	$(RUN) -m simulate.scaling --seed 0 --out $(RESULTS)/scaling
	mkdir -p reports/evidence/scaling reports/evidence/bench
	cp $(addprefix $(RESULTS)/scaling/,failure_against_width.svg failure_against_width.csv verdict.json run.json) reports/evidence/scaling
	cp $(addprefix $(RESULTS)/bench/,bench.md training.md) reports/evidence/bench
	$(RUN) -m train.study --seed 0 --out $(RESULTS)/study
	mkdir -p reports/evidence/study
	cp $(RESULTS)/study/*.svg $(RESULTS)/study/*.csv $(addprefix $(RESULTS)/study/,verdict.json run.json figures.md) reports/evidence/study

clean:
	rm -rf $(VENV)
