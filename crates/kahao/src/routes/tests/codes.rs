//! Each row of the code table.

use axum::routing::get;
use kahao_reader::ReadError;

use super::*;
use crate::input::{MAX_BODY_BYTES, MAX_PICTURE_BYTES};

#[tokio::test]
async fn cards_read() {
    let service = service().await;
    let answered = service.post_picture("card").await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.json["success"], true);
    assert_eq!((&answered.json["msg"], &answered.json["msg_cn"]), (&json!("OK"), &json!("成功")));
    assert_eq!(answered.json["data"]["content"][0]["number"], "4111111111111111");
    assert!(answered.json["data"]["content"][0].get("scheme").is_none());
    let answered = service.post_picture("two cards").await;
    assert_eq!(answered.json["data"]["content"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn every_form_of_body() {
    let service = service().await;
    let form =
        "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\ncard\r\n--b--\r\n";
    for (content_type, body) in [
        ("application/json", r#"{"image_base64":"Y2FyZA=="}"#),
        ("application/json", r#"{"image_base64":"data:image/jpeg;base64,Y2Fy\r\nZA"}"#),
        ("multipart/form-data; boundary=b", form),
        ("image/png", "card"),
        ("application/octet-stream", "card"),
    ] {
        let request = service.request().header("content-type", content_type).body(body.into()).unwrap();
        assert_eq!(service.send(request).await.json["success"], true, "{content_type} {body}");
    }
    let detailed = service.post_json(r#"{"image_base64":"Y2FyZA==","detail":true}"#).await;
    assert_eq!(detailed.json["data"]["content"][0]["scheme"], "visa");
    assert_eq!(detailed.json["data"]["content"][0]["holder"], "LI NA");
}

#[tokio::test]
async fn an_image_url_is_fetched() {
    let origin = axum::Router::new().route("/card.jpg", get(|| async { FETCHED }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, origin).await.unwrap() });

    let service = service().await;
    let fetched =
        service.post_json(json!({"image_url": format!("http://{address}/card.jpg")}).to_string()).await;
    assert_eq!(fetched.json["data"]["content"][0]["number"], "4111111111111111");
    let both = json!({"image_url": "http://192.168.0.1/", "image_base64": "Y2FyZA=="}).to_string();
    assert_eq!(service.post_json(both).await.status, 200);
    let gone = service.post_json(json!({"image_url": format!("http://{address}/gone")}).to_string()).await;
    assert_eq!(gone.refusal(), (400, "image_url cannot be fetched: its server answered 404"));
}

#[tokio::test]
async fn a_picture_without_a_readable_card_is_200_without_success() {
    let service = service().await;
    for (picture, msg, msg_cn) in [
        ("no card", "no bank card found", "未识别到银行卡"),
        ("blurred", "card number not legible", "卡号无法辨认"),
    ] {
        let answered = service.post_picture(picture).await;
        assert_eq!(answered.refusal(), (200, msg));
        assert_eq!(answered.json["msg_cn"], msg_cn);
    }
}

#[tokio::test]
async fn bad_requests_say_precisely_why() {
    let service = service().await;
    for (body, msg) in [
        ("{", "the body is not valid JSON: line 1, column 1"),
        (
            "[]",
            "the JSON must be an object with image_base64 or image_url as strings and detail as true or false",
        ),
        ("{}", "no picture: send image_base64 or image_url"),
        (r#"{"image_base64":"","image_url":""}"#, "no picture: send image_base64 or image_url"),
        (r#"{"image_base64":"?"}"#, "image_base64 is not valid base64"),
        (
            r#"{"image_base64":"aGVsbG8="}"#,
            "not a picture that can be read: send a JPEG, PNG, WebP, BMP, GIF or TIFF file",
        ),
        (r#"{"image_url":"ftp://example.com/a.jpg"}"#, "image_url is not an http or https address"),
        (
            r#"{"image_url":"http://169.254.169.254/"}"#,
            "image_url cannot be fetched: its host has no address that this server may reach",
        ),
    ] {
        assert_eq!(service.post_json(body).await.refusal(), (400, msg), "{body}");
    }
    for (picture, msg) in [
        ("cut", "the JPEG file is damaged or cut off: send the whole file again"),
        ("tiny", "the picture is 14 x 20 px, each side must have at least 15 px"),
        ("huge", "the picture is 8193 x 20 px, each side may have at most 8192 px"),
    ] {
        assert_eq!(service.post_picture(picture).await.refusal(), (400, msg));
    }
}

#[tokio::test]
async fn too_much_of_a_picture_and_too_much_of_a_body() {
    let service = service().await;
    let request = |length: usize| {
        service.request().header("content-type", "image/jpeg").body(vec![0; length].into()).unwrap()
    };
    let msg = "the picture file has 20971521 bytes, at most 20971520 are read: send a smaller file";
    assert_eq!(service.send(request(MAX_PICTURE_BYTES + 1)).await.refusal(), (400, msg));
    let msg = "the body is larger than 30 MB";
    assert_eq!(service.send(request(MAX_BODY_BYTES + 1)).await.refusal(), (413, msg));
    let declared =
        service.request().header("content-length", MAX_BODY_BYTES + 1).body(Body::empty()).unwrap();
    assert_eq!(service.send(declared).await.refusal(), (413, msg));
}

#[tokio::test]
async fn forbidden() {
    let service = service().await;
    service
        .change(KeyChange { networks: Some(vec!["203.0.113.0/24".parse().unwrap()]), ..Default::default() })
        .await;
    assert_eq!(service.post_picture("card").await.status, 200);
    service
        .change(KeyChange { networks: Some(vec!["10.0.0.0/8".parse().unwrap()]), ..Default::default() })
        .await;
    let msg = "the key may not be used from this address";
    assert_eq!(service.post_picture("card").await.refusal(), (403, msg));
    service.change(KeyChange { disabled: Some(true), ..Default::default() }).await;
    assert_eq!(service.post_picture("card").await.refusal(), (403, "the key is disabled"));
    let expired = KeyChange { disabled: Some(false), expires_at_s: Some(1), ..Default::default() };
    service.change(expired).await;
    assert_eq!(service.post_picture("card").await.refusal(), (403, "the key has expired"));

    let mut config = defaults();
    config.fetch.url_deny = vec!["*.example.com".parse().unwrap()];
    let service = service_with(config, fake_read).await;
    let denied = service.post_json(r#"{"image_url":"http://img.example.com/a.jpg"}"#).await;
    assert_eq!(denied.refusal(), (403, "image_url names a host that this server does not fetch from"));

    let mut config = defaults();
    config.fetch.no_image_url = true;
    let service = service_with(config, fake_read).await;
    let off = service.post_json(r#"{"image_url":"http://example.com/a.jpg"}"#).await;
    assert_eq!(off.refusal(), (403, "image_url is switched off on this server: send image_base64"));
}

#[tokio::test]
async fn a_quota_counts_answers_about_a_picture_only() {
    let service = service().await;
    assert_eq!(credit(&service).await, -1);
    service.change(KeyChange { remaining_calls: Some(3), ..Default::default() }).await;
    for (picture, left) in [("card", 2), ("cut", 2), ("panic", 2), ("no card", 1), ("blurred", 0)] {
        service.post_picture(picture).await;
        assert_eq!(credit(&service).await, left, "after {picture}");
    }
    assert_eq!(service.post_picture("card").await.refusal(), (403, "the key's quota is used up"));
    assert_eq!(credit(&service).await, 0);
}

#[tokio::test]
async fn the_narrower_of_two_quotas_counts() {
    let service = service().await;
    let change = KeyChange { remaining_calls: Some(9), daily_quota: Some(1), ..Default::default() };
    service.change(change).await;
    assert_eq!(credit(&service).await, 1);
    assert_eq!(service.post_picture("card").await.status, 200);
    assert_eq!(service.post_picture("card").await.refusal(), (403, "the key's quota is used up"));
    assert_eq!(credit(&service).await, 0);
    service.change(KeyChange { daily_quota: Some(5), ..Default::default() }).await;
    assert_eq!(credit(&service).await, 4);
    assert_eq!(service.post_picture("card").await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_is_503_for_those_who_need_it() {
    let service = service().await;
    assert_eq!(service.post_picture("card").await.status, 200);
    service.store.close().await;
    assert_eq!(service.post_picture("card").await.status, 200, "a known key without a quota");
    service.state.accounts.forget_keys();
    let refused = service.post_picture("card").await;
    assert_eq!(refused.refusal(), (503, "the database is not available: try again later"));
    assert_eq!(
        (refused.header("retry-after"), &refused.json["msg_cn"]),
        ("1", &json!("数据库暂时不可用，请稍后重试"))
    );
    let ready = service.send(Request::get("/health/ready").body(Body::empty()).unwrap()).await;
    assert_eq!((ready.status, &ready.json["data"]["database"]), (200, &json!("away")));
}

async fn credit(service: &Service) -> i64 {
    let mut request = service.request().body(Body::empty()).unwrap();
    *request.uri_mut() = CREDIT_PATH.parse().unwrap();
    let answered = service.send(request).await;
    assert_eq!((answered.status, &answered.json["success"]), (200, &json!(true)));
    answered.json["credit"].as_i64().unwrap()
}

#[tokio::test]
async fn paths_methods_and_types() {
    let service = service().await;
    let path = Request::get("/api/bank_card_ocr/v2").body(Body::empty()).unwrap();
    assert_eq!(service.send(path).await.refusal(), (404, "no such path"));
    let method = service.send(Request::get(PATH).body(Body::empty()).unwrap()).await;
    assert_eq!(method.refusal(), (405, "wrong method for this path"));
    assert_eq!(method.header("allow"), "POST");
    let msg = "Content-Type must be application/json, multipart/form-data, image/* or application/octet-stream, without Content-Encoding";
    let none = service.request().body("{}".into()).unwrap();
    assert_eq!(service.send(none).await.refusal(), (415, msg));
    let form = service.request().header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(service.send(form.body("a=b".into()).unwrap()).await.refusal(), (415, msg));
    let packed =
        service.request().header("content-type", "application/json").header("content-encoding", "gzip");
    assert_eq!(service.send(packed.body("{}".into()).unwrap()).await.refusal(), (415, msg));
}

#[tokio::test]
async fn anything_unforeseen_is_500_and_the_worker_lives_on() {
    let mut config = defaults();
    config.workers.workers = 1;
    let service = service_with(config, fake_read).await;
    for picture in ["panic", "model", "panic"] {
        let answered = service.post_picture(picture).await;
        assert_eq!(answered.refusal(), (500, "internal error"));
        assert_eq!(answered.json["msg_cn"], "内部错误");
    }
    assert_eq!(service.post_picture("card").await.status, 200);
}

#[tokio::test]
async fn a_panicking_handler_is_500_in_the_envelope() {
    async fn panics() -> crate::response::Answer {
        panic!("on purpose")
    }
    let mut service = service().await;
    let envelope =
        axum::middleware::from_fn_with_state(Arc::clone(&service.state), crate::middleware::envelope);
    service.router = Router::new().route(PATH, get(panics)).layer(envelope);
    let answered = service.send(Request::get(PATH).body(Body::empty()).unwrap()).await;
    assert_eq!(answered.refusal(), (500, "internal error"));
}

#[test]
fn every_refusal_of_the_reader_has_two_texts() {
    for error in [ReadError::Empty, ReadError::TooManyBytes { bytes: 2, max_bytes: 1 }] {
        let error = crate::error::ApiError::from(error);
        assert_eq!(error.status(), 400);
    }
    assert_eq!(crate::error::ApiError::from(ReadError::Model).status(), 500);
}

#[tokio::test]
async fn health() {
    let service = service().await;
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(service.send(get("/health/live")).await.status, 200);
    let ready = service.send(get("/health/ready")).await;
    assert_eq!((ready.status, &ready.json["success"]), (200, &json!(true)));
    let table = service.state.issuers.current();
    assert_eq!(
        ready.json["data"],
        json!({"database": "up", "issuers": {"date": table.date(), "rows": table.rows()}})
    );
    service.state.start_draining();
    assert_eq!(service.send(get("/health/live")).await.status, 200);
    assert_eq!(service.send(get("/health/ready")).await.refusal(), (503, "the server is shutting down"));
}
