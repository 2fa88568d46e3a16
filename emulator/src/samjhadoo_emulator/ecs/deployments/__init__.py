"""Service deployments: how one revision of a service replaces another.

The state machine is pure: `machine` advances an immutable state, `steps` lists a strategy's stages, `breaker`
and `rolling` do the counting. Nothing here touches tasks, load balancers or the clock.
"""
