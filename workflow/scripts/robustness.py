"""Let one model judge the changed test tracks."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.robustness.judge import judge

    folders = {Path(path).parent for path in snakemake.input.models}
    judge(
        snakemake.params.name,
        running.params,
        [Path(path) for path in snakemake.input.changed],
        {folder.name: folder for folder in sorted(folders)},
        Path(snakemake.input.splits),
        Path(snakemake.output.answers),
    )
