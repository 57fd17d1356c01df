"""One task per model: what it sees, its loss, how it is validated, what is written."""
