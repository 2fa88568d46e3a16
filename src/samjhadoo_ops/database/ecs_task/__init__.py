"""Runs Flyway as a one-off ECS task, for a database that only tasks in the cluster can reach."""
