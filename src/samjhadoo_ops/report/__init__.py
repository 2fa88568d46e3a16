"""What the console is told, in other forms: a live panel, a failed deploy on a screen, GitHub's summary."""
