"""Games that two texts train."""
