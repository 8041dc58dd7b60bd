"""Run the stage of a rule; Snakemake tracks this script, which never changes."""

import sys
from pathlib import Path

if __name__ == "__main__":  # not in child processes of the stage
    # the package is in the repository, not in the working directory
    sys.path.insert(0, str(Path(snakemake.scriptdir).parents[1]))  # noqa: F821

    from pipeline.launcher import launch

    launch(snakemake)  # noqa: F821
