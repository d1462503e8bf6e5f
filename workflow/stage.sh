#!/usr/bin/env bash
# A stage of DVC: let one rule make its targets (all_<rule>, or the rule itself), and no other run.
set -euo pipefail
rule=$1 target=${2:-$1}
exec snakemake --cores all --allowed-rules "$rule" "$target" -- "$target"
