use super::*;
use kahao_reader::card::{CardType, Expiry, Issuer, Pan, Scheme};
use kahao_reader::geometry::Point;

/// A reading of an invented card.
pub(crate) fn reading() -> CardReading {
    let digits = "4111111111111111";
    let chars = |text: &str| text.chars().map(|char| CharReading { char, prob: 0.5 }).collect();
    CardReading {
        number: FieldReading {
            value: digits.parse::<Pan>().unwrap(),
            text: "4111 1111 1111 1111".into(),
            prob: 0.999_999_17,
            quad: Quad([
                Point { x: 50.4, y: 19.5 },
                Point { x: 149.6, y: 20.0 },
                Point { x: 150.0, y: 60.2 },
                Point { x: -0.6, y: 60.0 },
            ]),
            chars: chars(digits),
        },
        valid_date: Some(FieldReading {
            value: Expiry::new(9, 2027).unwrap(),
            text: "09/27".into(),
            prob: 0.75,
            quad: Quad([Point { x: 1.0, y: 2.0 }; 4]),
            chars: chars("09/27"),
        }),
        valid_from: None,
        holder: None,
        outline: None,
        issuer: Some(Issuer {
            name: "中国邮政储蓄银行股份有限公司".into(),
            short_name: "邮储银行".into(),
            code: "PSBC".into(),
        }),
        card_type: Some(CardType::Credit),
        card_name: Some("绿卡".into()),
        scheme: Some(Scheme::Visa),
    }
}

/// A name on that card.
pub(crate) fn holder(name: &str) -> FieldReading<String> {
    let chars = name.chars().filter(|char| *char != ' ').map(|char| CharReading { char, prob: 0.5 });
    FieldReading {
        value: name.to_owned(),
        text: name.to_owned(),
        prob: 0.75,
        quad: Quad([Point { x: 3.0, y: 4.0 }; 4]),
        chars: chars.collect(),
    }
}

fn json(answer: &Answer) -> String {
    serde_json::to_string(&answer.envelope("r-1")).unwrap()
}

