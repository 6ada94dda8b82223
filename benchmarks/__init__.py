"""Speed, measured: never asserted in tests."""
