"""Embeddings: what networks that were trained on other data hear in a track."""

from genreflow.threads import quieten_tensorflow, share_gpus

quieten_tensorflow()
share_gpus()
