"""Metric math: expressions over metrics, parsed and evaluated without I/O."""
