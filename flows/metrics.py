"""Which figures does Assay export, what is each called, and which panel shows it?

The one table: /metrics (exporter.py), deploy/grafana.json (scripts/make_dashboard.py) and the tests are made from it,
and deploy/alerts.yml names only what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .noise_history import CLASSES


@dataclass(frozen=True, slots=True)
class Metric:
    """One name of the exposition, and the panel of deploy/grafana.json that shows it."""

    name: str
    kind: str  # gauge | counter
    help: str
    labels: tuple[str, ...]
    unit: str  # of the panel, in Grafana's words: short, s, bytes, percentunit, dateTimeAsIso
    title: str  # of the panel; "": another panel shows it
    query: str  # PromQL of the panel
    legend: str = ""  # of its series


def _gauge(name: str, help: str, unit: str, title: str = "", query: str = "", *labels: str, legend: str = "") -> Metric:
    return Metric(name, "gauge", help, labels, unit, title, query, legend or " ".join(f"{{{{{x}}}}}" for x in labels))


def _counter(name: str, help: str, title: str, query: str) -> Metric:
    return Metric(name, "counter", help, (), "short", title, query)


ROWS: tuple[tuple[str, tuple[Metric, ...]], ...] = (  # row of the Grafana dashboard -> its metrics
    (
        "Runs",
        (
            _gauge(
                "assay_prefect_up", "1 if the Prefect server answers.", "short", "Prefect answers", "assay_prefect_up"
            ),
            _gauge(
                "assay_flow_runs",
                "Flow runs of the last 24 hours, by the state that they are in.",
                "short",
                "Runs of the last day",
                "sum by (flow, state) (assay_flow_runs)",
                "flow",
                "state",
            ),
            _gauge(
                "assay_flow_last_run_state",
                "1 for the state in which the newest ended run of a flow ended.",
                "short",
                "How the newest run ended",
                "assay_flow_last_run_state == 1",
                "flow",
                "state",
            ),
            _gauge(
                "assay_flow_last_run_seconds",
                "Seconds that the newest ended run of a flow took.",
                "s",
                "Seconds a run",
                "assay_flow_last_run_seconds",
                "flow",
            ),
            _gauge(
                "assay_flow_last_run_timestamp_seconds",
                "When the newest ended run of a flow ended, seconds since 1970.",
                "s",
                "Since the newest run",
                "time() - assay_flow_last_run_timestamp_seconds",
                "flow",
            ),
            _gauge(
                "assay_flow_open_run_seconds",
                "Seconds since the oldest run that has not ended began, or should have.",
                "s",
                "Oldest open run",
                "assay_flow_open_run_seconds",
                "flow",
                "state",
            ),
            _gauge(
                "assay_worker_heartbeat_age_seconds",
                "Seconds since the last heartbeat of each worker that was there in the last day.",
                "s",
                "Heartbeat of each worker",
                "assay_worker_heartbeat_age_seconds",
                "pool",
                "worker",
            ),
            _gauge(
                "assay_workers_online",
                "Workers of a pool whose heartbeat Prefect holds to be fresh.",
                "short",
                "Workers online",
                "assay_workers_online",
                "pool",
            ),
            _gauge(
                "assay_stage_seconds",
                "Seconds that a stage took when it last did work.",
                "s",
                "Seconds a stage",
                "assay_stage_seconds",
                "stage",
            ),
            _gauge(
                "assay_stage_last_ran_timestamp_seconds",
                "When a stage last did work, seconds since 1970.",
                "s",
                "Since a stage did work",
                "time() - assay_stage_last_ran_timestamp_seconds",
                "stage",
            ),
            _gauge(
                "assay_stage_ran",
                "1 if a stage did work in the newest ended run of its flow, 0 if it had nothing new.",
                "short",
                "Stages that worked in the newest run",
                "assay_stage_ran",
                "stage",
            ),
        ),
    ),
    (
        "What comes in",
        (
            _gauge(
                "assay_arrivals",
                "Deliveries in the landing place: complete (to be received), growing, or held.",
                "short",
                "Deliveries that wait",
                "assay_arrivals",
                "state",
            ),
            _gauge(
                "assay_arrival_oldest_seconds",
                "Seconds that the oldest delivery has been in that state.",
                "s",
                "Oldest delivery that waits",
                "assay_arrival_oldest_seconds",
                "state",
            ),
            _gauge(
                "assay_watch_timestamp_seconds",
                "When the watcher last looked for deliveries, seconds since 1970.",
                "s",
                "Since the watcher looked",
                "time() - assay_watch_timestamp_seconds",
            ),
            _gauge("assay_held", "Subjects that wait at the gate.", "short", "Held at the gate", "assay_held", "kind"),
            _counter(
                "assay_rows_delivered_total",
                "Rows of all received drops.",
                "Rows delivered a day",
                "increase(assay_rows_delivered_total[1d])",
            ),
            _gauge(
                "assay_quarantined_rows",
                "Delivered rows that could not be taken, by code.",
                "short",
                "Quarantine",
                "assay_quarantined_rows",
                "code",
            ),
        ),
    ),
    (
        "What is doubtful",
        (
            _gauge("assay_queue_items", "Doubtful items in the queue.", "short", "Queue", "assay_queue_items"),
            _gauge(
                "assay_queue_open_items",
                "Items of the queue without an answer.",
                "short",
                "Queue, without an answer",
                "assay_queue_open_items",
            ),
            _gauge(
                "assay_queue_oldest_seconds",
                "Seconds since the drop of the oldest queued item was received.",
                "s",
                "Oldest item of the queue",
                "assay_queue_oldest_seconds",
            ),
            _counter(
                "assay_answers_total",
                "Answers that people gave.",
                "Answers an hour",
                "increase(assay_answers_total[1h])",
            ),
            _gauge(
                "assay_answers_unapplied",
                "Answers that are not in the dataset that revise made last.",
                "short",
                "Answers not yet applied",
                "assay_answers_unapplied",
            ),
            _gauge(
                "assay_noise_ratio",
                "Estimated share of wrong labels at each of the newest revisions and now.",
                "percentunit",
                "Noise by revision",
                "assay_noise_ratio",
                "revision",
            ),
            _gauge(
                "assay_noise_promised_ratio",
                "The share of wrong labels that is promised at most: sla.noise of params.yaml.",
                "percentunit",
                "Noise that is promised",
                "assay_noise_promised_ratio",
            ),
            _gauge(
                "assay_slices",
                "Classes and other slices that keep the promise (pass), break it (fail), or may do either (unclear).",
                "short",
                "Slices against the promise",
                "assay_slices",
                "kind",
                "verdict",
            ),
            _gauge(
                "assay_check_precision_ratio",
                "Share of a check's findings that people decided in which the label was wrong.",
                "percentunit",
                "Precision of each check",
                "assay_check_precision_ratio",
                "check",
            ),
            _gauge(
                "assay_waiting",
                "Questions without an answer, and open issues.",
                "short",
                "Questions and issues",
                "assay_waiting",
                "kind",
            ),
            _gauge(
                "assay_model_agreement_ratio",
                "Share of labels with which the audit's model agrees; below 0.8 the noise is an upper estimate.",
                "percentunit",
                "Model agrees with",
                "assay_model_agreement_ratio",
                "revision",
            ),
            _gauge(
                "assay_class_noise_ratio",
                f"Estimated share of wrong labels by class: the {CLASSES} largest, the rest as 'other'.",
                "percentunit",
                "Noise by class, now",
                'assay_class_noise_ratio{revision="now"}',
                "revision",
                "class",
                legend="{{class}}",
            ),
        ),
    ),
    (
        "What comes out",
        (
            _counter(
                "assay_revisions_total",
                "Revisions published.",
                "Revisions a week",
                "increase(assay_revisions_total[7d])",
            ),
            _gauge(
                "assay_last_revision_timestamp_seconds",
                "When the newest revision was published, seconds since 1970.",
                "s",
                "Since the newest revision",
                "time() - assay_last_revision_timestamp_seconds",
            ),
        ),
    ),
    (
        "The ground it stands on",
        (
            _gauge(
                "assay_disk_free_bytes",
                "Free bytes on the workspace's disk.",
                "bytes",
                "Free disk",
                "assay_disk_free_bytes",
            ),
            _gauge(
                "assay_disk_total_bytes",
                "Bytes of the workspace's disk.",
                "percentunit",
                "Free share of the disk",
                "assay_disk_free_bytes / assay_disk_total_bytes",
            ),
            _gauge(
                "assay_unread_parts",
                "Parts of the workspace that this exporter could not read; the page names them.",
                "short",
                "Parts that could not be read",
                "assay_unread_parts",
            ),
        ),
    ),
)

METRICS: tuple[Metric, ...] = tuple(metric for _, group in ROWS for metric in group)
