"""CloudWatch: metrics, metric math and alarms that are evaluated on the emulated clock."""
