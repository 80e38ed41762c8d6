//! Where reading happens: a bounded queue, then plain CPU threads. A full queue refuses at once; a
//! picture that waits too long is dropped. The async side never computes, the threads never wait for
//! the network.
//!
//! A queue is there for bursts. Where more is offered than can be read, a long one helps nobody: no more pictures are read,
//! and each waits for the whole queue. So a burst is taken as far as it is worked off soon, and under lasting overload the
//! queue takes only as many as keep the workers busy; those who are let in are answered soon, the others know at once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use kahao_reader::{CardReading, ReadError, Timings};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::stages::{Stage, Stages};

/// How a picture is read, in detail or not: the models in the service, a fake in tests.
pub(crate) type Read = dyn Fn(&[u8], bool, &mut Timings) -> Result<Vec<CardReading>, ReadError> + Send + Sync;

/// Settings of the workers.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Reading")]
pub(crate) struct Config {
    /// Threads that read pictures; 0 is one for each core
    #[arg(long, env = "KAHAO_WORKERS", value_name = "N", default_value_t = 0)]
    pub(crate) workers: usize,
    /// Pictures that may wait for a worker in a burst before requests are refused with 429, as far as they are read within 0.5
    /// seconds; two for each worker while more is offered than the workers can read. Absent: 8 for each worker
    #[arg(long, env = "KAHAO_QUEUE", value_name = "N")]
    pub(crate) queue: Option<usize>,
    /// How long a picture may wait for a worker before its request is answered 503, in milliseconds
    #[arg(long, env = "KAHAO_QUEUE_WAIT_MS", value_name = "MS", default_value_t = 5000)]
    pub(crate) queue_wait_ms: u64,
    /// How long the reading of one picture may take before it is given up and answered 503, in milliseconds
    #[arg(long, env = "KAHAO_READ_TIME_MS", value_name = "MS", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub(crate) read_time_ms: u64,
}

/// Places in the queue for each worker, where no setting says otherwise.
const PLACES_PER_WORKER: usize = 8;
/// Longest wait that a burst may bring, by what pictures have taken lately: on a slow machine, or with large pictures, fewer
/// than all places are taken. At 62 ms for a picture it is eight of them.
const BURST_WAIT: Duration = Duration::from_millis(500);
/// Readings over which their time is averaged. Hard pictures take ten times as long as clear ones: of eight the mean would tell
/// rather how hard these were.
const MEAN_OVER: u32 = 64;
/// Places for each worker under lasting load: a longer queue makes everybody wait and reads no more. With one, 2 of 461 requests were
/// refused at 0.8 of the capacity (bench/load.py, 2026-11-25), with two as many, but at the capacity 28 of 601 instead of 40 of 581.
const LASTING_PLACES_PER_WORKER: usize = 2;
/// The time over which the work offered is averaged. From as much on as the workers can do load counts as lasting: at 0.8 of the
/// capacity none of 461 steady requests were refused, at it and at twice and ten times of it the answered took 537, 459 and 510 ms
/// at the 99th percentile, where a lone client's took 255; from a quarter more on 853 ms at the capacity (bench/load.py,
/// 2026-11-27).
const OFFERED_OVER: Duration = Duration::from_secs(1);

/// Why a picture did not get its reading.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("the server is busy: its queue is full")]
    QueueFull,
    #[error("the server is busy: waited too long for a worker")]
    WaitedTooLong,
    #[error("the reader panicked")]
    Panicked,
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The queue and its threads, which end when this is dropped.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    queue_wait: Duration,
}

/// How busy the workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// Pictures in the queue.
    pub(crate) waiting: usize,
    /// Pictures being read.
    pub(crate) running: usize,
    /// Threads that read.
    pub(crate) workers: usize,
}

struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    threads: usize,
    /// Most pictures waiting in a burst.
    places: usize,
}

struct Jobs {
    waiting: VecDeque<Job>,
    running: usize,
    closed: bool,
    offered: Offered,
    /// Pictures that were read.
    readings: u32,
    /// Of the last pictures; zero before the first.
    mean_reading: Duration,
}

