"""PoseDiT (SceneMaker, arXiv 2512.10957, section 3.3): model, encoders, sampler, search, backend ``pose-dit``."""
