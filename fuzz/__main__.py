"""Coverage-guided fuzzing: ``make fuzz``, or ``python -m fuzz <target> [libFuzzer's options]``.

Without a target all are run, one after the other, each for its share of ``-max_total_time``. What
is found is kept in tests/fuzz_corpus, where a test replays it for ever after.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

TARGETS = {"params": 4096, "listings": 4096, "models": 40_000, "decoder": 20_000}
"""Harnesses, and the longest input of each [bytes]."""

ROOT = Path(__file__).parent.parent
FOUND = ROOT / "tests/fuzz_corpus"
GROWN = ROOT / ".cache/fuzz"
"""Inputs that reach new code, from run to run."""

LIMITS = (
    "-timeout=60",
    "-report_slow_units=60",
    "-rss_limit_mb=3000",
    "-malloc_limit_mb=2000",
    "-print_final_stats=1",
    "-len_control=0",
)
_TIME = re.compile(r"-max_total_time=(\d+)")
_DEFAULT_SECONDS = 900
_MEMORY = Path("/dev/shm")


def run_all(options: list[str]) -> int:
    """Run every target in a process of its own; return 1 if one of them found something."""
    given = [int(found[1]) for option in options if (found := _TIME.fullmatch(option))]
    share = max(1, (given or [_DEFAULT_SECONDS])[-1] // len(TARGETS))
    others = [option for option in options if not _TIME.fullmatch(option)]
    failed = []
    for target in TARGETS:
        print(f"--- {target}: {share} s", flush=True)
        command = [sys.executable, "-m", "fuzz", target, f"-max_total_time={share}", *others]
        # In memory where there is such a folder: millions of small files wear a disk out.
        memory = _MEMORY if _MEMORY.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="genreflow-fuzz-", dir=memory) as folder:
            ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"TMPDIR": folder})
        if ended.returncode:
            failed.append(target)
    if failed:
        print(f"error: findings in {', '.join(failed)}; see {FOUND}", file=sys.stderr)
    return 1 if failed else 0


def run_one(target: str, options: list[str]) -> None:
    """Fuzz a target; ends the process."""
    import atheris

    logging.disable()
    where = Path(tempfile.mkdtemp(prefix="genreflow-fuzz-"))
    with atheris.instrument_imports(include=["genreflow", "yaml", "skops"]):
        harness = import_module(f"fuzz.{target}")
        # What is imported when it is first used is imported by this.
        begin_with = list(harness.seeds())
        for data in begin_with:
            harness.run(data, where)
    seeds = GROWN / target / "seeds"
    grown = GROWN / target / "grown"
    for folder in (seeds, grown, FOUND / target):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(begin_with):
        (seeds / str(number)).write_bytes(seed)
    arguments = [
        sys.argv[0],
        *LIMITS,
        f"-max_len={TARGETS[target]}",
        f"-artifact_prefix={FOUND / target}/",
        *options,
        *map(str, (grown, FOUND / target, seeds)),
    ]
    atheris.Setup(arguments, lambda data: harness.run(data, where))
    atheris.Fuzz()


def main() -> None:
    """Run the target that the command line names, or all."""
    target, *options = sys.argv[1:] or [""]
    if target in TARGETS:
        run_one(target, options)
    elif target and not target.startswith("-"):
        raise SystemExit(f"error: {target}: no such target; there are {', '.join(TARGETS)}")
    else:
        raise SystemExit(run_all(sys.argv[1:]))


if __name__ == "__main__":
    main()
