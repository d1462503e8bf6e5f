# One or two lines a target; `make help` lists them.
PYTHON ?= python3
UV := .venv/bin/uv
SYNC = $(UV) pip sync --quiet --python .venv --require-hashes --compile-bytecode

.DEFAULT_GOAL := help
