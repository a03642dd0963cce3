//! What a process has used, from `/proc`, and on which processor it runs.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use anyhow::Context;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processor time that a process has used so far, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuTime {
    /// In user mode.
    pub(crate) user: u64,
    /// In the kernel.
    pub(crate) system: u64,
    /// In both, by the names of threads that are still there.
    pub(crate) threads: BTreeMap<String, u64>,
}

impl CpuTime {
    /// In both: by the scheduler's finer clock, which knows threads that are still there, or by ticks.
    pub(crate) fn total(&self) -> u64 {
        self.threads.values().sum::<u64>().max(self.user + self.system)
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let thread = |(name, time): (&String, &u64)| {
            (name.clone(), time.saturating_sub(earlier.threads.get(name).copied().unwrap_or(0)))
        };
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
            threads: self.threads.iter().map(thread).collect(),
        }
    }

    /// What threads of that name used.
    pub(crate) fn thread(&self, name: &str) -> u64 {
        self.threads.get(name).copied().unwrap_or(0)
    }
}

/// Reads what a process has used.
///
/// # Errors
/// If there is no such process.
pub(crate) fn cpu_time(pid: Pid) -> anyhow::Result<CpuTime> {
    let directory = format!("/proc/{}", pid.as_raw_nonzero());
    let stat = fs::read_to_string(format!("{directory}/stat")).context("the server has ended")?;
    // The name in parentheses may hold spaces; the fields are numbered in proc_pid_stat(5).
    let fields: Vec<&str> =
        stat.rsplit_once(')').context("/proc has changed")?.1.split_whitespace().collect();
    let ticks = |number: usize| -> anyhow::Result<u64> { Ok(fields[number - 3].parse::<u64>()? * TICK) };
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("{directory}/task"))?.flatten() {
        let read = |file| fs::read_to_string(entry.path().join(file));
        // A thread may end meanwhile.
        if let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) {
            let time: u64 = times.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0);
            *threads.entry(name.trim_end().to_owned()).or_default() += time;
        }
    }
    Ok(CpuTime { user: ticks(14)?, system: ticks(15)?, threads })
}

/// Nanoseconds of a tick in `/proc/PID/stat`: `sysconf(_SC_CLK_TCK)` is 100 on Linux.
const TICK: u64 = 10_000_000;

/// Memory that a process has, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident, files that it has mapped included.
    pub(crate) resident: u64,
    /// Resident and its own: what the process costs the machine.
    pub(crate) anonymous: u64,
}

/// Reads how much memory a process has.
///
/// # Errors
/// If there is no such process.
pub(crate) fn memory(pid: Pid) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Memory { resident: field("VmRSS:"), anonymous: field("RssAnon:") })
}

/// Runs `start` on one processor, so that what it starts stays there, and this thread on another
/// one from then on. Does neither without `pin`, or where there is only one processor.
///
/// # Errors
/// The system's, or those of `start`.
pub(crate) fn apart<T>(pin: bool, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let allowed = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).collect();
    let [first, .., last] = processors[..] else { return start() };
    if !pin {
        return start();
    }
    sched_setaffinity(None, &only(first))?;
    let started = start();
    sched_setaffinity(None, &only(last))?;
    let _ = EVERYWHERE.set(allowed);
    started
}

/// Lets this thread run everywhere again, so that the next server can be put apart.
///
/// # Errors
/// The system's.
pub(crate) fn together() -> anyhow::Result<()> {
    if let Some(allowed) = EVERYWHERE.get() {
        sched_setaffinity(None, allowed)?;
    }
    Ok(())
}

/// The processors that this program was given.
static EVERYWHERE: OnceLock<CpuSet> = OnceLock::new();

fn only(processor: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(processor);
    set
}
