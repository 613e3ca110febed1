"""01_superset: a dashboard judged by the numbers that its charts return."""
