"""Training: the task, the recipe, the model, the loss, the fit and its checkpoints."""
