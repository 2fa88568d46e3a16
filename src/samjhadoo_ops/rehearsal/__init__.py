"""Rehearsals: good and bad releases are deployed to the local stack under load, and must end as expected.

A scenario is a small TOML file (`scenario.py`). It is played (`scenario_run.py`) by running the tool itself
as separate processes in a copy of the project (`project.py`), while requests go through the load balancer
(`load.py`) and an observer asks AWS for the facts (`observer.py`). Pure functions compare what was expected
with what was observed (`findings.py`).
"""
