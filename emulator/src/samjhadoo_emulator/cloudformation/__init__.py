"""CloudFormation, live: templates become calls to the same APIs that clients use."""
