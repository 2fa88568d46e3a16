"""Faults: what may go wrong on AWS, made to go wrong on demand.

`kinds` lists the faults, `table` (pure) which of it strikes a call, `effects` what a struck HTTP
exchange looks like, `actions` does what strikes at once, `application` is the control endpoint.
"""
