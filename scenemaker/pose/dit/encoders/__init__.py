"""Encoders of shapes, observed clouds and pictures behind one interface: tensors in, tokens of ``channels`` out."""
