//! The real binary, as a user runs it.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

#[path = "shared/service.rs"]
mod service;

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::tempdir;

use service::{Service, command, kahao, text};

/// The lines of a command that succeeds, as JSON.
fn json_lines(args: &[&str], folder: &Path) -> Vec<Value> {
    let output = kahao(args, folder);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command that fails says on standard error; it is one sentence and nothing is on standard output.
fn complaint(args: &[&str], folder: &Path, status: i32) -> String {
    let output = kahao(args, folder);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert_eq!(text(&output.stdout), "");
    stderr
}

#[test]
fn keys_from_making_to_rotation() {
    let folder = tempdir().unwrap();
    let run = |args: &[&str]| json_lines(&[&["keys"], args, &["--json"]].concat(), folder.path());
    let made = run(&["create", "--name", "till", "--quota", "5", "--rate", "2", "--burst", "4"]);
    for field in ["name", "appcode", "app_key", "app_secret"] {
        assert!(made[0][field].as_str().is_some_and(|value| !value.is_empty()), "{field}");
    }
    run(&["create", "--name", "office", "--network", "10.0.0.0/8,192.168.0.0/16", "--require-hmac"]);

    let listed = run(&["list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["name"], "office");
    assert_eq!(listed[0]["networks"], serde_json::json!(["10.0.0.0/8", "192.168.0.0/16"]));
    assert_eq!(listed[0]["require_hmac"], true);
    assert_eq!((&listed[1]["remaining_calls"], &listed[1]["burst"]), (&5.into(), &4.into()));
    let plain = text(&kahao(&["keys", "list"], folder.path()).stdout);
    for secret in ["appcode", "app_secret"] {
        assert!(!plain.contains(made[0][secret].as_str().unwrap()) && listed[1].get(secret).is_none());
    }

    assert_eq!(run(&["update", "--name", "till", "--quota", "-1"])[0]["remaining_calls"], -1);
    assert_eq!(
        run(&["update", "--name", "office", "--any-network", "--require-hmac", "false"])[0]["require_hmac"],
        false
    );
    let changed = run(&["update", "--name", "till", "--daily-quota", "9", "--expires", "2099-12-31"]);
    assert_eq!((&changed[0]["daily_quota"], &changed[0]["expires"]), (&9.into(), &"2099-12-31".into()));
    assert_eq!(run(&["disable", "--name", "till"])[0]["disabled"], true);
    assert_eq!(run(&["update", "--name", "till", "--enable"])[0]["disabled"], false);
    let rotated = run(&["rotate", "--name", "till"]);
    assert_eq!(rotated[0]["app_key"], made[0]["app_key"]);
    assert_ne!(rotated[0]["appcode"], made[0]["appcode"]);

    for (args, part) in [
        (&["create", "--name", "till"][..], "a key named till exists already"),
        (&["create", "--name", ""], "1 to 64 printable characters"),
        (&["update", "--name", "nobody", "--quota", "1"], "no key named nobody"),
        (&["update", "--name", "till", "--quota", "-2"], "invalid value '-2'"),
        (&["create", "--name", "x", "--network", "everywhere"], "invalid value 'everywhere'"),
        (&["update", "--name", "till", "--expires", "soon"], "write a day like 2027-01-31, or never"),
        (&["usage", "--name", "nobody"], "no key named nobody"),
        (&["list", "--database", "mysql://u:secret@h/d"], "the database mysql is not supported"),
        (
            &["list", "--database", "postgres://u:secret@h/d"],
            "with sealed app secrets only: set KAHAO_MASTER_KEY",
        ),
        (&["list", "--master-key-file", "none"], "cannot read the master key file none"),
    ] {
        let said = complaint(&[&["keys"], args].concat(), folder.path(), 2);
        assert!(said.contains(part) && !said.contains("secret@"), "{args:?}: {said}");
    }
}

#[test]
fn app_secrets_are_sealed_once_there_is_a_master_key() {
    let folder = tempdir().unwrap();
    let made = json_lines(&["keys", "create", "--name", "till", "--json"], folder.path());
    let secret = made[0]["app_secret"].as_str().unwrap();
    let is_in_the_clear = || {
        let files = ["kahao.db", "kahao.db-wal"]
            .map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default());
        files.concat().windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    assert!(is_in_the_clear());
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    for keys in [format!("{old}\n"), format!("{new} {old}"), new] {
        std::fs::write(folder.path().join("master"), keys).unwrap();
        let listed = json_lines(&["keys", "list", "--json", "--master-key-file", "master"], folder.path());
        assert_eq!(listed.len(), 1);
        assert!(!is_in_the_clear());
    }
    std::fs::write(folder.path().join("master"), &old).unwrap();
    let wrong = complaint(&["keys", "list", "--master-key-file", "master"], folder.path(), 2);
    assert!(wrong.contains("was sealed with another master key"), "{wrong}");
    let missing = complaint(&["keys", "list"], folder.path(), 2);
    assert!(missing.contains("is sealed: set KAHAO_MASTER_KEY"), "{missing}");
    std::fs::write(folder.path().join("master"), "too short").unwrap();
    let malformed = complaint(&["keys", "list", "--master-key-file", "master"], folder.path(), 2);
    assert!(malformed.contains("must be 32 bytes in base64 or hexadecimal"), "{malformed}");
}

#[test]
fn the_version_tells_the_table_too() {
    let folder = tempdir().unwrap();
    for flag in ["--version", "-V"] {
        let output = kahao(&[flag], folder.path());
        assert!(output.status.success());
        let said = text(&output.stdout);
        let rows =
            said.split_once("(issuers 2021-12-28, ").and_then(|(_, rest)| rest.strip_suffix(" rows)\n"));
        assert!(said.starts_with(concat!("kahao ", env!("CARGO_PKG_VERSION"))), "{said}");
        assert!(rows.is_some_and(|rows| rows.parse().is_ok_and(|rows: usize| rows > 5_000)), "{said}");
    }
}

#[test]
fn bin_answers_arguments_in_order() {
    let folder = tempdir().unwrap();
    let args = ["bin", "--json", "622202", "6222-0200 0000 0000 000", "622305************"];
    let lines = json_lines(&args, folder.path());
    let all = serde_json::json!({
        "number": "6222020000000000000", "name": "中国工商银行股份有限公司", "type": "借记卡", "bank_code": "ICBC",
        "bank_short_name": "工商银行", "card_name": "E时代卡", "scheme": "unionpay", "luhn_valid": true,
    });
    assert_eq!(lines[1], all);
    assert_eq!((&lines[0]["number"], &lines[0]["luhn_valid"]), (&"622202".into(), &Value::Null));
    assert_eq!(lines[2]["name"], "中国工商银行股份有限公司", "18 digits, not the 16 of 南京银行");

    let table = text(&kahao(&["bin", "622202", "4111111111111111"], folder.path()).stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("number               scheme      luhn  type"), "{table}");
    assert!(lines[1].starts_with("622202               unionpay          借记卡    ICBC"), "{table}");
    assert_eq!(lines[2], "4111111111111111     visa        yes");
    assert_eq!(kahao(&["bin", "622202", "4111111111111111"], folder.path()).status.code(), Some(1));
}

#[test]
fn bin_reads_standard_input() {
    let folder = tempdir().unwrap();
    let ask = |input: &[u8]| {
        let mut command = command(&["bin", "--json", "-"], folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), text(&output.stdout).lines().count(), text(&output.stderr))
    };
    assert_eq!(ask(b"622202\r\n\n 6222 0200 0000 0000 000"), (Some(0), 2, String::new()));
    assert_eq!(ask(b"622202\n4111111111111111\n"), (Some(1), 2, String::new()));
    assert_eq!(ask(b""), (Some(0), 0, String::new()));
    let (status, answers, said) = ask(b"4111111111111111O\n62220\n\xff\n622202\n");
    assert_eq!((status, answers), (Some(2), 1));
    assert_eq!(said.lines().count(), 3);
    assert!(said.contains("standard input, line 2: number must have 6 to 19 digits, not 5"), "{said}");
    assert!(!said.contains("411111"), "{said}");
}

#[test]
fn bin_refuses_unusable_arguments_without_quoting_them() {
    let folder = tempdir().unwrap();
    let said = complaint(&["bin", "622202", "41111111111111111111", "4111111111111111l"], folder.path(), 2);
    assert!(said.contains("argument 2: number must have 6 to 19 digits, not 20; argument 3: "), "{said}");
    assert!(!said.contains("411111"), "{said}");
    complaint(&["bin"], folder.path(), 2);
}

const ISSUERS: &str =
    "id,name,short_name,code,class\nA,甲银行股份有限公司,甲银行,JIA,city\nB,,乙村镇银行,,village\n";
const BINS: &str = "# date: 2026-01-02\nprefix,length,issuer,type,type_from,card_name,families\n\
                    622202,19,A,credit,,,1\n622203,19,B,debit,,,1\n";

fn write_table(folder: &Path, issuers: &str, bins: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("issuers.csv"), issuers).unwrap();
    std::fs::write(folder.join("bins.csv"), bins).unwrap();
}

#[test]
fn a_folder_replaces_the_table_inside() {
    let folder = tempdir().unwrap();
    write_table(&folder.path().join("new"), ISSUERS, BINS);
    let lines =
        json_lines(&["bin", "--json", "--issuers", "new", "6222020000000000000", "622203"], folder.path());
    assert_eq!((&lines[0]["name"], &lines[0]["type"]), (&"甲银行股份有限公司".into(), &"贷记卡".into()));
    assert_eq!(lines[1]["name"], "乙村镇银行", "the printed name where no legal one is known");
    let mut by_environment = command(&["bin", "--json", "622202"], folder.path());
    let output = by_environment.env("KAHAO_ISSUERS", "new").output().unwrap();
    assert!(text(&output.stdout).contains("甲银行"));

    std::fs::write(folder.path().join("drawn.jpg"), include_bytes!("../../../testdata/cards/flat-dated.jpg"))
        .unwrap();
    let five = "id,name,short_name,code,class\nA,五银行股份有限公司,五银行,,city\n";
    let bins =
        "# date: 2026-01-02\nprefix,length,issuer,type,type_from,card_name,families\n5,16,A,credit,,,1\n";
    write_table(&folder.path().join("five"), five, bins);
    let read = json_lines(&["read", "--json", "--issuers", "five", "drawn.jpg"], folder.path());
    assert_eq!(read[0]["data"]["content"][0]["name"], "五银行股份有限公司");
}

#[test]
fn a_faulty_folder_stops_every_command_with_all_its_faults() {
    let folder = tempdir().unwrap();
    write_table(&folder.path().join("bad"), ISSUERS, &format!("{BINS}62x,19,A,,,,1\n622204,12,Z,,,,1\n"));
    write_table(&folder.path().join("half"), ISSUERS, BINS);
    std::fs::remove_file(folder.path().join("half/bins.csv")).unwrap();
    std::fs::write(folder.path().join("kahao.toml"), "issuers = \"bad\"\n").unwrap();
    for args in [
        &["bin", "--issuers", "bad", "622202"][..],
        &["read", "--issuers", "bad", "bad"],
        &["serve", "--listen", "127.0.0.1:0", "--issuers", "bad"],
        &["serve", "--listen", "127.0.0.1:0", "--config", "kahao.toml"],
    ] {
        if args[0] == "read" {
            std::fs::write(folder.path().join("bad/card.jpg"), "").unwrap();
        }
        let said = complaint(args, folder.path(), 2);
        for fault in [
            "the issuer table in bad is not usable",
            "bins.csv, line 5: the prefix must have 1 to 10 digits",
            "bins.csv, line 6: the length must be a number from 13 to 19",
            "bins.csv, line 6: no issuer has the id \"Z\"",
        ] {
            assert!(said.contains(fault), "{args:?}: {fault}: {said}");
        }
    }
    let said = complaint(&["bin", "--issuers", "half", "622202"], folder.path(), 2);
    assert!(said.contains("bins.csv: cannot be read: "), "{said}");
    let said = complaint(&["bin", "--issuers", "none", "622202"], folder.path(), 2);
    assert!(said.contains("issuers.csv: cannot be read: ") && said.contains("bins.csv: "), "{said}");
}

#[test]
fn sighup_reads_the_table_anew_and_keeps_the_old_one_on_faults() {
    let tables = tempdir().unwrap();
    write_table(tables.path(), ISSUERS, BINS);
    let service = Service::start(&["--issuers", tables.path().to_str().unwrap()]);
    let head = format!(
        "POST /api/bank_card_bin/v1 HTTP/1.1\r\nAuthorization: APPCODE {}\r\nContent-Type: application/json",
        service.greeted("AppCode")
    );
    let name = |prefix: &str| {
        let answer = service.ask(&head, format!("{{\"number\":\"{prefix}\"}}").as_bytes());
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<Value>(body).unwrap()["data"]["name"].as_str().unwrap().to_owned()
    };
    let ready = || service.ask("GET /health/ready HTTP/1.1", b"");
    assert!(
        ready().contains(r#""data":{"database":"up","issuers":{"date":"2026-01-02","rows":2}}"#),
        "{}",
        ready()
    );
    assert_eq!((name("622202").as_str(), name("622299").as_str()), ("甲银行股份有限公司", ""));

    let newer = BINS.replace("2026-01-02", "2026-03-04");
    write_table(tables.path(), ISSUERS, &format!("{newer}622299,16,Z,,,,1\n"));
    service.signal("-HUP");
    let line = service.logged("issuer table not usable: the one before it stays in use");
    assert_eq!(line["faults"], "bins.csv, line 5: no issuer has the id \"Z\"");
    assert_eq!((name("622202").as_str(), name("622299").as_str()), ("甲银行股份有限公司", ""));

    write_table(tables.path(), ISSUERS, &format!("{newer}622299,16,A,,,,1\n"));
    service.signal("-HUP");
    let line = service.logged("issuer table read anew");
    assert_eq!((&line["date"], &line["rows"]), (&"2026-03-04".into(), &3.into()));
    assert!(
        ready().contains(r#""data":{"database":"up","issuers":{"date":"2026-03-04","rows":3}}"#),
        "{}",
        ready()
    );
    assert_eq!(name("622299"), "甲银行股份有限公司");
}

#[test]
fn no_command_prints_help() {
    let output = kahao(&[], tempdir().unwrap().path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: kahao"));
}

#[test]
fn a_public_address_needs_a_key_first() {
    let folder = tempdir().unwrap();
    let said = complaint(&["serve", "--listen", "0.0.0.0:0"], folder.path(), 2);
    assert!(said.contains("kahao keys create --name NAME --database sqlite://kahao.db"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn a_configuration_file_is_checked() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("kahao.toml"), "listen = \"0.0.0.0:0\"\ncolour = 1\nworker = 2\n")
        .unwrap();
    let said = complaint(&["serve", "--config", "kahao.toml"], folder.path(), 2);
    assert!(said.contains("no setting colour; there is no setting worker"), "{said}");
    std::fs::write(folder.path().join("kahao.toml"), "listen = \"0.0.0.0:0\"\n").unwrap();
    let said = complaint(&["serve", "--config", "kahao.toml"], folder.path(), 2);
    assert!(said.contains("0.0.0.0:0 can be reached from outside"), "the file counts: {said}");
    let said = complaint(&["serve", "--config", "none.toml"], folder.path(), 2);
    assert!(said.contains("cannot read the configuration file none.toml"), "{said}");
}

#[test]
fn the_first_start_greets_with_a_key_that_works() {
    let service = Service::start(&[]);
    let appcode = service.greeted("AppCode");
    let curl = service.greeting.iter().find(|line| line.contains("curl")).unwrap();
    assert!(curl.contains(&appcode) && curl.contains(&format!("http://127.0.0.1:{}/api", service.port)));

    let head = format!(
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nAuthorization: APPCODE {appcode}\r\nContent-Type: application/json"
    );
    let answer = service.ask(&head, br#"{"image_base64":"bm90IGEgcGljdHVyZQ=="}"#);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("x-ca-error-message: not a picture"), "{answer}");

    let url = format!("http://127.0.0.1:{}", service.port);
    let folder = tempdir().unwrap();
    assert!(kahao(&["health", &url], folder.path()).status.success());
    let listen = format!("0.0.0.0:{}", service.port);
    let by_environment = command(&["health"], folder.path()).env("KAHAO_LISTEN", listen).status().unwrap();
    assert!(by_environment.success());
}

#[test]
fn a_refused_upload_still_sees_the_reason() {
    let service = Service::start(&[]);
    // More than the socket buffers hold, so that the client is still writing when the refusal is made.
    let body = vec![b'a'; 25_000_000];
    let head = "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nAuthorization: APPCODE nobody\r\nContent-Type: application/json";
    let answer = service.ask(head, &body);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("unknown key or wrong secret"), "{answer}");
    let answer = service.ask("POST /api/bank_card_ocr/v2 HTTP/1.1", &body);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn a_client_that_waits_for_100_is_refused_without_sending() {
    let service = Service::start(&[]);
    let mut stream = service.connect();
    write!(
        stream,
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 25000000\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut start = [0; 13];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(text(&start), "HTTP/1.1 401 ");
}

#[test]
fn on_sigterm_the_service_drains_then_ends() {
    let mut service = Service::start(&["--drain-s", "2"]);
    let head = "GET /health/ready HTTP/1.1";
    assert!(service.ask(head, b"").starts_with("HTTP/1.1 200 "));
    service.signal("-TERM");
    let refused = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        service.ask(head, b"").starts_with("HTTP/1.1 503 ")
    });
    assert!(refused, "it goes on answering while it drains");
    assert!(service.child.wait().unwrap().success());
}

#[test]
fn health_of_a_service_that_is_not_there() {
    let folder = tempdir().unwrap();
    let said = complaint(&["health", "http://127.0.0.1:9"], folder.path(), 1);
    assert!(said.starts_with("kahao: not ready: "), "{said}");
    complaint(&["health", "nonsense"], folder.path(), 2);
    complaint(&["health", "https://127.0.0.1:9"], folder.path(), 2);
}

#[test]
fn read_refuses_unusable_arguments() {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (args, part) in [
        (&["read"][..], "required"),
        (&["read", "none.jpg"], "none.jpg cannot be read"),
        (&["read", "empty"], "there is no picture in the folders named"),
        (&["read", "--json", "--csv", "empty"], "cannot be used with"),
    ] {
        let said = complaint(args, folder.path(), 2);
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn read_says_which_files_were_not_read() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("notes.jpg"), "not a picture").unwrap();
    std::fs::write(folder.path().join("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let output = kahao(&["read", "--json", "."], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("kahao: ./notes.jpg: not a picture that can be read"), "{stderr}");
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["file"], &lines[1]["file"]), (&"./cut.png".into(), &"./notes.jpg".into()));
    for line in lines {
        assert_eq!((&line["code"], &line["success"]), (&400.into(), &false.into()));
        assert!(line["elapsed_ms"].is_u64() && line["data"] == serde_json::json!({}));
    }
}

/// The folder of drawn cards, and the numbers on them.
fn drawn_cards() -> (std::path::PathBuf, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cards");
    let labels = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    let numbers: Vec<String> =
        labels.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect();
    assert_eq!(numbers.len(), 6);
    (folder, numbers)
}

#[test]
fn eval_measures_a_labelled_folder_and_tells_no_number() {
    let (folder, numbers) = drawn_cards();
    let json = kahao(&["eval", "labels.csv", "--json", "--min-right", "0.8", "--min-holder", "0.6"], &folder);
    assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
    let figures: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&figures["pictures"], &figures["numbers"]["all"]["read_right"]["of"]),
        (&6.into(), &6.into())
    );
    let right = figures["numbers"]["all"]["right"].as_u64().unwrap();
    assert!(right >= 5, "{figures}");
    assert_eq!(figures["corners_off"]["count"], right);
    assert!(figures["corners_off"]["median"].as_f64().unwrap() < 0.5, "{figures}");
    let holder = &figures["holder"];
    assert_eq!((&holder["right"]["of"], &holder["invented"]["of"]), (&3.into(), &2.into()), "{figures}");
    assert_eq!(holder["invented"]["part"], 0, "{figures}");
    let buckets = figures["numbers"]["buckets"].as_array().unwrap();
    let names: Vec<&str> = buckets.iter().map(|bucket| bucket["by"].as_str().unwrap()).collect();
    assert!(names.contains(&"digits") && names.contains(&"tilt"), "{names:?}");

    let table = kahao(&["eval", "labels.csv", "--only", "file=flat-19.jpg,flat-dated.jpg"], &folder);
    assert!(text(&table.stdout).starts_with("2 pictures, 2 with a legible number\n"), "{table:?}");
    for said in [json.stdout, json.stderr, table.stdout, table.stderr].map(|bytes| text(&bytes)) {
        assert!(!numbers.iter().any(|number| said.contains(number)), "{said}");
    }
}

#[test]
fn eval_fails_when_too_few_are_right() {
    let (cards, numbers) = drawn_cards();
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cards")).unwrap();
    std::fs::copy(cards.join("flat-dated.jpg"), folder.path().join("cards/a.jpg")).unwrap();
    std::fs::write(folder.path().join("labels.csv"), "file,number\na.jpg,4111111111111111\n").unwrap();
    let output = kahao(&["eval", "labels.csv", "--min-right", "0.5"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let (said, table) = (text(&output.stderr), text(&output.stdout));
    assert!(
        said.starts_with("kahao: of the legible numbers 0 of 1, 0.0 % (0.0 to 79.3) are as labelled"),
        "{said}"
    );
    assert!(table.contains("a.jpg: ") && table.contains(" of 16 digits wrong\n"), "{table}");
    assert!(!numbers.iter().any(|number| table.contains(number) || said.contains(number)));

    std::fs::write(folder.path().join("labels.csv"), "file,number\na.jpg,\n").unwrap();
    let output = kahao(&["eval", "labels.csv", "--min-unread", "1"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("a.jpg: a number was read where there is none"));
    let output = kahao(&["eval", "labels.csv", "--min-right", "0.5"], folder.path());
    assert_eq!(output.status.code(), Some(2), "nothing was measured");
    assert!(text(&output.stderr).starts_with("kahao: the labels have no legible numbers"));
}

#[test]
fn eval_refuses_unusable_arguments() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("labels.csv"), "file,number\na.jpg,411111111111\n").unwrap();
    for (args, part) in [
        (&["eval"][..], "required"),
        (&["eval", "none.csv"], "the labels none.csv cannot be read"),
        (&["eval", "labels.csv"], "line 2: there is no file a.jpg"),
        (&["eval", "labels.csv", "--only", "kind=photo"], "the labels labels.csv have no column kind"),
        (&["eval", "labels.csv", "--only", "file=b.jpg"], "no label is left"),
        (&["eval", "labels.csv", "--only", "photo"], "name a column and its values"),
        (&["eval", "labels.csv", "--min-right", "85"], "a share is a number from 0 to 1"),
    ] {
        let said = complaint(args, folder.path(), 2);
        assert!(said.contains(part), "{args:?}: {said}");
    }
    std::fs::write(folder.path().join("a.jpg"), "").unwrap();
    let said = complaint(&["eval", "labels.csv"], folder.path(), 2);
    assert!(said.contains("line 2: number must be 13 to 19 digits") && !said.contains("4111"), "{said}");
}

#[test]
fn read_takes_a_picture_from_standard_input_and_annotates_it() {
    let folder = tempdir().unwrap();
    let (cards, numbers) = drawn_cards();
    let picture = std::fs::File::open(cards.join("embossed-16.jpg")).unwrap();
    let output = command(&["read", "--json", "--annotate", "drawn", "-"], folder.path())
        .stdin(picture)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&line["file"], &line["data"]["content"][0]["number"]),
        (&"-".into(), &numbers[0].as_str().into())
    );

    // The number in the annotated picture is covered: whatever is read there, it is not the number.
    let again = kahao(&["read", "--json", "drawn"], folder.path());
    assert!(text(&again.stdout).contains("drawn/-.jpg") && !text(&again.stdout).contains(&numbers[0]));
    let over_itself = kahao(&["read", "--annotate", ".", "drawn/-.jpg"], folder.path());
    assert_eq!(over_itself.status.code(), Some(1));
}

#[test]
fn read_goes_on_where_an_earlier_run_ended() {
    let folder = tempdir().unwrap();
    let (cards, numbers) = drawn_cards();
    let cards = cards.to_str().unwrap();
    let args = ["read", "--json", "--output", "all.jsonl", cards];
    assert_eq!(kahao(&args, folder.path()).status.code(), Some(0));
    let file = folder.path().join("all.jsonl");
    let all = std::fs::read_to_string(&file).unwrap();
    assert_eq!(all.lines().count(), numbers.len());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    assert!(complaint(&args, folder.path(), 2).contains("--skip-existing"));

    // As if it had been killed in the middle of the third line.
    let begun: String =
        all.lines().take(2).map(|line| format!("{line}\n")).collect::<String>() + "{\"file\":\"";
    std::fs::write(&file, begun).unwrap();
    assert_eq!(kahao(&[&args[..], &["--skip-existing"]].concat(), folder.path()).status.code(), Some(0));
    let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["file"].clone();
    let again = std::fs::read_to_string(&file).unwrap();
    assert_eq!(again.lines().map(name).collect::<Vec<_>>(), all.lines().map(name).collect::<Vec<_>>());
    complaint(&["read", "--output", "all.csv", "--skip-existing", cards], folder.path(), 2);
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&kahao(&["completions", shell], folder.path()).stdout);
        assert!(["skip-existing", "rotate", "eval"].iter().all(|word| script.contains(word)), "{shell}");
    }
    let page = text(&kahao(&["man"], folder.path()).stdout);
    assert!(page.starts_with(".ie") && page.contains("kahao\\-serve"), "{page}");
    assert!(kahao(&["man", "--out", "."], folder.path()).status.success());
    for page in ["kahao.1", "kahao-serve.1", "kahao-keys-create.1"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
}
