"""What a workflow script does around its one call, in a process of its own as in a run."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from types import SimpleNamespace
from genreflow.jobs import job
from genreflow.params import ParamsError

with job(SimpleNamespace(threads=3, log=[sys.argv[1]], config={config})) as params:
    print("threads", os.environ["OMP_NUM_THREADS"], params.audio.sample_rate, flush=True)
    os.system("echo from a library in C >&2")
    {body}
"""


@pytest.fixture
def run(tmp_path):
    def run(body="pass", config="{}"):
        log = tmp_path / "logs" / "job.log"
        code = SCRIPT.format(body=body, config=config)
        done = subprocess.run([sys.executable, "-c", code, log], capture_output=True, text=True)
        return done, Path(log).read_text()

    return run


def test_all_output_goes_to_the_log_and_threads_are_limited(run):
    done, log = run()
    assert done.returncode == 0
    assert done.stdout + done.stderr == ""
    assert "threads 3 22050" in log
    assert "from a library in C" in log


def test_an_error_of_ours_is_one_line(run):
    done, log = run('raise ParamsError("audio.x: too small; raise it")')
    assert done.returncode == 1
    assert log.endswith("ParamsError: audio.x: too small; raise it\n")
    assert "Traceback" not in log


def test_a_bug_keeps_its_traceback(run):
    done, log = run('raise ValueError("math domain error")')
    assert done.returncode == 1
    assert "Traceback" in log
    assert "math domain error" in log


def test_parameters_are_validated_in_the_job_too(run):
    done, log = run(config="{'audio': {'sample_rate': 'fast'}}")
    assert done.returncode == 1
    assert "audio.sample_rate" in log
