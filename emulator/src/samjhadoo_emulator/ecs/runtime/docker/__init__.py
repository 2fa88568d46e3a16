"""Runs tasks as containers of a Docker engine.

A task is a *pause* container, which holds its network namespace, and its containers in that namespace, as ECS
does for `awsvpc`: the containers of a task reach one another by localhost. See `sandbox`.

What the engine enforces is what Fargate enforces: CPU, memory, ulimits, users, capabilities, read-only root
file systems; see `host_config`. The task's size is the ceiling of each of its containers, not of their sum.
"""
