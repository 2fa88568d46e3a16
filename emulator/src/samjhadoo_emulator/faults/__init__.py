"""Fault knobs: what may go wrong at AWS, made to go wrong on demand.

`kinds` lists what can be asked for, `table` (pure) which of it strikes a call, `effects` what a struck HTTP
exchange looks like, `actions` does what strikes at once, `application` is the control endpoint.
"""
