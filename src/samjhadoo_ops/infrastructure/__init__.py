"""The stacks of an environment, made from `infrastructure/*.yaml`: what a release needs in its account."""
