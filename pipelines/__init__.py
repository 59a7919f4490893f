"""What Vigie does, as plain functions: collect, accept, score, count, tell."""
