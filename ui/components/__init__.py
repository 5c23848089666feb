"""Widgets that more than one tab uses, or that stand on their own."""
