"""Alarms: their evaluation is pure, a driver wakes once in an emulated minute while there are any."""
