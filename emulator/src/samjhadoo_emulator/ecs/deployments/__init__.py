"""Service deployments: how one revision of a service replaces another.

The state machine is pure: `machine` moves a frozen state, `steps` says what a strategy visits, `breaker`
and `rolling` do the counting. Nothing here touches tasks, load balancers or the clock.
"""
