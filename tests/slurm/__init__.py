"""A Slurm on this machine, the pipeline through it, and its results beside those of a local run."""
