use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::stages::Stage;

fn context(text: &str) -> Option<Context> {
    parse_traceparent(text)
}

#[test]
fn traceparents() {
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parsed = |sampled| Some(Context { trace_id: trace.into(), parent_id: span.into(), sampled });
    for (text, expected) in [
        (format!("00-{trace}-{span}-01"), parsed(true)),
        (format!("00-{trace}-{span}-00"), parsed(false)),
        (format!("00-{trace}-{span}-03"), parsed(true)),
        (format!("cc-{trace}-{span}-01-what-comes-later"), parsed(true)),
        (format!("00-{trace}-{span}-01-more"), None),
        (format!("ff-{trace}-{span}-01"), None),
        (format!("00-{}-{span}-01", trace.to_uppercase()), None),
        (format!("00-{}-{span}-01", "0".repeat(32)), None),
        (format!("00-{:0<32}-{span}-01", "4111111111111111"), None),
        (format!("00-{trace}-0000000000000000-01"), None),
        (format!("00-{trace}-{span}"), None),
        (format!("00-{trace}-{span}-0"), None),
        (String::new(), None),
        ("00-é".into(), None),
    ] {
        assert_eq!(context(&text), expected, "{text}");
    }
    let fresh = Context::of(&HeaderMap::new());
    assert!(fresh.sampled && fresh.trace_id.len() == 32 && fresh != Context::of(&HeaderMap::new()));
}

fn request<'a>(context: &'a Context, stages: &'a [Timed]) -> Request<'a> {
    Request {
        context,
        method: "POST",
        route: "/r",
        code: 503,
        reason: Some("waited_too_long"),
        request_id: "edge-1",
        began: Instant::now() - Duration::from_millis(50),
        took: Duration::from_millis(40),
        stages,
    }
}

#[test]
fn a_request_and_its_stages_are_one_tree_in_its_callers_trace() {
    let caller = context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let began = Instant::now() - Duration::from_millis(45);
    let stages = [Timed { stage: Stage::Queue, began, took: Duration::from_millis(30) }];
    let spans = spans(&request(&caller, &stages));
    assert_eq!(spans.len(), 2);
    let (whole, queue) = (&spans[0], &spans[1]);
    assert_eq!(
        (&whole["name"], &whole["kind"], &whole["status"]["code"]),
        (&"POST /r".into(), &2.into(), &2.into())
    );
    assert_eq!(whole["parentSpanId"], "b7ad6b7169203331");
    assert_eq!((&queue["name"], &queue["parentSpanId"]), (&"queue".into(), &whole["spanId"]));
    assert_eq!((&whole["traceId"], &queue["traceId"]), (&caller.trace_id.clone().into(), &whole["traceId"]));
    let at = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    let took = at(queue, "endTimeUnixNano") - at(queue, "startTimeUnixNano");
    assert!(took.abs_diff(30_000_000) < 1_000_000, "{took}");
    assert!(at(whole, "startTimeUnixNano") < at(queue, "startTimeUnixNano"));
    let attributes = whole["attributes"].to_string();
    for part in [r#""stringValue":"waited_too_long""#, r#""intValue":"503""#, r#""stringValue":"edge-1""#] {
        assert!(attributes.contains(part), "{attributes}");
    }
}

/// A collector that takes one message; gives its head and body.
fn collector() -> (Url, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/otlp/", listener.local_addr().unwrap()).parse().unwrap();
    let taken = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 65_536]);
        while !text.ends_with("]}") {
            let read = stream.read(&mut buffer).unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").unwrap();
        text
    });
    (url, taken)
}

#[tokio::test]
async fn spans_reach_the_collector_and_unsampled_ones_do_not() {
    let (url, taken) = collector();
    let dropped = Counter::default();
    let traces = Traces::start(&Config { otlp_endpoint: Some(url) }, dropped.clone()).unwrap().unwrap();
    traces.tell(&request(&Context { sampled: false, ..Context::of(&HeaderMap::new()) }, &[]));
    traces.tell(&request(&Context::of(&HeaderMap::new()), &[]));
    traces.flush().await;
    let message = tokio::task::spawn_blocking(|| taken.join().unwrap()).await.unwrap();
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /otlp/v1/traces HTTP/1.1"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let scope = &body["resourceSpans"][0]["scopeSpans"][0];
    assert_eq!(scope["spans"].as_array().unwrap().len(), 1);
    assert_eq!(dropped.get(), 0);
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_spans_and_nothing_else() {
    let dropped = Counter::default();
    let config = Config { otlp_endpoint: Some("http://127.0.0.1:9".parse().unwrap()) };
    let traces = Traces::start(&config, dropped.clone()).unwrap().unwrap();
    traces.tell(&request(&Context::of(&HeaderMap::new()), &[]));
    traces.flush().await;
    assert_eq!(dropped.get(), 1);
    assert!(Traces::start(&Config { otlp_endpoint: Some("grpc://a".parse().unwrap()) }, dropped).is_err());
}
