"""The resource types that stacks can have, one module for each AWS service."""
