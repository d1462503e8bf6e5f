#!/usr/bin/env bash
# The command line of the code beside this workflow, installed or not.
set -euo pipefail
PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" exec python -m genreflow "$@"
