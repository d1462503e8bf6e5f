"""The models behind one interface; :mod:`genreflow.registry` lists them."""

import os

# Read when TensorFlow is loaded, by whichever model comes first: its notices about instruction
# sets and rounding are no news to the user. Errors are raised as exceptions all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
