"""Rehearse and release ECS deployments: Invoke tasks with a local emulation stack that really runs them."""