#[test]
fn the_answer_is_that_of_the_page() {
    insta::assert_snapshot!(json(&Answer::cards(&[reading()], false)), @r#"{"code":200,"msg":"OK","message":"OK","msg_cn":"成功","success":true,"request_id":"r-1","data":{"content":[{"number":"4111111111111111","prob":0.9999991655349731,"name":"中国邮政储蓄银行股份有限公司","type":"贷记卡","valid_date":"09/27","keypoints":[{"x":50,"y":20},{"x":150,"y":20},{"x":150,"y":60},{"x":-1,"y":60}]}]}}"#);
    insta::assert_snapshot!(json(&Answer::credit(-1)), @r#"{"code":200,"msg":"OK","message":"OK","msg_cn":"成功","success":true,"request_id":"r-1","credit":-1,"data":{}}"#);
    let refusal = Answer::refusal(StatusCode::BAD_REQUEST, "no".into(), "不".into(), None);
    insta::assert_snapshot!(json(&refusal), @r#"{"code":400,"msg":"no","message":"no","msg_cn":"不","success":false,"request_id":"r-1","data":{}}"#);
}

#[test]
fn detail_adds_every_documented_field() {
    let mut reading = reading();
    reading.number.chars.truncate(1);
    reading.valid_date = None;
    reading.holder = Some(holder("X I"));
    reading.outline = Some(Quad::rect(-9.6, 3.0, 170.0, 107.2));
    insta::assert_snapshot!(json(&Answer::cards(&[reading], true)), @r#"{"code":200,"msg":"OK","message":"OK","msg_cn":"成功","success":true,"request_id":"r-1","data":{"content":[{"number":"4111111111111111","prob":0.9999991655349731,"name":"中国邮政储蓄银行股份有限公司","type":"贷记卡","valid_date":"","keypoints":[{"x":50,"y":20},{"x":150,"y":20},{"x":150,"y":60},{"x":-1,"y":60}],"valid_from":"","holder":"X I","bank_code":"PSBC","bank_short_name":"邮储银行","card_name":"绿卡","scheme":"visa","luhn_valid":true,"number_grouped":"4111 1111 1111 1111","fields":[{"kind":"number","text":"4111 1111 1111 1111","prob":0.9999991655349731,"keypoints":[{"x":50,"y":20},{"x":150,"y":20},{"x":150,"y":60},{"x":-1,"y":60}],"chars":[{"char":"4","prob":0.5}]},{"kind":"holder","text":"X I","prob":0.75,"keypoints":[{"x":3,"y":4},{"x":3,"y":4},{"x":3,"y":4},{"x":3,"y":4}],"chars":[{"char":"X","prob":0.5},{"char":"I","prob":0.5}]}],"card":{"keypoints":[{"x":-10,"y":3},{"x":160,"y":3},{"x":160,"y":110},{"x":-10,"y":110}],"rotation":0,"layout":"horizontal"}}]}}"#);
}

#[test]
fn a_card_stands_by_its_longer_sides() {
    for (width, height, layout) in [(170.0, 107.2, "horizontal"), (107.2, 170.0, "vertical")] {
        let reading = CardReading { outline: Some(Quad::rect(0.0, 0.0, width, height)), ..reading() };
        let json = json(&Answer::cards(&[reading], true));
        assert!(json.contains(&format!(r#""layout":"{layout}""#)), "{json}");
    }
    let json = json(&Answer::cards(&[reading()], true));
    assert!(json.contains(r#""card":{"keypoints":[],"rotation":0,"layout":""}"#), "{json}");
}

#[test]
fn what_is_unknown_is_empty_and_never_null() {
    let reading = CardReading {
        valid_date: None,
        valid_from: None,
        holder: None,
        outline: None,
        issuer: None,
        card_type: None,
        card_name: None,
        scheme: None,
        ..reading()
    };
    let json = json(&Answer::cards(&[reading], true));
    for part in [r#""name":"""#, r#""type":"""#, r#""valid_date":"""#, r#""bank_code":"""#, r#""scheme":"""#]
    {
        assert!(json.contains(part), "{part}");
    }
    assert!(!json.contains("null"));
}

/// The keys and JSON types of the example on the API's page (section 3.4).
#[test]
fn the_shape_is_that_of_the_page_s_example() {
    let page: serde_json::Value = serde_json::from_str(
        r#"{"content":[{"number":"6259198888888888","prob":0.9999991655349731,
            "name":"中国邮政储蓄银行股份有限公司","type":"贷记卡",
            "keypoints":[{"x":50,"y":20},{"x":150,"y":20},{"x":150,"y":60},{"x":50,"y":60}]}]}"#,
    )
    .unwrap();
    let ours: serde_json::Value = serde_json::from_str(&json(&Answer::cards(&[reading()], false))).unwrap();
    let (page, ours) = (&page["content"][0], &ours["data"]["content"][0]);
    for (key, example) in page.as_object().unwrap() {
        assert_eq!(std::mem::discriminant(example), std::mem::discriminant(&ours[key]), "{key}");
    }
    let extra: Vec<_> = ours.as_object().unwrap().keys().filter(|key| page.get(key).is_none()).collect();
    assert_eq!(extra, ["valid_date"], "the page promises the expiry date but names no field");
    assert_eq!(ours["keypoints"].as_array().unwrap().len(), 4);
    assert!(ours["keypoints"].as_array().unwrap().iter().all(|p| p["x"].is_i64() && p["y"].is_i64()));
}

#[test]
fn odd_floats_become_numbers() {
    for (given, sent) in [(f32::NAN, 0.0), (-1.0, 0.0), (2.0, 1.0), (0.5, 0.5)] {
        assert_eq!(prob(given), sent);
    }
    let quad = Quad([Point { x: f32::NAN, y: f32::INFINITY }; 4]);
    assert_eq!((keypoints(&quad)[0].x, keypoints(&quad)[0].y), (0, i64::MAX));
}

#[test]
fn rotation_follows_the_text() {
    for (end, turned) in
        [((9.0, 1.0), 0), ((1.0, 9.0), 90), ((-9.0, 1.0), 180), ((1.0, -9.0), 270), ((0.0, 0.0), 0)]
    {
        let mut quad = Quad([Point { x: 0.0, y: 0.0 }; 4]);
        quad.0[1] = Point { x: end.0, y: end.1 };
        assert_eq!(rotation(&quad), turned, "{end:?}");
    }
}
