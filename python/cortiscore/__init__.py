"""Cortiscore in Python: `export` writes a network as a .pt2 archive that `cortiscore score` runs."""
from .export import export

__all__ = ["export"]
