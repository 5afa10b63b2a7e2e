"""Backups, export and erasing of all data about one person, as commands beside a gateway."""
