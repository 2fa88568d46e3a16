"""The data plane: Envoy, and what the service knows rendered as Envoy's configuration."""
