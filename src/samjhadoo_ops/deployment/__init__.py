"""Deployments: what is requested from ECS, what ECS does, how it ends, and how it is rolled back."""
