"""What a client sees of a run, or of a thread, while it happens."""
