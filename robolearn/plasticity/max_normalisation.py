"""Maximum normalisation of a layer: w ← w / max|w| (Najarro & Risi 2020)."""

import numpy as np

from robolearn.neurons.compilation import compiled

# The bits of |w| as an integer: floats of one sign are ordered as their bits are.
_MAGNITUDE_BITS = np.int32(0x7FFFFFFF)


@compiled
def largest_magnitude(weight):
    """Return max|w| of a C-contiguous float32 layer (post, pre).

    The maximum is taken over the bits, since without "nnan" the compiler does not vectorise a
    maximum of floats. NaN has the largest bits of all, so it is found, not hidden.
    """
    bits = weight.reshape(weight.size).view(np.int32)
    largest = np.zeros(1, np.int32)
    highest = np.int32(0)
    for k in range(bits.size):
        highest = max(highest, bits[k] & _MAGNITUDE_BITS)
    largest[0] = highest
    return largest.view(np.float32)[0]


@compiled
def normalise_by_maximum(weight):
    """Divide the layer (post, pre) of one individual by its largest |w|, in place.

    A layer of zeros, or one that holds a non-finite weight, is left as it is.
    """
    largest = largest_magnitude(weight)
    if np.isfinite(largest) and largest > np.float32(0.0):
        flat = weight.reshape(weight.size)
        for k in range(flat.size):
            flat[k] = flat[k] / largest
