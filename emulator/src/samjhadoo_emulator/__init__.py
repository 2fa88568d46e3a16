"""The local AWS: one edge, live services behind it, and an upstream for everything else.

It is a product of its own and is talked to by HTTP only: `python -m samjhadoo_emulator`.
"""
