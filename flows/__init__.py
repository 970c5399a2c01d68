"""When, where and how often: Prefect flows over the tasks in tasks/steps.py, and the `assay` command.

A worker imports a flow without our command line: telemetry is off here, before anything imports Prefect.
"""

from . import environment

environment.prepare(None)
