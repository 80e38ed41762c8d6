use std::time::Duration;

use kahao_reader::ReadError;

use super::*;
use crate::response::tests::reading;

fn config(format: &str, detail: bool) -> ReadConfig {
    let format = FormatFlags { json: format == "json", csv: format == "csv", table: format == "table" };
    ReadConfig { paths: Vec::new(), format, detail, pictures: pictures::Config::default() }
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
    let mut out = Vec::new();
    let all_read = read_all(files, 4, fake, &mut out, &config(format, false)).unwrap();
    (all_read, String::from_utf8(out).unwrap())
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
