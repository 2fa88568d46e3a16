"""Rehearsals: good and bad releases, deployed to the local stack under load, checked for how they end.

A scenario is a small TOML file (`scenario.py`). It is played by running the tool itself, in processes of
their own, in a copy of the project (`project.py`), while requests go through the load balancer (`load.py`)
and AWS is asked what is true (`observer.py`). What is expected and what was observed are compared by pure
functions (`findings.py`).
"""
