"""Elastic Load Balancing v2, live: load balancers that really route, through Envoy."""
