"""Neuron models and encoders, one a file, as compiled functions that the agents' kernels use."""
