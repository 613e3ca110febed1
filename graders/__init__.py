"""The grading harness of the course."""
