"""A release: its identity, its image, and the task definition that names the image by digest."""
