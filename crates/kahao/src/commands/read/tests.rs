use std::time::Duration;

use kahao_reader::ReadError;

use super::*;
use crate::response::tests::reading;

fn config(format: &str, detail: bool) -> ReadConfig {
    let format = FormatFlags { json: format == "json", csv: format == "csv", table: format == "table" };
    ReadConfig {
        paths: Vec::new(),
        format,
        detail,
        output: None,
        skip_existing: false,
        annotate: None,
        reveal: false,
        pictures: pictures::Config::default(),
    }
}

/// A folder with `n` files whose content is their index.
fn folder(n: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..n {
        std::fs::write(folder.path().join(format!("{i:03}.jpg")), i.to_string()).unwrap();
    }
    let files = files::find(&[folder.path().to_owned()]).unwrap();
    assert_eq!(files.len(), n);
    (folder, files)
}

fn read(files: &[PathBuf], format: &str, fake: &pictures::Read) -> (bool, String) {
    let (end, out) = read_until(files, format, fake, &AtomicBool::new(false));
    assert_eq!(end.reported, files.len());
    (end.all_read, out)
}

fn read_until(files: &[PathBuf], format: &str, fake: &pictures::Read, stop: &AtomicBool) -> (End, String) {
    let mut out = Vec::new();
    let output = Output { writer: &mut out, done: Default::default(), is_begun: false };
    let end = read_all(files, 4, fake, output, &config(format, false), stop).unwrap();
    (end, String::from_utf8(out).unwrap())
}

#[test]
fn output_is_in_the_order_of_the_files_whoever_is_first() {
    let (_folder, files) = folder(40);
    let (all_read, out) = read(&files, "json", &|bytes| {
        let index: u64 = std::str::from_utf8(bytes).unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_millis((40 - index) % 7));
        if index == 13 { Err(ReadError::NoCard) } else { Ok(vec![reading()]) }
    });
    assert!(!all_read);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    for (line, file) in lines.iter().zip(&files) {
        assert_eq!(line["file"], file.to_str().unwrap());
        assert!(line["elapsed_ms"].is_u64());
    }
    assert_eq!(lines[13]["msg"], "no bank card found");
    assert_eq!(lines[13]["data"], serde_json::json!({}));
    assert_eq!(lines[14]["data"]["content"][0]["number"], "4111111111111111");
}

#[test]
fn csv_and_table() {
    let (_folder, files) = folder(2);
    let one_card =
        |bytes: &[u8]| if bytes == b"0" { Ok(vec![reading()]) } else { Err(ReadError::NotLegible) };
    let (all_read, csv) = read(&files, "csv", &one_card);
    assert!(!all_read);
    let file = files[0].display();
    assert_eq!(
        csv,
        format!(
            "file,number,prob,valid_date,type,name\n{file},4111111111111111,1.000,09/27,贷记卡,中国邮政储蓄银行股份有限公司\n"
        )
    );
    let (_, table) = read(&files[..1], "table", &one_card);
    assert!(table.lines().nth(1).unwrap().contains("4111111111111111    1.000  09/27     贷记卡"), "{table}");
}

#[test]
fn a_panic_costs_one_file_only() {
    let (_folder, files) = folder(3);
    let (all_read, out) = read(&files, "json", &|bytes| match bytes {
        b"1" => panic!("on purpose"),
        _ => Ok(vec![reading()]),
    });
    assert!(!all_read);
    assert!(out.lines().nth(1).unwrap().contains("\"code\":500"));
    assert!(out.lines().nth(2).unwrap().contains("\"code\":200"));
}

#[test]
fn folders_are_searched_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.PNG", "a/z.jpeg", "a/b/c.tif", "a/notes.txt", "c.webp", "noextension"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/round")).unwrap();
    let files = files::find(&[folder.path().to_owned(), folder.path().join("a/notes.txt")]).unwrap();
    let names: Vec<_> =
        files.iter().map(|file| file.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a/b/c.tif", "a/z.jpeg", "b.PNG", "c.webp", "a/notes.txt"]);
}

#[test]
fn a_run_that_is_stopped_keeps_what_is_done() {
    let (_folder, files) = folder(40);
    static STOP: AtomicBool = AtomicBool::new(false);
    let stopping = |bytes: &[u8]| {
        STOP.fetch_or(bytes == b"10", Ordering::Relaxed);
        Ok(vec![reading()])
    };
    let (end, out) = read_until(&files, "json", &stopping, &STOP);
    // Four threads: at most three more were underway, and each has its line.
    assert!((11..=14).contains(&end.reported), "{}", end.reported);
    assert_eq!(out.lines().count(), end.reported);
}

#[test]
fn a_run_goes_on_with_what_an_earlier_one_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let open = |go_on, format| output::open(Some(&path), go_on, format);
    for (format, begun, done) in [
        (Format::Json, "{\"file\":\"a,b.jpg\"}\n{\"file\":\"c", vec!["a,b.jpg"]),
        (Format::Csv, "file,number\n\"a,b.jpg\",1\nc.jpg,2\nd.jpg,", vec!["a,b.jpg", "c.jpg"]),
        (Format::Csv, "file,num", vec![]),
        (Format::Json, "", vec![]),
    ] {
        std::fs::write(&path, begun).unwrap();
        let mut output = open(true, format).unwrap();
        assert_eq!(output.done, done.iter().map(|file| (*file).to_owned()).collect(), "{begun}");
        writeln!(output.writer, "next").unwrap();
        drop(output);
        let whole = begun.rfind('\n').map_or("", |end| &begun[..=end]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{whole}next\n"));
    }
    let error = open(true, Format::Json).err().unwrap();
    assert!(format!("{error:#}").contains("not written in this format"), "{error:#}");
    let error = open(false, Format::Json).err().unwrap();
    assert!(error.to_string().contains("--skip-existing"), "{error}");
}
