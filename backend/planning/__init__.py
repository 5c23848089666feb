"""What a training would need, take and trip over, told before it starts. Nothing is loaded."""
