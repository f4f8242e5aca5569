"""Black-box tests: what the running system does, seen from outside."""
