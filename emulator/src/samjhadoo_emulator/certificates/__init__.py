"""The certificates that load balancers show to clients: imported ones, and those of a local authority."""
