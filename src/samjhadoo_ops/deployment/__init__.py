"""Deployments: what is asked of ECS, what ECS does, how it ends, and how it is rolled back."""
