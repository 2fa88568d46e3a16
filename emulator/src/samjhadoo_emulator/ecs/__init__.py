"""ECS, live."""
