"""ELBV2, live."""
