"""What is wrong with what a row teaches."""
