"""Deploying several services of one environment side by side, each in a process of its own."""
