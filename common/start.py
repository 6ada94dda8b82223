"""Starts TensorFlow without its own messages, so that a user's mistake is one line on stderr and not ten.

Its log is set to fatal messages alone: "remapper failed", an optimisation that was tried and given up, reads like a
crash, and what is one comes as an exception. No environment variable turns off what TensorFlow writes before its log is
set up (oneDNN, no CUDA driver), so stderr is closed to it meanwhile. TF_CPP_MIN_LOG_LEVEL=0 or 1 keeps every message.

TensorFlow and Keras import three packages if they are there, for functions that nothing here calls (`tf.lite` from JAX,
`keras.wrappers`, `keras.visualization`). They are kept from them: a third of the time of every start.
"""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet():
    """Nothing that native code writes on stderr is shown meanwhile."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def hidden(*packages):
    """Packages not imported so far cannot be imported meanwhile."""
    new = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(new))
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


def told(kind, error, traceback):
    """Who stops a script while it starts reads one line; `experiment.main` has the rest of the way."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: stopped while starting; nothing was changed\n")
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = told
with quiet() if os.environ["TF_CPP_MIN_LOG_LEVEL"] >= "2" else contextlib.nullcontext():
    with hidden("jax", "matplotlib", "sklearn"):
        import keras  # noqa: F401 (else TensorFlow imports it at its first use)
        import tensorflow as tf

    tf.config.list_physical_devices("GPU")  # looks for the driver, and says so if there is none
