"""Pipelines killed many times, at moments of chance, into both warehouses: nothing may be missing.

`python -m benchmarks.kills [how often]`: 20 times each by default, for two minutes or so. The test
suite does the same once only.
"""

from __future__ import annotations

import sys

import pytest

TEST = "tests/test_pipelines.py::test_a_pipeline_that_is_killed_loses_nothing"

if __name__ == "__main__":
    how_often = sys.argv[1] if len(sys.argv) > 1 else "20"
    sys.exit(pytest.main(["-v", "-p", "no:cacheprovider", f"--kills={how_often}", TEST]))
