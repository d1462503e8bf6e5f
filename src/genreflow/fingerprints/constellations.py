"""Find the constellations of a track: three peaks, of which the first has a landmark with each.

Of two peaks there are some 2**22, which is few for the 10,000 that a track of 30 s has: in a
thousand tracks, most are found somewhere else as well. A third peak makes them as rare as a large
corpus needs, and is not more than half as likely to get lost in a copy.

References
----------
R. Sonnleitner and G. Widmer, "Robust quad-based audio fingerprinting", IEEE/ACM TASLP 24(3), 2016
(which looks up four peaks, for another reason as well: to find copies of another speed).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genreflow.fingerprints.prints import KEY_BITS, Constellations, Landmarks

PARTNERS = 12
"""At most so many landmarks begin at one peak; :mod:`genreflow.fingerprints.landmarks`."""

KEPT_BITS = 1
"""One in 2**1 is kept, chosen by its key, so that two copies keep the same ones."""

_PARTNER = (1 << 13) - 1
"""Bits of a landmark's hash that say where the second peak lies; those above, the first's bin."""


def constellations(marks: Landmarks) -> Constellations:
    """Join each two landmarks that begin at the same peak.

    Returns
    -------
    Constellations
        In no particular order; of position 0.
    """
    hashes, frames = marks.hashes.astype(np.int64), marks.frames
    partner = hashes & _PARTNER
    peak = (frames.astype(np.int64) << 32) | (hashes >> 13)
    # By time first, then by interval: the same three peaks have one key.
    order = np.lexsort((partner >> 6, partner & 63, peak))
    peak, hashes, frames = peak[order], hashes[order], frames[order]
    keys, found = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for step in range(1, PARTNERS):
        same = peak[step:] == peak[:-step]
        triple = (hashes[:-step][same] << 13) | (hashes[step:][same] & _PARTNER)
        mixed = _mixed(triple)
        kept = mixed >> np.uint64(64 - KEPT_BITS) == 0
        # The bits that decided are 0 in all that are kept.
        spread = (mixed[kept] << np.uint64(KEPT_BITS)) >> np.uint64(64 - KEY_BITS)
        keys.append(spread.astype(np.int64))
        found.append(frames[:-step][same][kept])
    key = np.concatenate(keys)
    return Constellations(key, np.zeros(len(key), np.int32), np.concatenate(found))


def _mixed(values: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Spread numbers evenly over 64 bit, each to its own: the last step of MurmurHash3."""
    mixed = values.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))
