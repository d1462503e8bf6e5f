"""Compare all models on their test tracks."""

from pathlib import Path

from genreflow.jobs import job


def by_name_and_model(paths):
    """Group results/models/<model>/<fold>/<file> by the name of the file, then by model."""
    grouped = {}
    for path in map(Path, paths):
        grouped.setdefault(path.name, {}).setdefault(path.parts[-3], []).append(path)
    return grouped


with job(snakemake) as running:
    from genreflow.evaluation.run import evaluate

    files = snakemake.input
    evaluate(
        running.params,
        by_name_and_model(
            [
                *files.predictions,
                *files.metadata,
                *files.histories,
                *files.grids,
                *files.importances,
            ]
        ),
        Path(files.splits),
        Path(files.tracks),
        Path(snakemake.output.tables),
        Path(snakemake.output.metrics).parent,
        {Path(path).stem: Path(path) for path in files.robustness},
    )
