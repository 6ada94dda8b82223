"""What every test shares: the environment TensorFlow reads at its import, and the order of the files."""

import os

for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):  # as the Snakefile has it: the workers fill the cores
    os.environ.setdefault(name, "1")

import common  # noqa: E402, F401 (sets what TensorFlow reads at its import, so it comes first)

# The longest files come first: a worker that began one last would end minutes after the others.
LONGEST = (
    "command_line", "guo_scripts", "ahmed_ch4", "export", "resume", "ahmed_ch2_command_line", "workflow", "strategy",
    "restamp", "ahmed_ch2_models", "ahmed_ch2_evaluation", "evaluation", "guo_claims", "guo_pages", "guo_rules",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Whole files stay together, and files not named in LONGEST keep their order."""
    rank = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
