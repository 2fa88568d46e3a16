"""Several services of one environment, deployed side by side: each by a process of its own."""
