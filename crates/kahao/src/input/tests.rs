use axum::http::Request;

use super::*;
use crate::config::tests::defaults;

async fn read(content_type: &str, uri: &str, body: impl Into<Bytes>) -> Result<Input, InputError> {
    let mut request = Request::post(uri);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    read_input(&head, body.into()).await
}

fn picture(bytes: &'static [u8]) -> Result<Input, InputError> {
    Ok(Input { source: Source::Picture(Bytes::from_static(bytes)), detail: false })
}

fn url(text: &str) -> Result<Input, InputError> {
    Ok(Input { source: Source::Url(text.into()), detail: false })
}

#[tokio::test]
async fn json_bodies() {
    let cases = [
        (r#"{"image_base64":"aGVsbG8="}"#, picture(b"hello")),
        ("\u{feff}{\"image_base64\":\"aGVsbG8=\"}", picture(b"hello")),
        (r#"{"image_base64":"aGVsbG8"}"#, picture(b"hello")),
        (r#"{"image_base64":"aGVs\r\nbG8=\n"}"#, picture(b"hello")),
        (r#"{"image_base64":"data:image/jpeg;base64,aGVsbG8="}"#, picture(b"hello")),
        (r#"{"image_base64":" DATA:;base64,\naGVsbG8="}"#, picture(b"hello")),
        (r#"{"image_base64":"\/+-_"}"#, picture(b"\xff\xef\xbf")),
        (r#"{"image_base64":"aGVsbG8=","image_url":"http://a/"}"#, picture(b"hello")),
        (r#"{"image_base64":"","image_url":"http://a/"}"#, url("http://a/")),
        (r#"{"image_base64":null,"image_url":"http:\/\/a\/"}"#, url("http://a/")),
        (r#"{"image_url":"http://a/","prob":true}"#, url("http://a/")),
        (r#"{}"#, Err(InputError::NoPicture)),
        (r#"{"image_base64":"","image_url":" "}"#, Err(InputError::NoPicture)),
        (r#"{"image_base64":"data:image/png;base64,"}"#, Err(InputError::NoPicture)),
        (r#"{"image_base64":"a"}"#, Err(InputError::BadBase64)),
        (r#"{"image_base64":"aGVs!G8="}"#, Err(InputError::BadBase64)),
        (r#"{"image_base64":"卡号"}"#, Err(InputError::BadBase64)),
        (r#"{"image_base64":"aGVsbG8=aGVs"}"#, Err(InputError::BadBase64)),
        (r#"{"image_base64":5}"#, Err(InputError::WrongFields)),
        (r#"{"image_base64":"aGVsbG8=","detail":"yes"}"#, Err(InputError::WrongFields)),
        (r#" ["aGVsbG8=", null, null]"#, Err(InputError::WrongFields)),
        (r#""aGVsbG8=""#, Err(InputError::WrongFields)),
        ("", Err(InputError::NotJson { line: 1, column: 0 })),
        ("{\n\"image_base64\":", Err(InputError::NotJson { line: 2, column: 15 })),
        ("image_base64=aGVsbG8=", Err(InputError::NotJson { line: 1, column: 1 })),
    ];
    for (body, expected) in cases {
        assert_eq!(read("application/json", "/", body).await, expected, "{body}");
    }
    let detail =
        read("Application/JSON; charset=utf-8", "/", r#"{"image_base64":"aGk=","detail":true}"#).await;
    assert!(detail.unwrap().detail);
}

#[tokio::test]
async fn raw_bodies() {
    for content_type in ["image/jpeg", "image/x-anything", "application/octet-stream", "IMAGE/PNG"] {
        assert_eq!(read(content_type, "/", "hello").await, picture(b"hello"), "{content_type}");
    }
    assert!(read("image/png", "/?x=1&detail=true", "hello").await.unwrap().detail);
    assert!(!read("image/png", "/?detail=false", "hello").await.unwrap().detail);
    assert_eq!(read("image/png", "/", "").await, Err(InputError::NoPicture));
}

#[tokio::test]
async fn multipart_bodies() {
    let part =
        |head: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let file = part("name=\"image\"; filename=\"卡.jpg\"", "hello");
    let form = "multipart/form-data; boundary=b";
    let end = "--b--\r\n";
    for (body, expected) in [
        (format!("{file}{end}"), picture(b"hello")),
        (format!("{}{file}{end}", part("name=\"other\"", "x")), picture(b"hello")),
        (format!("{}{end}", part("name=\"image_base64\"", "aGVsbG8=")), picture(b"hello")),
        (format!("{}{end}", part("name=\"image_url\"", "http://a/")), url("http://a/")),
        (format!("{}{end}", part("name=\"image\"", "")), Err(InputError::NoPicture)),
        (format!("{}{end}", part("name=\"file\"", "hello")), Err(InputError::NoPicture)),
        (file.clone(), Err(InputError::BadMultipart)),
        ("hello".into(), Err(InputError::BadMultipart)),
        (String::new(), Err(InputError::BadMultipart)),
    ] {
        assert_eq!(read(form, "/", body.clone()).await, expected, "{body}");
    }
    let detail = format!("{file}{}{end}", part("name=\"detail\"", "true"));
    assert!(read(form, "/", detail).await.unwrap().detail);
    assert_eq!(read("multipart/form-data", "/", file).await, Err(InputError::BadMultipart));
}

#[tokio::test]
async fn other_bodies_are_refused() {
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded", "application/json5", "image"]
    {
        assert_eq!(read(content_type, "/", "hello").await, Err(InputError::ContentType), "{content_type}");
    }
}

#[tokio::test]
async fn a_picture_over_the_limit_is_told_from_a_body_over_the_limit() {
    let picture = vec![0; MAX_PICTURE_BYTES + 1];
    let expected = Err(InputError::PictureTooLarge { bytes: MAX_PICTURE_BYTES + 1 });
    assert_eq!(read("image/png", "/", picture.clone()).await, expected);
    let base64 = base64_simd::STANDARD.encode_to_string(&picture);
    let body = format!("{{\"image_base64\":\"{base64}\"}}");
    assert!(body.len() < MAX_BODY_BYTES);
    assert_eq!(read("application/json", "/", body).await, expected);
    assert!(read("image/png", "/", picture[1..].to_vec()).await.is_ok());

    let (none, config) = (HeaderMap::new(), defaults().input);
    assert!(read_body(&config, &none, Body::from(vec![0; MAX_BODY_BYTES])).await.is_ok());
    let too_long = read_body(&config, &none, Body::from(vec![0; MAX_BODY_BYTES + 1])).await;
    assert_eq!(too_long, Err(InputError::BodyTooLarge));
}

/// What becomes of a body that brings so many bytes each second for so long, and how long that takes.
async fn trickle(bytes: usize, seconds: u64) -> (Result<usize, InputError>, u64) {
    let chunks = stream::unfold(0, move |second| async move {
        if second == seconds {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(vec![0; bytes]), second + 1))
    });
    let began = Instant::now();
    let body = Body::from_stream(chunks);
    let read = read_body(&defaults().input, &HeaderMap::new(), body).await;
    (read.map(|body| body.len()), began.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn bodies_must_come_with_some_speed() {
    assert_eq!(trickle(10, 9).await, (Ok(90), 9), "a short one may be slow");
    assert_eq!(trickle(4096, 50).await, (Ok(204_800), 50));
    assert_eq!(trickle(10, 50).await, (Err(InputError::BodyBrokeOff), 10), "a slow-loris");
    assert_eq!(
        trickle(2048, 50).await,
        (Err(InputError::BodyBrokeOff), 19),
        "half the speed lasts twice the grace"
    );
    assert_eq!(trickle(100_000, 70).await, (Err(InputError::BodyBrokeOff), 60), "not for ever");
}
