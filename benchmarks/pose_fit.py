"""Poses by ``fit`` of the true meshes on scenes with ground truth.

python benchmarks/pose_fit.py SCENES [--ground]
"""
