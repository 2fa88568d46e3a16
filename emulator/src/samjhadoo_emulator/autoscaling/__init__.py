"""Application Auto Scaling, live for the desired count of ECS services; the rest goes to the upstream."""
