//! Names of the metrics, and the recorder behind `/metrics`. `docs/operations.md` says what to watch.

use std::sync::OnceLock;
use std::time::Instant;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests, by `route` and `status`.
pub const REQUESTS: &str = "fieldgrid_requests_total";
/// Time from a request's head to its answer's, by `route`; an upload over a slow link counts.
pub const REQUEST_SECONDS: &str = "fieldgrid_request_seconds";
/// Bytes of bodies, by `direction` (`in`, `out`): sync, enrolment and packs.
pub const BODY_BYTES: &str = "fieldgrid_body_bytes_total";
/// Requests whose body is read and that wait for their turn.
pub const REQUESTS_WAITING: &str = "fieldgrid_requests_waiting";
/// Memory set aside for bodies: `of` all `bodies`, and of `strangers`, those whose sender is not known yet.
pub const BODY_MEMORY: &str = "fieldgrid_body_memory_bytes";
/// Requests turned away, by what there was too little `of`: memory for `bodies` or for `strangers`, `turns`, or places of one `device`.
pub const REQUESTS_SHED: &str = "fieldgrid_requests_shed_total";
/// Event streams that are open.
pub const EVENT_STREAMS: &str = "fieldgrid_event_streams";

/// Batches that devices sent, by `outcome`: `held` (taken now or before), `rejected` (took no place in the outbox).
pub const BATCHES: &str = "fieldgrid_batches_total";
/// Pieces of batches, by `outcome`: `accepted`, `refused` (or stranded by a refused one), `held` back (waiting or quarantined).
pub const ITEMS: &str = "fieldgrid_items_total";
/// Positions that this server's key signed and its database does not have.
pub const CONTRADICTIONS: &str = "fieldgrid_contradictions_total";
/// Time in the gate, for each change.
pub const GATE_SECONDS: &str = "fieldgrid_gate_seconds";
/// Time of a group's transaction, its flush to disk included.
pub const COMMIT_SECONDS: &str = "fieldgrid_commit_seconds";
/// Requests with batches that wait for a thread to be judged on.
pub const ADMISSION_WAITING: &str = "fieldgrid_admission_waiting";

/// From 50 µs, a small change in the gate, to half a minute, when the server gives up.
const SECONDS: &[f64] = &[0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The process's recorder, installed at the first call.
///
/// # Panics
/// When another recorder was installed before it.
#[must_use]
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS).expect("there are buckets");
            let handle = builder.install_recorder().expect("no other recorder in this process");
            describe();
            handle
        })
        .clone()
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests, by route and status.");
    metrics::describe_histogram!(REQUEST_SECONDS, "Time from a request's head to its answer's, by route.");
    metrics::describe_counter!(BODY_BYTES, "Bytes of bodies, by direction.");
    metrics::describe_gauge!(REQUESTS_WAITING, "Requests that wait for their turn.");
    metrics::describe_counter!(REQUESTS_SHED, "Requests turned away, by what there was too little of.");
    metrics::describe_gauge!(BODY_MEMORY, "Memory set aside for bodies, all and those of senders not known yet.");
    metrics::describe_gauge!(EVENT_STREAMS, "Event streams that are open.");
    metrics::describe_counter!(BATCHES, "Batches that devices sent, by outcome.");
    metrics::describe_counter!(ITEMS, "Pieces of batches, by outcome.");
    metrics::describe_counter!(CONTRADICTIONS, "Positions that the server's key signed and its database does not have.");
    metrics::describe_histogram!(GATE_SECONDS, "Time in the gate, for each change.");
    metrics::describe_histogram!(COMMIT_SECONDS, "Time of a group's transaction, its flush to disk included.");
    metrics::describe_gauge!(ADMISSION_WAITING, "Requests with batches that wait for a thread to be judged on.");
}

/// Does some work and records how long it took.
pub fn timed<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    metrics::histogram!(name).record(started.elapsed());
    done
}

/// A gauge that is one higher while this is held, also when what holds it is dropped half-way.
#[derive(Debug)]
pub struct Level(&'static str);

impl Level {
    /// One more.
    #[must_use]
    pub fn raise(name: &'static str) -> Self {
        metrics::gauge!(name).increment(1);
        Self(name)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        metrics::gauge!(self.0).decrement(1);
    }
}
