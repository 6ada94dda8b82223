"""One room per text. A room imports no other room."""

import common  # noqa: F401 (sets what TensorFlow reads at its import)
