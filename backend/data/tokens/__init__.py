"""What the model sees of a lesson: tokens, template parity, lengths and the cutoff."""
