"""The models behind one interface; :mod:`genreflow.registry` lists them."""

from genreflow.threads import quieten_tensorflow, share_gpus

quieten_tensorflow()
share_gpus()
