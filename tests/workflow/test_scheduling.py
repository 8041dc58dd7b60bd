"""How often Snakemake selects jobs."""

from tests.workflow.conftest import Project


def test_jobs_are_selected_only_when_one_has_ended(project: Project) -> None:
    scenes = {"scenes": {"count": 24, "size": 128}, "minimum": 2}
    project.configure(occluders=scenes)
    rules = ("render_benchmark", "render_scenes")
    done = project.snakemake("--until", *rules, "--cores", "1", "--verbose")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Finished jobid") == len(rules)
    assert done.stdout.count("Ready jobs") <= len(rules)
