"""The stand-in backend: small, but with the real service's endpoints, dependencies and manners."""
