use axum::body::Body;
use axum::http::{Method, Request};
use tower::ServiceExt;

use super::*;

/// Where the description is kept, for people who look for it without a running service.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_kept_description_is_that_of_the_code() {
    if std::env::var_os("KAHAO_WRITE_DOCS").is_some() {
        std::fs::write(FILE, TEXT.as_bytes()).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert!(kept == *TEXT, "docs/openapi.json is stale: run KAHAO_WRITE_DOCS=1 cargo test -p kahao openapi");
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The operations: path, method and what is said of it.
fn operations() -> Vec<(String, Method, Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().clone();
    let of_path = |(path, methods): (String, Value)| {
        let methods = methods.as_object().unwrap().clone();
        methods
            .into_iter()
            .map(move |(method, operation)| (path.clone(), method.to_uppercase().parse().unwrap(), operation))
    };
    paths.into_iter().flat_map(of_path).collect()
}

#[test]
fn every_route_is_described_under_the_name_of_its_handler() {
    let mut functions = include_str!("../routes.rs").split("fn ");
    let table = functions.find(|function| function.starts_with("router(")).unwrap();
    let operations = operations();
    for (path, method, operation) in &operations {
        let name = operation["operationId"].as_str().unwrap();
        let route = format!("{}(", method.as_str().to_lowercase());
        let line = table.lines().find(|line| line.contains(&format!(".route(\"{path}\", ")));
        let line = line.unwrap_or_else(|| panic!("{path} is described, but there is no such route"));
        assert!(line.contains(&route) && line.contains(&format!("::{name})")), "{path}: {line}");
    }
    assert_eq!(
        operations.len(),
        table.matches(".route(\"").count(),
        "a route is not described in openapi.rs"
    );
}

#[tokio::test]
async fn wrong_methods_are_refused_and_the_description_is_served() {
    let service = crate::routes::tests::service().await;
    for (path, method, _) in operations() {
        for wrong in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let request = Request::builder().method(&wrong).uri(&path).body(Body::empty()).unwrap();
            let status = service.router().oneshot(request).await.unwrap().status();
            assert_eq!(status == StatusCode::METHOD_NOT_ALLOWED, wrong != method, "{wrong} {path}: {status}");
        }
    }
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let response = service.router().oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(body, TEXT.as_bytes());
}

#[test]
fn references_lead_somewhere() {
    let text = DOCUMENT.to_string();
    let targets: Vec<&str> =
        text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(targets.len() > 50);
    for target in targets {
        assert!(DOCUMENT.pointer(target).is_some(), "{target}");
    }
}

/// Holds an answer of the router against the description; paths that are not described are not looked at.
pub(crate) fn assert_described(method: &Method, path: &str, status: u16, msg: &str) {
    let operation = &DOCUMENT["paths"][path][method.as_str().to_lowercase()];
    if operation.is_null() {
        return;
    }
    let examples = &operation["responses"][status.to_string()]["content"]["application/json"]["examples"];
    let known = examples.as_object().is_some_and(|examples| {
        examples
            .values()
            .any(|example| without_digits(example["value"]["msg"].as_str().unwrap()) == without_digits(msg))
    });
    assert!(known, "{method} {path} answered {status} {msg:?}, which openapi/refusals.rs does not list");
}

/// Numbers in a text are those of the request at hand.
fn without_digits(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}
