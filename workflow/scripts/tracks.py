"""Join the manifests of all shards; find recordings that occur more than once."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.corpus.labels import read_labels
    from genreflow.lineage import stamp
    from genreflow.store.tables import write_table
    from genreflow.tracks.manifest import collect_tracks

    tracks, facts = collect_tracks(
        [Path(path) for path in snakemake.input.manifests],
        [Path(path) for path in snakemake.input.samples],
        [Path(path) for path in snakemake.input.prints],
        stamp("audio", running.params),
        stamp("fingerprints", running.params),
        running.params.tracks,
    )
    corpus = running.params.corpus
    if (labels := read_labels(Path(corpus.labels), Path(corpus.root))) is not None:
        # What a table doesn't list belongs to no shard.
        facts["ignored"] = list(labels.ignored)
    manifest = Path(snakemake.output.manifest)
    write_table(tracks, manifest, stamp("tracks", running.params).with_facts(**facts))
