"""Turns an AppGear architecture module into a release that a Change Control Board can sign."""

__version__ = "0.1.0"
