"""Neuron models and encoders, one a file, as small compiled functions that the agents' kernels use."""