/// The reading time of the pictures that were offered of late, taken or refused; older ones fade.
struct Offered {
    seconds: f64,
    at: Instant,
}

impl Offered {
    fn add(&mut self, reading: Duration) {
        let now = Instant::now();
        self.seconds *= (-(now - self.at).as_secs_f64() / OFFERED_OVER.as_secs_f64()).exp();
        self.seconds += reading.as_secs_f64();
        self.at = now;
    }

    /// In what so many threads can read in that time.
    fn load(&self, threads: usize) -> f64 {
        self.seconds / (OFFERED_OVER.as_secs_f64() * threads as f64)
    }
}

struct Job {
    picture: Bytes,
    detail: bool,
    queued: Instant,
    stages: Stages,
    started: oneshot::Sender<()>,
    answer: oneshot::Sender<Result<Vec<CardReading>, WorkError>>,
}

impl Workers {
    /// Starts the threads.
    pub(crate) fn start(config: &Config, read: Arc<Read>) -> std::io::Result<Self> {
        let threads = match config.workers {
            0 => std::thread::available_parallelism()?.get(),
            n => n,
        };
        let jobs = Jobs {
            waiting: VecDeque::new(),
            running: 0,
            closed: false,
            offered: Offered { seconds: 0.0, at: Instant::now() },
            readings: 0,
            mean_reading: Duration::ZERO,
        };
        let queue = Arc::new(Queue {
            jobs: Mutex::new(jobs),
            changed: Condvar::new(),
            threads,
            places: config.queue.unwrap_or(threads.saturating_mul(PLACES_PER_WORKER)),
        });
        for i in 0..threads {
            let (queue, read) = (Arc::clone(&queue), Arc::clone(&read));
            std::thread::Builder::new().name(format!("reader-{i}")).spawn(move || queue.work(&*read))?;
        }
        Ok(Self { queue, queue_wait: Duration::from_millis(config.queue_wait_ms) })
    }

    /// How busy they are now.
    pub(crate) fn load(&self) -> Load {
        let jobs = self.queue.lock();
        Load { waiting: jobs.waiting.len(), running: jobs.running, workers: self.queue.threads }
    }

    /// Whether a picture would be refused now. Asked before its body is read, which a refusal does not need, and once for each
    /// that is offered.
    pub(crate) fn check_room(&self) -> Result<(), WorkError> {
        let mut jobs = self.queue.lock();
        let reading = jobs.mean_reading;
        jobs.offered.add(reading);
        self.queue.check_room(&mut jobs)
    }

