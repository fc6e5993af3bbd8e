"""What a training leaves behind: the run folder, checkpoints, W&B and progress lines."""
