"""What strangers may send, and what must come of it: words, a quarantined row, or a count."""
