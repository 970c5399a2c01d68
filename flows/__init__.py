"""When, where and how often: Prefect flows over the tasks in tasks/steps.py, and the `assay` command."""
