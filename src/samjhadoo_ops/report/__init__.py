"""Other views of a run's events: a live panel, the failure screen, and GitHub's summary and annotations."""
