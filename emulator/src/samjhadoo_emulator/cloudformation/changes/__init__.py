"""What would change: the differences between a stack and a new template, and change sets."""
