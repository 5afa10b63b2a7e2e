"""What people look at: the console, and Grafana as code."""
