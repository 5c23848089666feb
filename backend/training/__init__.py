"""Hyperparameters, runs and the process that trains. Never imports torch; the trainer does."""
