//! What the operating system tells about this process, under the names that Prometheus' own clients use. Only Linux tells;
//! elsewhere, and where /proc is hidden, these figures are missing and nothing else.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::telemetry;

/// `/proc/self/stat` counts in hundredths of a second: USER_HZ is 100 on every architecture of Linux that Rust's standard
/// library supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads the figures anew each time they are asked for.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let panics = ConstCounter::new(telemetry::panics());
        write(&mut encoder, "kahao_panics", "Panics in workers, handlers and anything else", &panics)?;
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat))
        {
            let help = "User and system CPU time spent";
            write(&mut encoder, "process_cpu_seconds", help, &ConstCounter::new(seconds))?;
        }
        if let Some(bytes) =
            fs::read_to_string("/proc/self/status").ok().and_then(|text| resident_bytes(&text))
        {
            let help = "Resident memory size";
            write(&mut encoder, "process_resident_memory_bytes", help, &ConstGauge::new(bytes))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // Reading the folder opens one more.
            let open = open.count().saturating_sub(1) as u64;
            write(&mut encoder, "process_open_fds", "Open file descriptors", &ConstGauge::new(open))?;
        }
        if let Some(max) =
            fs::read_to_string("/proc/self/limits").ok().and_then(|text| max_descriptors(&text))
        {
            write(&mut encoder, "process_max_fds", "Most file descriptors", &ConstGauge::new(max))?;
        }
        Ok(())
    }
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field is a name in brackets that may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn max_descriptors(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_understood() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 900 0 0 0 250 50 0 0 20 0 9 0 100 1 2";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t  2048 kB\n"), Some(2048 * 1024));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(max_descriptors(limits), Some(1024));
        for nonsense in ["", "(", ") 1 2", "VmRSS: x kB", "Max open files"] {
            assert_eq!(
                (cpu_seconds(nonsense), resident_bytes(nonsense), max_descriptors(nonsense)),
                (None, None, None)
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen() {
        let mut page = String::new();
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(Process));
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let value = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing in\n{page}")).parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
        value("kahao_panics_total");
    }
}
