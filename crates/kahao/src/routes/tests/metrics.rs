//! What is counted of requests, and who sees it.

use axum::http::StatusCode;

use super::*;

/// The page as a caller from `peer` sees it, with the headers given; `None` when there is no such page.
async fn page(router: &Router, peer: [u8; 4], headers: &[(&'static str, &str)]) -> Option<String> {
    let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 1234))));
    let response = router.clone().oneshot(request).await.unwrap();
    let ok = response.status() == StatusCode::OK;
    assert!(ok || response.status() == StatusCode::NOT_FOUND);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    ok.then(|| String::from_utf8(body.to_vec()).unwrap())
}

fn assert_has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|l| l == *line), "{line} is missing in\n{page}");
    }
}

#[tokio::test]
async fn the_page_is_for_direct_callers_on_this_machine() {
    let service = service().await;
    assert!(page(&service.router, [127, 0, 0, 1], &[]).await.is_some());
    assert!(page(&service.router, [203, 0, 113, 9], &[]).await.is_none());
    for header in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        assert!(page(&service.router, [127, 0, 0, 1], &[(header, "127.0.0.1")]).await.is_none(), "{header}");
    }
}

#[tokio::test]
async fn a_listener_of_its_own_is_the_only_one() {
    let mut config = defaults();
    config.metrics.metrics_listen = Some(SocketAddr::from(([10, 0, 0, 1], 9000)));
    let service = service_with(config, fake_read).await;
    assert!(page(&service.router, [127, 0, 0, 1], &[]).await.is_none());
    let apart = crate::routes::monitoring(Arc::clone(&service.state));
    assert!(page(&apart, [203, 0, 113, 9], &[]).await.is_some());
    let refused = apart.oneshot(Request::post(PATH).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND, "monitoring is not the API");
}

#[tokio::test]
async fn requests_stages_and_refusals_are_counted() {
    let service = service().await;
    let read = service.post_picture("card").await;
    let timing = read.header("server-timing");
    assert!(timing.starts_with("queue;dur="), "{timing}");
    assert!(timing.contains(", decode;dur=2.0, locate;dur=2.0, recognize;dur=2.0, total;dur="), "{timing}");
    service.post_picture("no card").await;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    service.post_picture("panic").await;
    std::panic::set_hook(hook);
    let unknown = Request::post(PATH).header("authorization", "APPCODE 0").body(Body::empty()).unwrap();
    let refused = service.send(unknown).await;
    assert_eq!((refused.status, refused.header("server-timing")), (401, ""), "strangers learn no times");
    service.send(Request::get("/4111111111111111").body(Body::empty()).unwrap()).await;

    let page = page(&service.router, [127, 0, 0, 1], &[]).await.unwrap();
    assert_has(
        &page,
        &[
            r#"kahao_requests_total{method="POST",route="/api/bank_card_ocr/v1",code="200"} 2"#,
            r#"kahao_requests_total{method="POST",route="/api/bank_card_ocr/v1",code="401"} 1"#,
            r#"kahao_requests_total{method="POST",route="/api/bank_card_ocr/v1",code="500"} 1"#,
            r#"kahao_requests_total{method="GET",route="(none)",code="404"} 1"#,
            r#"kahao_request_duration_seconds_count{route="/api/bank_card_ocr/v1"} 4"#,
            r#"kahao_stage_duration_seconds_count{stage="queue"} 3"#,
            r#"kahao_stage_duration_seconds_count{stage="recognize"} 3"#,
            r#"kahao_refusals_total{reason="no_card"} 1"#,
            r#"kahao_refusals_total{reason="unknown_key_or_secret"} 1"#,
            r#"kahao_refusals_total{reason="panic"} 1"#,
            "kahao_requests_in_flight 1",
            "kahao_draining 0",
        ],
    );
    assert!(!page.contains("411111"), "{page}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_counted_and_leaves_the_gauge() {
    let service = Arc::new(service().await);
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = service.request().header("content-type", "image/png").body(endless).unwrap();
    let left = {
        let service = Arc::clone(&service);
        tokio::spawn(async move { service.send(request).await })
    };
    while service.state.metrics.in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    left.abort();
    assert!(left.await.is_err());
    let page = page(&service.router, [127, 0, 0, 1], &[]).await.unwrap();
    assert_has(
        &page,
        &[
            r#"kahao_requests_total{method="POST",route="/api/bank_card_ocr/v1",code="499"} 1"#,
            r#"kahao_refusals_total{reason="hung_up"} 1"#,
            "kahao_requests_in_flight 1",
        ],
    );
}
