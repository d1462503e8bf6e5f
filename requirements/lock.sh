#!/usr/bin/env bash
# Resolve all locks together, for every supported Python and platform, so that they agree.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --no-emit-index-url --no-strip-extras "$@"
}
pins=$(mktemp)
trap 'rm -f "$pins" "$pins.gpu"' EXIT
compile pyproject.toml --extra dev --extra gtzan --extra bench --extra storage -o "$pins.all"
sed -nE 's/^([A-Za-z0-9._-]+)(\[[^]]*\])?(==[^\\]*[^ \\]).*/\1\3/p' "$pins.all" >"$pins"
rm "$pins.all"
compile pyproject.toml -c "$pins" -o requirements.lock
compile pyproject.toml --extra dev -c "$pins" -o requirements/dev.lock
compile pyproject.toml --extra gtzan -c "$pins" -o requirements/gtzan.lock
compile pyproject.toml --extra bench -c "$pins" -o requirements/bench.lock
compile pyproject.toml --extra storage -c "$pins" -o requirements/storage.lock
# The CUDA builds instead of the CPU builds, which hold the same modules, and in the same versions.
sed -E 's/^(tensorflow|xgboost)-cpu==/\1==/' "$pins" >"$pins.gpu"
compile pyproject.toml --extra gpu -c "$pins.gpu" --excludes requirements/cpu-builds.txt -o requirements/gpu.lock
# Tools that the package itself doesn't need.
echo "uv" | compile - -o requirements/uv.lock
echo "pip-audit" | compile - -c "$pins" -o requirements/audit.lock
# Its weights alone are wanted: what it asks for itself can't be installed any more.
echo "musicnn==0.1.0" | compile - --no-deps -o requirements/transfer.lock
echo "atheris<3.1" | compile - -o requirements/fuzz.lock # 3.1 has no wheels for Python 3.11
