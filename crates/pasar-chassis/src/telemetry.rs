//! Logs and metrics of the process. Both are global by their crates' nature, so they are set up once,
//! by the binary; a library never does.

mod json_lines;

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use pasar_feed::tasks::Tasks;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{
    EnvFilter, filter::ParseError, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    pub format: LogFormat,
    /// What is logged, as in `info,pasar_orders=debug`.
    pub filter: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, with `flow` among its members.
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("failed to read the log filter {filter:?}")]
    Filter {
        filter: String,
        #[source]
        source: ParseError,
    },
    #[error("logs or metrics are set up already")]
    Twice,
    #[error("failed to build the metrics")]
    Metrics(#[from] BuildError),
}

/// The process's metrics, for `/metrics`. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<PrometheusHandle>);

/// Seconds: from a memory access to the longest wait that is granted.
const BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 10.0, 60.0,
];
/// How often what was recorded is folded into the buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Libraries that repeat each failure of a destination, which its attempts tell already, and print the whole
/// message with it.
const QUIET: &str = "lapin=off,rskafka=off";

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// Sends logs to standard error, from here on, for the whole process.
pub fn init_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    // What comes first gives way to what the configuration says of the same module.
    let directives = format!("{QUIET},{}", config.filter);
    let filter = EnvFilter::try_new(directives).map_err(|source| TelemetryError::Filter {
        filter: config.filter.clone(),
        source,
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let done = match config.format {
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(json_lines::JsonLines::new(std::io::stderr))
            .try_init(),
    };
    done.map_err(|_| TelemetryError::Twice)
}

impl Metrics {
    /// Records the process's metrics from here on.
    pub fn install(tasks: &Tasks) -> Result<Self, TelemetryError> {
        let recorder = builder()?.build_recorder();
        let handle = Arc::new(recorder.handle());
        ::metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Twice)?;
        let (owner, upkeep) = (tasks.clone(), Arc::clone(&handle));
        tasks.spawn("metrics", async move {
            loop {
                tokio::select! {
                    () = owner.draining() => return,
                    () = tokio::time::sleep(UPKEEP) => upkeep.run_upkeep(),
                }
            }
        });
        Ok(Self(handle))
    }

    /// Metrics that record nothing: for tests that need the endpoint only.
    pub fn detached() -> Result<Self, TelemetryError> {
        Ok(Self(Arc::new(builder()?.build_recorder().handle())))
    }

    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&BUCKETS)
}