    /// Reads a picture on a worker and notes its stages. Dropping the future takes a waiting picture out of the queue.
    pub(crate) async fn read(
        &self,
        picture: Bytes,
        detail: bool,
        stages: &Stages,
    ) -> Result<Vec<CardReading>, WorkError> {
        let (started, has_started) = oneshot::channel();
        let (answer, result) = oneshot::channel();
        self.queue.push(Job {
            picture,
            detail,
            queued: Instant::now(),
            stages: stages.clone(),
            started,
            answer,
        })?;
        match timeout(self.queue_wait, has_started).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(WorkError::Panicked),
            Err(_) => return Err(WorkError::WaitedTooLong),
        }
        result.await.unwrap_or(Err(WorkError::Panicked))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), WorkError> {
        let mut jobs = self.lock();
        self.check_room(&mut jobs)?;
        jobs.waiting.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    fn check_room(&self, jobs: &mut Jobs) -> Result<(), WorkError> {
        let soon = BURST_WAIT.as_micros() / jobs.mean_reading.as_micros().max(1);
        let soon = self.threads.saturating_mul(usize::try_from(soon).unwrap_or(usize::MAX).max(1));
        let mut places = self.places.min(soon);
        if jobs.offered.load(self.threads) >= 1.0 {
            places = places.min(self.threads.saturating_mul(LASTING_PLACES_PER_WORKER));
        }
        let is_full = |jobs: &Jobs| jobs.waiting.len() + jobs.running >= self.threads + places;
        if is_full(jobs) {
            // Those whose callers have given up take no place.
            jobs.waiting.retain(|job| !job.answer.is_closed());
        }
        if is_full(jobs) { Err(WorkError::QueueFull) } else { Ok(()) }
    }

    /// The next picture that somebody still waits for; `None` when the service ends.
    fn pop(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if jobs.closed {
                return None;
            }
            match jobs.waiting.pop_front() {
                Some(job) if job.answer.is_closed() => {}
                Some(job) => {
                    jobs.running += 1;
                    return Some(job);
                }
                None => {
                    jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Notes that a picture is done, and how long it took.
    fn finish(&self, took: Duration) {
        let mut jobs = self.lock();
        jobs.running -= 1;
        jobs.readings = jobs.readings.saturating_add(1);
        let over = jobs.readings.min(MEAN_OVER);
        jobs.mean_reading = jobs.mean_reading - jobs.mean_reading / over + took / over;
    }

    fn work(&self, read: &Read) {
        while let Some(Job { picture, detail, queued, stages, started, answer }) = self.pop() {
            stages.note(Stage::Queue, queued);
            // The caller may be gone; then nobody hears either message.
            let _ = started.send(());
            let (began, mut timings) = (Instant::now(), Timings::default());
            let reading = catch_unwind(AssertUnwindSafe(|| read(&picture, detail, &mut timings)));
            stages.note_reading(began, &timings);
            self.finish(began.elapsed());
            let _ = answer.send(match reading {
                Ok(reading) => reading.map_err(WorkError::Read),
                Err(_) => Err(WorkError::Panicked),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn start(workers: usize, queue: usize, queue_wait_ms: u64, read: Arc<Read>) -> Arc<Workers> {
        let config = Config { workers, queue: Some(queue), queue_wait_ms, read_time_ms: 10_000 };
        Arc::new(Workers::start(&config, read).unwrap())
    }

    /// A reader that holds each picture until it is told to let go.
    fn gate() -> (Arc<Read>, mpsc::Sender<()>) {
        let (open, opened) = mpsc::channel();
        let opened = Mutex::new(opened);
        let read = move |_: &[u8], _: bool, _: &mut Timings| {
            let _ = opened.lock().unwrap().recv();
            Err(ReadError::NoCard)
        };
        (Arc::new(read), open)
    }

    async fn settle(workers: &Workers, waiting: usize, running: usize) {
        for _ in 0..500 {
            if workers.load() == (Load { waiting, running, workers: workers.queue.threads }) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the queue never had {waiting} waiting and {running} running");
    }

    fn submit(workers: &Arc<Workers>) -> tokio::task::JoinHandle<Result<Vec<CardReading>, WorkError>> {
        let workers = Arc::clone(workers);
        tokio::spawn(async move { workers.read(Bytes::new(), false, &Stages::default()).await })
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let (read, open) = gate();
        let workers = start(1, 1, 60_000, read);
        let first = submit(&workers);
        settle(&workers, 0, 1).await;
        let second = submit(&workers);
        settle(&workers, 1, 1).await;
        assert!(matches!(
            workers.read(Bytes::new(), false, &Stages::default()).await,
            Err(WorkError::QueueFull)
        ));
        open.send(()).unwrap();
        open.send(()).unwrap();
        for answer in [first, second] {
            assert!(matches!(answer.await.unwrap(), Err(WorkError::Read(ReadError::NoCard))));
        }
        settle(&workers, 0, 0).await;
    }

    #[tokio::test]
    async fn overload_makes_the_queue_short() {
        let (read, open) = gate();
        let workers = start(1, 4, 60_000, read);
        let mut answers = vec![submit(&workers)];
        settle(&workers, 0, 1).await;
        for waiting in 1..=2 {
            answers.push(submit(&workers));
            settle(&workers, waiting, 1).await;
        }
        workers.queue.lock().mean_reading = Duration::from_millis(50);
        // Less than the worker can do in a second.
        for _ in 0..15 {
            assert!(workers.check_room().is_ok(), "a burst");
        }
        let refused = (0..40).filter(|_| workers.check_room().is_err()).count();
        // 36, less what has faded on a busy machine.
        assert!((20..=36).contains(&refused), "from the twentieth on: {refused} of 40");
        workers.queue.lock().offered.at -= 2 * OFFERED_OVER;
        assert!(workers.check_room().is_ok(), "what was offered long ago has faded");
        for _ in &answers {
            open.send(()).unwrap();
        }
        for answer in answers {
            assert!(matches!(answer.await.unwrap(), Err(WorkError::Read(_))));
        }
    }

    #[tokio::test]
    async fn the_mean_is_that_of_the_last_readings() {
        let (read, _open) = gate();
        let workers = start(1, 4, 60_000, read);
        workers.queue.lock().running = 1000;
        for took in [100, 200, 600] {
            workers.queue.finish(Duration::from_millis(took));
        }
        assert_eq!(workers.queue.lock().mean_reading.as_millis(), 300);
        for _ in 0..500 {
            workers.queue.finish(Duration::from_millis(20));
        }
        assert_eq!(workers.queue.lock().mean_reading.as_millis(), 20);
        workers.queue.lock().running = 0;
    }

    #[tokio::test]
    async fn slow_pictures_make_the_queue_short() {
        let (read, open) = gate();
        let workers = start(2, 16, 60_000, read);
        let room = |mean_ms| {
            workers.queue.lock().mean_reading = Duration::from_millis(mean_ms);
            workers.check_room().is_ok()
        };
        let mut answers = vec![submit(&workers), submit(&workers)];
        settle(&workers, 0, 2).await;
        for waiting in 1..=4 {
            answers.push(submit(&workers));
            settle(&workers, waiting, 2).await;
        }
        for (mean_ms, fits) in [(0, true), (30, true), (166, true), (167, false), (5000, false)] {
            assert_eq!(room(mean_ms), fits, "{mean_ms} ms");
        }
        for _ in &answers {
            open.send(()).unwrap();
        }
        for answer in answers {
            assert!(matches!(answer.await.unwrap(), Err(WorkError::Read(_))));
        }
    }

    #[tokio::test]
    async fn a_caller_that_left_gives_its_place_free() {
        let (read, open) = gate();
        let workers = start(1, 1, 60_000, read);
        let first = submit(&workers);
        settle(&workers, 0, 1).await;
        let left = submit(&workers);
        settle(&workers, 1, 1).await;
        left.abort();
        assert!(left.await.is_err());
        let next = submit(&workers);
        settle(&workers, 1, 1).await;
        open.send(()).unwrap();
        open.send(()).unwrap();
        assert!(matches!(first.await.unwrap(), Err(WorkError::Read(_))));
        assert!(matches!(next.await.unwrap(), Err(WorkError::Read(_))));
    }

    #[tokio::test]
    async fn waiting_too_long_is_told_apart() {
        let (read, open) = gate();
        let workers = start(1, 1, 50, read);
        let first = submit(&workers);
        settle(&workers, 0, 1).await;
        assert!(matches!(
            workers.read(Bytes::new(), false, &Stages::default()).await,
            Err(WorkError::WaitedTooLong)
        ));
        open.send(()).unwrap();
        assert!(
            matches!(first.await.unwrap(), Err(WorkError::Read(_))),
            "a started picture may take its time"
        );
    }

    #[tokio::test]
    async fn a_worker_outlives_a_panic() {
        let read = |picture: &[u8], _: bool, _: &mut Timings| match picture {
            b"bomb" => panic!("on purpose"),
            _ => Ok(Vec::new()),
        };
        let workers = start(1, 8, 60_000, Arc::new(read));
        for _ in 0..3 {
            assert!(matches!(
                workers.read(Bytes::from_static(b"bomb"), false, &Stages::default()).await,
                Err(WorkError::Panicked)
            ));
        }
        assert!(workers.read(Bytes::new(), false, &Stages::default()).await.is_ok());
    }
}
