"""What jobs share on this machine beside its cores: its memory, and a GPU.

``snakemake -j8`` counts cores alone. The workflow tells it of these limits where it runs jobs
here; a job that asks for more than there is runs by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

SHARE = 0.8
"""Of the memory, for jobs; the rest is for the system and its caches."""

_ROOT = Path("/")


def limits() -> dict[str, int]:
    """Return the resources of which jobs may take so much together.

    ``mem_mb`` [MB]; and ``gpu``, where networks run on one. It is 1 however many there are: a
    network is trained on the first, and two at once would take each other's memory.
    """
    found = {"mem_mb": int(SHARE * memory_bytes() / 1e6)}
    if has_gpu():
        found["gpu"] = 1
    return found


def memory_bytes(root: Path = _ROOT) -> int:
    """Return the memory that processes may have here: the machine's, or less in a container.

    Parameters
    ----------
    root
        Where ``/proc`` and ``/sys`` are.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_cgroup_limits(root)])


def has_gpu(root: Path = _ROOT) -> bool:
    """Tell whether networks run on a GPU, without the seconds that asking TensorFlow takes.

    It says yes where it can't know: other builds than ``tensorflow-cpu`` may use what there is.
    """
    if not list(root.glob("proc/driver/nvidia/gpus/*")):
        return False
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return True
    try:
        metadata.distribution("tensorflow-cpu")
    except metadata.PackageNotFoundError:
        return True
    return False


def hide_gpu() -> None:
    """Keep libraries that are imported from now on to the CPU.

    TensorFlow takes all memory of a GPU that it sees, for whatever it computes. JAX, which would
    rather fail than find none, is told by a variable of its own.
    """
    os.environ.update(CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Yield the limits [bytes] of this process's control groups, of both versions, upwards."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            mount, name = root / "sys/fs/cgroup", "memory.max"
            if controllers:
                mount, name = mount / "memory", "memory.limit_in_bytes"
                if "memory" not in controllers.split(","):
                    continue
            group = mount / path.lstrip("/")
            # A container sees its own group at the mount, whatever the path says.
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # "max" is no limit
                    yield int((folder / name).read_text(encoding="utf-8"))
                if folder == mount:
                    break
