"""Compare all models on their test tracks."""

from pathlib import Path

from genreflow.jobs import job


def by_model(paths):
    """Group results/models/<model>/<fold>/<file> by model."""
    grouped = {}
    for path in map(Path, paths):
        grouped.setdefault(path.parts[-3], []).append(path)
    return grouped


with job(snakemake) as params:
    from genreflow.evaluation.run import evaluate

    evaluate(
        params,
        by_model(snakemake.input.predictions),
        Path(snakemake.input.splits),
        Path(snakemake.input.tracks),
        {m: p for m, p in by_model(snakemake.input.training).items() if p[0].name == "history.csv"},
        Path(snakemake.output.tables),
        Path(snakemake.output.metrics).parent,
    )
