"""What does Prometheus get when it asks? The figures of flows/metrics.py at one moment.

Reads   a state.State and a runs.Server
Writes  the text of /metrics; what is not known now (no queue, no revision, no server) is absent, never 0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from .metrics import METRICS
from .noise_history import folded, largest
from .slices import counted
from .state import Server, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FLOW_STATES = ("completed", "failed", "crashed", "cancelled")
ARRIVAL_STATES = ("complete", "growing", "held")
CHAIN = ("curate", "revise")  # the flows that run a stage, where PART_OF names no other
PART_OF = {"revise": ("revise",), "augment": ("augment",)}
SUBJECTS = ("drop", "class", "row", "item")

Sample = tuple[str, tuple[str, ...], float]  # name, label values in the order of the table, value


def samples(state: State, server: Server, now: float) -> Iterator[Sample]:
    """Every figure of one moment; `now` is seconds since 1970."""
    yield from _of_the_server(server, now)
    yield from _of_the_stages(state, server)
    yield from _of_the_deliveries(state, now)
    yield from _of_the_labels(state, now)
    yield "assay_disk_free_bytes", (), state.disk_free
    yield "assay_disk_total_bytes", (), state.disk_total
    yield "assay_unread_parts", (), len(state.unread)


def _of_the_server(server: Server, now: float) -> Iterator[Sample]:
    yield "assay_prefect_up", (), server.up
    for (flow, state), count in server.counts.items():
        yield "assay_flow_runs", (flow, state), count
    for run in server.newest:
        for state in FLOW_STATES:
            yield "assay_flow_last_run_state", (run.flow, state), run.state == state
        if (seconds := run.seconds(now)) is not None:
            yield "assay_flow_last_run_seconds", (run.flow,), seconds
        if run.ended is not None:
            yield "assay_flow_last_run_timestamp_seconds", (run.flow,), run.ended
    oldest: dict[tuple[str, str], float] = {}
    for run in server.open:
        oldest[run.flow, run.state] = max(oldest.get((run.flow, run.state), 0.0), run.seconds(now) or 0.0)
    for key, seconds in oldest.items():
        yield "assay_flow_open_run_seconds", key, seconds
    for pool in server.pools:
        yield "assay_workers_online", (pool,), sum(one.online for one in server.workers if one.pool == pool)
    for worker in server.workers:
        if worker.seen is not None and now - worker.seen < 86_400:
            yield "assay_worker_heartbeat_age_seconds", (worker.pool, worker.name), max(0.0, now - worker.seen)


def _of_the_stages(state: State, server: Server) -> Iterator[Sample]:
    began = {run.flow: run.started for run in server.newest if run.started is not None}
    for stage in state.stages:
        yield "assay_stage_seconds", (stage.name,), stage.seconds
        yield "assay_stage_last_ran_timestamp_seconds", (stage.name,), stage.ended
        runs = [began[flow] for flow in PART_OF.get(stage.name, CHAIN) if flow in began]
        if runs:
            yield "assay_stage_ran", (stage.name,), stage.ended >= max(runs)


def _of_the_deliveries(state: State, now: float) -> Iterator[Sample]:
    if state.looked is not None:
        yield "assay_watch_timestamp_seconds", (), state.looked
    for name in ARRIVAL_STATES if state.looked is not None else ():
        there = [one for one in state.arrivals if one.state == name]
        yield "assay_arrivals", (name,), len(there)
        if since := [one.since for one in there if one.since is not None]:
            yield "assay_arrival_oldest_seconds", (name,), max(0.0, now - min(since))
    held = Counter(row["subject"].partition(":")[0] for row in state.held)
    for kind in SUBJECTS:
        yield "assay_held", (kind,), held[kind]
    yield "assay_rows_delivered_total", (), sum(drop.rows for drop in state.drops)
    for code, rows in state.quarantine.items():
        yield "assay_quarantined_rows", (code,), rows


def _of_the_labels(state: State, now: float) -> Iterator[Sample]:
    if state.queue is not None:
        yield "assay_queue_items", (), state.queue
        yield "assay_queue_open_items", (), sum(one.open for one in state.backlog)
    if state.queue_since is not None:
        yield "assay_queue_oldest_seconds", (), max(0.0, now - state.queue_since)
    yield "assay_answers_total", (), state.answers
    yield "assay_answers_unapplied", (), state.unapplied
    yield "assay_noise_promised_ratio", (), state.sla.noise
    for kind in ("class", "other") if state.slices else ():
        those = [one for one in state.slices if (one.kind == "given") == (kind == "class")]
        for verdict, count in counted(those, state.sla.noise).items():
            yield "assay_slices", (kind, verdict), count
    for check in state.tally.checks:
        if check.precision is not None:
            yield "assay_check_precision_ratio", (check.name,), check.precision.value
    for kind in ("question", "issue"):
        yield "assay_waiting", (kind,), sum(one.kind == kind for one in state.tally.waiting)
    chosen = largest(state.noise)
    for noise in state.noise:
        if noise.rate is not None:
            yield "assay_noise_ratio", (noise.revision,), noise.rate
        if noise.agreement is not None:
            yield "assay_model_agreement_ratio", (noise.revision,), noise.agreement
        for name, (_, rate) in folded(noise, chosen).items():
            yield "assay_class_noise_ratio", (noise.revision, name), rate
    yield "assay_revisions_total", (), len(state.revisions)
    if state.revisions and (at := state.published) is not None:
        yield "assay_last_revision_timestamp_seconds", (), at


class _Once(Collector):
    """The families of one moment, for prometheus_client to write."""

    def __init__(self, found: Iterable[Sample]) -> None:
        self._found = list(found)

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for name, labels, value in self._found:
                if name == metric.name:
                    family.add_metric([_text(label) for label in labels], float(value))
            if family.samples:
                yield family


def _text(label: str) -> str:
    """A label that UTF-8 can hold: one lone surrogate would cost the whole answer."""
    return label.encode("utf-8", "replace").decode()


def exposition(state: State, server: Server, now: float) -> bytes:
    """The text that Prometheus scrapes (format 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(samples(state, server, now)))
    return generate_latest(registry)
