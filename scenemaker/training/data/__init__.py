"""What the models are trained on: splats from a bank of points, rendered scenes, and what is done to both."""
