//! Rates, full queues, long waits and the end of the service.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use super::*;

/// A service with one worker that holds every picture until it is let go.
async fn slow_service(
    queue: usize,
    queue_wait_ms: u64,
) -> (Arc<Service>, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let (open, opened) = mpsc::channel();
    let (start, started) = mpsc::channel();
    let gate = Mutex::new((opened, start));
    let mut config = defaults();
    config.workers.workers = 1;
    config.workers.queue = Some(queue);
    config.workers.queue_wait_ms = queue_wait_ms;
    let read = move |picture: &[u8]| {
        let (opened, start) = &*gate.lock().unwrap();
        let _ = start.send(());
        let _ = opened.recv();
        fake_read(picture)
    };
    (Arc::new(service_with(config, read).await), open, started)
}

/// Posts a card from a task of its own and returns once a worker holds it.
async fn post_and_hold(
    service: &Arc<Service>,
    started: mpsc::Receiver<()>,
) -> tokio::task::JoinHandle<Answered> {
    let posted = Arc::clone(service);
    let task = tokio::spawn(async move { posted.post_picture("card").await });
    tokio::task::spawn_blocking(move || started.recv()).await.unwrap().unwrap();
    task
}

#[tokio::test]
async fn over_the_rate() {
    let service = service().await;
    service.change(KeyChange { rate_per_second: Some(1), burst: Some(2), ..Default::default() }).await;
    assert_eq!(service.post_picture("card").await.status, 200);
    assert_eq!(service.post_picture("card").await.status, 200);
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (429, "the key is over its rate: try again later"));
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_draining_lets_the_open_request_finish() {
    let (service, open, started) = slow_service(0, 60_000).await;
    let held = post_and_hold(&service, started).await;
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (429, "the server is busy: its queue is full"));

    // Before its body is read.
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = service.request().header("content-type", "image/png").body(endless).unwrap();
    assert_eq!(service.send(request).await.refusal(), (429, "the server is busy: its queue is full"));
    let other = service.request().uri(CREDIT_PATH).body(Body::empty()).unwrap();
    assert_eq!(service.send(other).await.status, 200, "what needs no worker is answered");

    service.state.start_draining();
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (503, "the server is shutting down"));
    assert_eq!(refused.header("retry-after"), "5");
    open.send(()).unwrap();
    assert_eq!(held.await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_too_long_is_503_and_costs_no_call() {
    let (service, open, started) = slow_service(1, 30).await;
    service.change(KeyChange { remaining_calls: Some(5), ..Default::default() }).await;
    let held = post_and_hold(&service, started).await;
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (503, "the server is busy: waited too long for a worker"));
    open.send(()).unwrap();
    assert_eq!(held.await.unwrap().status, 200);
    service.state.accounts.settle_all().await;
    assert_eq!(service.store.list_keys().await.unwrap()[0].remaining_calls, 4);
}

#[tokio::test]
async fn a_picture_that_takes_too_long_is_503_and_costs_no_call() {
    let service = service().await;
    service.change(KeyChange { remaining_calls: Some(5), ..Default::default() }).await;
    let refused = service.post_picture("costly").await;
    let msg = "reading the picture took too long: try again later, or send a smaller picture";
    assert_eq!(refused.refusal(), (503, msg));
    service.state.accounts.settle_all().await;
    assert_eq!(service.store.list_keys().await.unwrap()[0].remaining_calls, 5);
}

#[tokio::test]
async fn bodies_in_memory_are_bounded() {
    let mut config = defaults();
    config.admission.max_requests = 1;
    let service = Arc::new(service_with(config, fake_read).await);
    let slow = {
        let service = Arc::clone(&service);
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = service.request().header("content-type", "image/png").body(endless).unwrap();
        tokio::spawn(async move { service.send(request).await })
    };
    while service.state.requests.available_permits() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (429, "the server is busy: too many requests at once"));
    slow.abort();
    let _ = slow.await;
    assert_eq!(service.post_picture("card").await.status, 200);
}
