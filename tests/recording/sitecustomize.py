"""Python imports this as it starts, in processes that have this folder in PYTHONPATH."""

import aws_calls

aws_calls.record_from_start()
