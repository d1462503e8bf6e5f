#!/usr/bin/env bash
# Look every locked package up in PyPI's list of known vulnerabilities. The locks are complete and
# hashed, so that nothing has to be resolved or installed for it; --strict: a package that can't be
# looked up is no package without vulnerabilities.
set -uo pipefail
cd "$(dirname "$0")/.."
said=$(mktemp)
trap 'rm -f "$said"' EXIT
found=0
for lock in requirements.lock requirements/*.lock; do
  echo "$lock"
  pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement "$lock" "$@" 2>"$said" || found=1
  if grep -qiE 'could not connect|connection ?error|max retries|timed out' "$said"; then
    echo "error: the list of vulnerabilities can't be reached without a network; connect and run 'make audit' again." >&2
    exit 2
  fi
  cat "$said" >&2
done
exit "$found"
