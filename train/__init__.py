"""The toy network in PyTorch: task, training, checkpoints, analysis and certificates."""
