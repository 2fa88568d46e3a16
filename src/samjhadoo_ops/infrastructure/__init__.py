"""What AWS must hold before the first release: stacks, and the permissions of who releases."""
