"""What a workflow script does around its one call, in a process of its own as in a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_CPUINFO = Path("/proc/cpuinfo")
PROCESSOR = _CPUINFO.read_text().split() if _CPUINFO.exists() else []

SCRIPT = """
import os, sys
from types import SimpleNamespace
from genreflow.jobs import job
from genreflow.params import ParamsError


class Files(list):
    cost = sys.argv[2]

output = Files([sys.argv[2]])
snakemake = SimpleNamespace(
    threads=3, resources={resources}, log=[sys.argv[1]], output=output, config={config}
)
with job(snakemake) as running:
    params = running.params
    print("threads", os.environ["OMP_NUM_THREADS"], params.audio.sample_rate, flush=True)
    os.system("echo from a library in C >&2")
    {body}
"""


@pytest.fixture
def cost(tmp_path):
    """Where the job says what it cost."""
    return tmp_path / "benchmarks" / "step" / "0.json"


@pytest.fixture
def run(tmp_path, cost):
    def run(body="pass", config="{}", resources="{}"):
        log = tmp_path / "logs" / "job.log"
        script = SCRIPT.format(body=body, config=config, resources=resources)
        command = [sys.executable, "-c", script, log, cost]
        done = subprocess.run(command, capture_output=True, text=True)
        return done, Path(log).read_text()

    return run


def test_all_output_goes_to_the_log_and_threads_are_limited(run):
    done, log = run()
    assert done.returncode == 0
    assert done.stdout + done.stderr == ""
    assert "threads 3 22050" in log
    assert "from a library in C" in log


LOADED = """
    import numpy, scipy.linalg, threadpoolctl
    from numpy._core._multiarray_umath import __cpu_features__ as known
    print("BLAS", *sorted({x.get("architecture") for x in threadpoolctl.threadpool_info()}))
    print("NumPy", known["X86_V3"], known["X86_V4"])
"""


@pytest.mark.skipif("avx2" not in PROCESSOR, reason="no x86 processor with AVX2")
@pytest.mark.parametrize("chosen", [None, "Sandybridge"])
def test_blas_and_numpy_compute_as_on_any_processor_with_avx2(run, monkeypatch, chosen):
    """On a newer one, too, unless somebody says otherwise."""
    monkeypatch.delenv("NPY_DISABLE_CPU_FEATURES", raising=False)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    if chosen:
        monkeypatch.setenv("OPENBLAS_CORETYPE", chosen)
    log = run(LOADED)[1].splitlines()
    assert f"BLAS {chosen or 'Haswell'}" in log
    assert "NumPy True False" in log


@pytest.mark.parametrize(
    ("asked", "seen"), [("{}", "-1 cpu"), ("{'gpu': 0}", "-1 cpu"), ("{'gpu': 1}", "2 None")]
)
def test_a_job_that_asked_for_no_gpu_sees_none(run, monkeypatch, asked, seen):
    """CUDA as a whole, and JAX, which would fail for want of a GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    _, log = run(
        "print(*map(os.environ.get, ['CUDA_VISIBLE_DEVICES', 'JAX_PLATFORMS']))", resources=asked
    )
    assert seen in log.splitlines()


def test_time_and_memory_are_written_down_with_what_the_script_adds(run, cost):
    run("import time; time.sleep(0.2); running.cost['n_tracks_predicted'] = 12")
    found = json.loads(cost.read_text())
    assert set(found) == {"seconds", "processor_seconds", "peak_rss_mb", "n_tracks_predicted"}
    assert found["n_tracks_predicted"] == 12
    assert 0.2 <= found["seconds"] < 30
    assert 0 < found["processor_seconds"] < found["seconds"] + 5
    assert 10 < found["peak_rss_mb"] < 300


def test_memory_that_was_freed_again_counts(run, cost):
    run("del running; b = bytearray(300_000_000); b[::4096] = b'1' * len(b[::4096]); del b")
    assert json.loads(cost.read_text())["peak_rss_mb"] > 300


def test_memory_of_the_process_that_started_the_job_does_not_count(run, cost):
    held = bytearray(600_000_000)
    held[::4096] = b"1" * len(held[::4096])
    run()
    assert json.loads(cost.read_text())["peak_rss_mb"] < 300


def test_a_job_that_failed_cost_nothing_that_counts(run, cost):
    run('raise ParamsError("audio.x: too small; raise it")')
    assert not cost.exists()


def test_an_error_of_ours_is_one_line(run):
    done, log = run('raise ParamsError("audio.x: too small; raise it")')
    assert done.returncode == 1
    assert log.endswith("ParamsError: audio.x: too small; raise it\n")
    assert "Traceback" not in log


WRITERS = {
    "json": "write_json(list(range(9999)), out / 'x.json')",
    "csv": "write_csv(pd.DataFrame({'x': np.arange(9999)}), out / 'x.csv')",
    "parquet": "write_table(table, out / 'x.parquet', Stamp('x', {}))",
    "arrow": "write_arrow(table, out / 'x.arrow')",
    "zip": "write_members({'x': noise.tobytes()}, out / 'x.zip')",
    "skops": "save_skops(noise, out / 'x.skops')",
    "demo": "synthesise_genre('blues', Demo(seconds=3), out)",
}
WRITE = """
    import numpy as np, pandas as pd, pyarrow as pa, resource
    from pathlib import Path
    from genreflow.corpus.demo.synthesise import synthesise_genre
    from genreflow.models.archive import save_skops
    from genreflow.params import Demo
    from genreflow.store.archive import write_members
    from genreflow.store.files import atomic, write_csv, write_json
    from genreflow.store.stamp import Stamp
    from genreflow.store.tables import write_table

    def write_arrow(table, path):
        with atomic(path) as to, pa.OSFile(str(to), "wb") as sink:
            with pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)

    noise = np.random.default_rng(0).normal(size=9999)
    table, out = pa.table({{"x": noise}}), Path("{out}")
    # What a full disk does, where none can be had: a file takes no more than a page.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    {write}
"""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_finds_no_room_is_one_line_and_no_half_file(run, tmp_path, writer):
    out = tmp_path / "out"
    out.mkdir()
    done, log = run(WRITE.format(out=out, write=WRITERS[writer]).strip())
    assert done.returncode == 1
    assert "DiskError: " in log
    assert "can't be written (File too large)" in log
    assert "Traceback" not in log
    assert list(out.iterdir()) == []


def test_a_bug_keeps_its_traceback(run):
    done, log = run('raise ValueError("math domain error")')
    assert done.returncode == 1
    assert "Traceback" in log
    assert "math domain error" in log


def test_parameters_are_validated_in_the_job_too(run):
    done, log = run(config="{'audio': {'sample_rate': 'fast'}}")
    assert done.returncode == 1
    assert "audio.sample_rate" in log
