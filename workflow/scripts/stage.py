"""Run the stage that a rule names; the rule's code, as Snakemake sees it, never changes."""

import sys
from pathlib import Path

if __name__ == "__main__":  # not in a process that the stage starts
    # the package is beside the workflow, wherever the working directory is
    sys.path.insert(0, str(Path(snakemake.scriptdir).parents[1]))  # noqa: F821

    from pipeline.launcher import launch

    launch(snakemake)  # noqa: F821
