"""Data files of any kind as numbered rows."""
