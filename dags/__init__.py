"""WHEN: order and schedule. No logic, no heavy import: every file is read again and again."""
