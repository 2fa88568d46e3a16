"""Snapshots: everything that live services know, on disk, so that an emulator that was killed can go on."""
