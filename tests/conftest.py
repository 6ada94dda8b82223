"""What every test shares: the environment TensorFlow reads at its import is set by `common`, so it comes first."""

import common  # noqa: F401
