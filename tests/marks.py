"""Marks of tests that need what a plain clone has not."""

import os

import pytest

needs_data = pytest.mark.skipif(not os.environ.get("REPRO_DATA"), reason="REPRO_DATA names no folder of real data")
