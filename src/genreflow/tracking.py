"""Whether trainings of networks are also shown to a tool that draws them while they last.

The environment says so and not ``params.yaml``: nothing that is made depends on it, so nothing is
made anew. The tools' own callbacks do the work.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genreflow.errors import GenreflowError

VARIABLE = "GENREFLOW_TRACK"

FOLDER = "tracking"
"""Where tools write, below the results."""

_TOOLS = ("tensorboard", "dvclive", "mlflow")
"""Each is the name of its package, too."""


class TrackingError(GenreflowError):
    """The tool that is asked for isn't known or isn't installed; the message says what to do."""


def chosen() -> str:
    """Return the name of the tool that the environment asks for; empty if there is none.

    Raises
    ------
    TrackingError
        It isn't known, or not installed.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return ""
    if name not in _TOOLS:
        raise TrackingError(
            f"{VARIABLE}={name}: no such tool; expected {', '.join(_TOOLS)}, or nothing at all"
        )
    if find_spec(name) is None:
        raise TrackingError(
            f"{VARIABLE}={name}: the package isn't installed; install the extra with "
            "`.venv/bin/uv pip install --python .venv -e '.[tracking]'`, or unset the variable"
        )
    return name


def callback(name: str, folder: Path, *, going_on: bool) -> Any:
    """Return the tool's own Keras callback.

    Parameters
    ----------
    name
        What :func:`chosen` returned.
    folder
        Of one training. MLflow keeps all in one place, which its own variable
        ``MLFLOW_TRACKING_URI`` names, or else beside the folders.
    going_on
        Whether a killed training goes on; otherwise what an earlier one left is removed.
    """
    if not going_on:
        shutil.rmtree(folder, ignore_errors=True)
    match name:
        case "tensorboard":
            return _tensorboard(folder)
        case "dvclive":
            return _dvclive(folder, going_on)
        case _:
            return _mlflow(folder)


def _tensorboard(folder: Path) -> Any:
    import keras

    # Curves alone: a graph and profiles would cost time, and a training has neither to spare.
    return keras.callbacks.TensorBoard(str(folder), write_graph=False)


def _dvclive(folder: Path, going_on: bool) -> Any:
    from dvclive import Live
    from dvclive.keras import DVCLiveCallback

    # It must neither start an experiment of its own nor write to dvc.yaml: this pipeline has both.
    live = Live(str(folder), resume=going_on, save_dvc_exp=False, dvcyaml=None)
    return DVCLiveCallback(live=live)


def _mlflow(folder: Path) -> Any:
    import fcntl  # which Windows lacks, where releases of networks are loaded, too

    import mlflow
    from mlflow.keras import MlflowCallback

    name = folder.parent.name
    home = folder.parents[1].resolve()
    home.mkdir(parents=True, exist_ok=True)
    # Jobs that start together would all make the database, and the experiment in it.
    with (home / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if "MLFLOW_TRACKING_URI" not in os.environ:
            mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
            if mlflow.get_experiment_by_name(name) is None:
                mlflow.create_experiment(name, artifact_location=(home / "mlruns").as_uri())
        mlflow.set_experiment(name)
    mlflow.start_run(run_name=f"{name} {folder.name}")

    class Ending(MlflowCallback):  # type: ignore[misc]  # mlflow is optional, and untyped here
        """MLflow leaves it to the end of the process to end a run."""

        def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
            mlflow.end_run()

    return Ending()
