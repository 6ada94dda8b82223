"""What a run ran on: hardware and package versions, for its record."""

import contextlib
import importlib.metadata
import os
import pathlib
import platform

import tensorflow as tf


def hardware() -> dict:
    """Processor, cores, memory in GB and accelerator of this machine."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    devices = [
        tf.config.experimental.get_device_details(d).get("device_name", d.name)
        for d in tf.config.list_physical_devices("GPU")
    ]
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gb": round(memory), "accelerator": ", ".join(devices)}


def versions() -> dict:
    """Versions of what computes."""
    packages = ("tensorflow", "keras", "tensorflow-probability", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
