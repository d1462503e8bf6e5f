# Each target is one or two lines; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
# `make gpu` leaves a note, so that no later target puts the CPU builds back over the CUDA builds.
GPU := $(wildcard .venv/.gpu)
LOCK := $(if $(GPU),requirements/gpu.lock,requirements.lock)
INSTALL = $(BIN)/uv pip install --quiet --python .venv --compile-bytecode$(if $(GPU), --excludes requirements/cpu-builds.txt)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-lowest lint docs screenshots fuzz slurm audit sync record prune unlock gtzan transfer bench gpu lock params

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

run: .venv/.installed ## Run the pipeline on all cores and print the leaderboard
	@$(BIN)/snakemake --quiet host reason --cores all $(ARGS)
	@$(if $(filter -n% --dry%,$(ARGS)),,test ! -e results/report/comparison.csv || $(BIN)/genreflow leaderboard)

test: lint ## Run the linters and all tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

# What is left out is marked; tests/marks.py sees to it that no test forgets to say so.
test-fast: .venv/.installed-dev ## Run the fast tests: no Snakemake, DVC, browser or network trained
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "not (slow or workflow or browser or real_audio)" $(ARGS)

test-lowest: .venv/bin/uv ## Run the fast tests with the lowest versions that pyproject.toml allows (2.5 GB)
	$(BIN)/uv run --quiet --isolated --no-project --python .venv/bin/python --resolution lowest-direct --with-editable '.[dev]' \
	  pytest --numprocesses 2 --dist loadfile -m "not (slow or workflow or browser or real_audio)" $(ARGS)

lint: .venv/.installed-dev ## Check format, style, types, spelling, the workflow and GitHub's files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/numpydoc lint $$(find src -name '*.py')
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell . .github
	$(BIN)/hadolint Containerfile
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	@# All rules share the environment that Snakemake runs in, so there is none to name for each.
	$(BIN)/snakemake --lint text 2>&1 | grep '^    \* ' | grep -v 'Specify a conda environment' && exit 1 || true

docs: .venv/.installed-dev ## Build the documentation into site/, which opens from the disk
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo site/index.html

screenshots: .venv/.installed-dev ## Take the pictures of the docs anew, of the demo's results that are here
	@PYTHONPATH="src:$$PYTHONPATH" $(BIN)/python docs/images/report.py docs/images
	@PYTHONPATH="src:$$PYTHONPATH" $(BIN)/python docs/images/serve.py docs/images/serve.png $(foreach genre,jazz disco metal,data/demo/$(genre)/$(genre).0000[01].flac)

fuzz: .venv/.installed-dev ## Look for input that ends in anything but a result or a clear error (15 minutes)
	@$(INSTALL) --require-hashes -r requirements/fuzz.lock 2>/dev/null || { echo "error: atheris can't be installed here: it needs a network, and Linux or macOS; 'make test' replays what was found before." >&2; exit 1; }
	@PYTHONPATH="src:$$PYTHONPATH" nice $(BIN)/python -m fuzz $(ARGS)

slurm: .venv/.installed-dev ## Bring up a Slurm here, run params.yaml through it, compare with a local run
	@PYTHONPATH="src:$$PYTHONPATH" nice $(BIN)/python -m tests.slurm $(ARGS)

audit: .venv/.installed ## Look the locked packages up in a list of known vulnerabilities
	@$(BIN)/uv run --quiet --isolated --no-project --with-requirements requirements/audit.lock true 2>/dev/null || { echo "error: pip-audit can't be installed without a network; connect and run 'make audit' again." >&2; exit 1; }
	@$(BIN)/uv run --quiet --isolated --no-project --with-requirements requirements/audit.lock requirements/audit.sh $(ARGS)

sync: .venv/.installed ## After dvc checkout or dvc pull: let Snakemake know that all is made
	@PATH="$(CURDIR)/$(BIN):$$PATH" workflow/sync.sh

record: .venv/.installed ## After a Snakemake run: record its results in dvc.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" workflow/record.sh

prune: .venv/.installed ## List results that params.yaml doesn't ask for, and remove them if you say so
	@$(BIN)/genreflow prune $(ARGS)

unlock: .venv/.installed ## If DVC was killed while writing its own files: let it read them again
	@PATH="$(CURDIR)/$(BIN):$$PATH" workflow/unlock.sh

gtzan: .venv/.installed ## Download GTZAN into data/genres and verify it
	@$(INSTALL) --require-hashes -r requirements/gtzan.lock 2>/dev/null || { echo "error: mirdata can't be installed without a network; connect and run 'make gtzan' again." >&2; exit 1; }
	@$(BIN)/genreflow corpus gtzan

transfer: .venv/.installed ## Fetch encoders that were trained on other music (30 MB)
	@rm -rf .cache/musicnn
	@$(INSTALL) --no-deps --target .cache/musicnn --require-hashes -r requirements/transfer.lock 2>/dev/null || { echo "error: the encoders can't be fetched without a network; connect and run 'make transfer' again." >&2; exit 1; }
	@$(BIN)/genreflow workflow encoders .cache/musicnn/musicnn
	@rm -rf .cache/musicnn

bench: .venv/.installed-dev ## Measure genreflow beside plain librosa and peers
	@$(INSTALL) --require-hashes -r requirements/bench.lock || echo "The peers can't be installed here; going on without them." >&2
	$(BIN)/python benchmarks/run_all.py $(ARGS)

gpu: .venv/bin/uv ## Set up .venv with the CUDA builds of TensorFlow and XGBoost (4 GB; Linux)
	@rm -f .venv/.installed
	@$(BIN)/uv pip uninstall --quiet --python .venv --requirements requirements/cpu-builds.txt
	@touch .venv/.gpu
	@$(MAKE) --no-print-directory .venv/.installed || { rm .venv/.gpu; echo "error: the CUDA builds can't be installed; 'make run' puts the CPU builds back." >&2; exit 1; }

params: .venv/.installed ## Write params.yaml anew (your values stay), its schema and the tables in the docs
	@PYTHONPATH="src:$$PYTHONPATH" $(BIN)/python -m genreflow workflow params

lock: .venv/.installed-dev ## Resolve the requirements anew
	PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

.venv/bin/uv: requirements/uv.lock .venv/pyvenv.cfg
	@echo "Setting up .venv (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and f"genreflow needs Python 3.11, 3.12 or 3.13; $(PYTHON) is {sys.version.split()[0]}. Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# An environment that lost this file would stand for the Python it came from: set up anew, too.
.venv/pyvenv.cfg:

.venv/.installed: $(LOCK) pyproject.toml .venv/bin/uv
	@$(INSTALL) --require-hashes -r $(LOCK)
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: requirements/dev.lock .venv/.installed
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@
