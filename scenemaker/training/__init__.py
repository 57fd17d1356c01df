"""Training: one loop for every model, the data it sees, and one task per model."""
