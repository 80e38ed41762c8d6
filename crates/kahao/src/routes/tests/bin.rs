//! Numbers asked without a picture.

use super::*;
use crate::input::MAX_BODY_BYTES;

async fn ask(service: &Service, body: impl Into<Body>) -> Answered {
    let request = service.request().uri(BIN_PATH).header("content-type", "application/json");
    service.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_number_tells_issuer_type_and_scheme() {
    let service = service().await;
    let answered = ask(&service, r#"{"number":"6222 0200-0000 0000 000","more":[1]}"#).await;
    assert_eq!((answered.status, &answered.json["success"]), (200, &json!(true)));
    assert_eq!(
        answered.json["data"],
        json!({
            "number": "6222020000000000000", "name": "中国工商银行股份有限公司", "type": "借记卡", "bank_code": "ICBC",
            "bank_short_name": "工商银行", "card_name": "E时代卡", "scheme": "unionpay", "luhn_valid": true,
        })
    );
    let answered = ask(&service, r#"{"number":"411111******1111"}"#).await;
    assert_eq!(
        answered.json["data"],
        json!({
            "number": "411111******1111", "name": "", "type": "", "bank_code": "", "bank_short_name": "",
            "card_name": "", "scheme": "visa", "luhn_valid": null,
        })
    );
    assert_eq!(answered.json["success"], true, "a number that the table does not have is an answer too");
}

#[tokio::test]
async fn bad_numbers_say_precisely_why() {
    let service = service().await;
    let fields = ("the JSON must be an object with number as a string", "JSON 必须是对象，number 为字符串");
    for (body, (msg, msg_cn)) in [
        ("{", ("the body is not valid JSON: line 1, column 1", "请求体不是有效的 JSON：第 1 行第 1 列")),
        ("{}", fields),
        ("[\"622202\"]", fields),
        (r#"{"number":622202}"#, fields),
        (r#"{"number":null}"#, fields),
        (r#"{"number":"622202","number":"622203"}"#, fields),
        (
            r#"{"number":"62220"}"#,
            ("number must have 6 to 19 digits, not 5", "number 必须是 6 到 19 位数字，现为 5 位"),
        ),
        (
            r#"{"number":"62220200000000000000"}"#,
            ("number must have 6 to 19 digits, not 20", "number 必须是 6 到 19 位数字，现为 20 位"),
        ),
        (
            r#"{"number":"622202O"}"#,
            (
                "number must have 6 to 19 digits, with nothing but blanks and dashes between them",
                "number 必须是 6 到 19 位数字，中间只能有空格和短横线",
            ),
        ),
        (
            r#"{"number":"6222***********"}"#,
            (
                "number must show its first 6 digits; those after them may be hidden by *",
                "number 的前 6 位必须给出，其后各位可用 * 隐去",
            ),
        ),
    ] {
        let answered = ask(&service, body).await;
        assert_eq!(answered.refusal(), (400, msg), "{body}");
        assert_eq!(answered.json["msg_cn"], msg_cn);
    }
    let form = service.request().uri(BIN_PATH).header("content-type", "text/plain");
    let answered = service.send(form.body("622202".into()).unwrap()).await;
    assert_eq!(answered.refusal(), (415, "Content-Type must be application/json, without Content-Encoding"));
    let large = ask(&service, vec![b' '; MAX_BODY_BYTES + 1]).await;
    assert_eq!(large.refusal(), (413, "the body is larger than 30 MB"));
    let get = service.send(Request::get(BIN_PATH).body(Body::empty()).unwrap()).await;
    assert_eq!(get.refusal(), (405, "wrong method for this path"));
}

#[tokio::test]
async fn a_look_up_needs_credentials_and_a_rate_but_no_calls() {
    let service = service().await;
    let stranger = Request::post(BIN_PATH).header("content-type", "application/json");
    let answered = service.send(stranger.body(r#"{"number":"622202"}"#.into()).unwrap()).await;
    assert_eq!(answered.status, 401);

    service.change(KeyChange { remaining_calls: Some(0), ..Default::default() }).await;
    assert_eq!(ask(&service, r#"{"number":"622202"}"#).await.status, 200);
    service.change(KeyChange { rate_per_second: Some(1), burst: Some(1), ..Default::default() }).await;
    let statuses = [ask(&service, r#"{"number":"622202"}"#).await.status, ask(&service, "{}").await.status];
    assert!(statuses.contains(&429), "{statuses:?}");

    service.change(KeyChange { rate_per_second: Some(0), disabled: Some(true), ..Default::default() }).await;
    assert_eq!(ask(&service, r#"{"number":"622202"}"#).await.refusal(), (403, "the key is disabled"));
    service.state.start_draining();
    assert_eq!(ask(&service, r#"{"number":"622202"}"#).await.status, 503);
}
