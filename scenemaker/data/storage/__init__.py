"""Scene folders, shards, and PyTorch data sets over both."""
