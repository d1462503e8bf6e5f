#!/usr/bin/env bash
# A stage of DVC: let one rule make its targets (all_<rule>, or the rule itself), and no other run.
set -euo pipefail
rule=$1 target=${2:-$1}
make_all() { snakemake --cores all --allowed-rules "$rule" "$target" -- "$target"; }
make_all
# DVC looks at the corpus after this. What was copied there meanwhile must not pass for decoded.
if [ "$rule" = audio ]; then make_all; fi
