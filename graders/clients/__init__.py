"""Thin clients of the tools: the few endpoints that the graders read."""
