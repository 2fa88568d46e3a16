"""ECR, live."""
