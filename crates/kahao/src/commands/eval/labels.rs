//! What labelled pictures show: a CSV file with a line a picture. All its faults are told at once, none quotes a
//! number.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use csv::StringRecord;
use kahao_reader::card::Pan;
use kahao_reader::geometry::{Point, Quad};

/// What is known about one thing that a picture may show.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Truth<T> {
    /// Nobody can tell: an answer proves nothing.
    Unknown,
    /// It is not there.
    Nothing,
    Known(T),
}

/// What one picture shows; "" for what the labels do not tell.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) file: String,
    pub(super) path: PathBuf,
    pub(super) number: Truth<Pan>,
    /// `MM/YY`, as the answer has it. Specimens print months and years that no card in use can carry.
    pub(super) valid_date: Truth<String>,
    /// The name as printed.
    pub(super) holder: Truth<String>,
    pub(super) kind: String,
    pub(super) print: String,
    pub(super) turn: String,
    /// As the card prints it.
    pub(super) bank: String,
    /// Whether there are other cards beside the labelled one.
    pub(super) is_one_of_several: bool,
    /// The number's corners in the picture.
    pub(super) quad: Option<Quad>,
    /// The corners of the card with that number, clockwise from that which is its top-left when the number is upright.
    pub(super) card: Option<Quad>,
}

/// A choice among the pictures: those with one of the values in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Only {
    column: String,
    values: Vec<String>,
}

impl FromStr for Only {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, values) = text.split_once('=').ok_or("name a column and its values: kind=photo,scan")?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        Ok(Self { column: column.trim().to_owned(), values })
    }
}

/// Reads the labels in `csv` that every one of `only` lets through.
pub(super) fn read(csv: &Path, pictures: Option<&Path>, only: &[Only]) -> anyhow::Result<Vec<Label>> {
    let shown = csv.display();
    let beside = csv.parent().unwrap_or(Path::new(""));
    let folder = match pictures {
        Some(folder) => folder.to_owned(),
        None => Some(beside.join("cards")).filter(|cards| cards.is_dir()).unwrap_or(beside.to_owned()),
    };
    let mut reader =
        csv::Reader::from_path(csv).with_context(|| format!("the labels {shown} cannot be read"))?;
    let header = reader.headers().with_context(|| format!("the labels {shown} cannot be read"))?.clone();
    for column in ["file", "number"].into_iter().chain(only.iter().map(|only| only.column.as_str())) {
        ensure!(header.iter().any(|name| name == column), "the labels {shown} have no column {column}");
    }
    let (mut labels, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.with_context(|| format!("the labels {shown} cannot be read"))?;
        let row = Row { header: &header, record: &record };
        if !only.iter().all(|only| only.values.iter().any(|value| value == row.cell(&only.column))) {
            continue;
        }
        match row.label(&folder) {
            Ok(label) => labels.push(label),
            Err(fault) => {
                let line = record.position().map_or(0, csv::Position::line);
                faults.push(format!("\n  line {line}: {fault}"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("the labels {shown} are not usable: correct{}", faults.concat());
    }
    Ok(labels)
}

/// One line of the labels.
struct Row<'r> {
    header: &'r StringRecord,
    record: &'r StringRecord,
}

impl Row<'_> {
    /// The cell of a column; "" where there is no such column.
    fn cell(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.record.get(at)).unwrap_or_default().trim()
    }

    fn label(&self, folder: &Path) -> Result<Label, String> {
        let file = self.cell("file").to_owned();
        let path = folder.join(&file);
        if !path.is_file() {
            return Err(format!("there is no file {}: say with --pictures where it is", path.display()));
        }
        let number =
            self.truth("number", "13 to 19 digits, nothing, or hold a ?", |text| text.parse().ok())?;
        let valid_date = self.truth("valid_date", "MM/YY, nothing, or a ?", parse_date)?;
        let holder = match self.header.iter().any(|name| name == "holder") {
            true => self.truth("holder", "a name", |text| Some(text.to_owned()))?,
            false => Truth::Unknown,
        };
        let cards: u32 = match self.cell("cards") {
            "" => 1,
            count => count.parse().map_err(|_| "cards must be how many cards the picture shows")?,
        };
        let text = |column| self.cell(column).to_owned();
        Ok(Label {
            file,
            path,
            number,
            valid_date,
            holder,
            kind: text("kind"),
            print: text("print"),
            turn: text("orientation"),
            bank: text("bank_printed"),
            is_one_of_several: cards > 1,
            quad: self.quad("quad")?,
            card: self.quad("card")?,
        })
    }

    fn quad(&self, column: &str) -> Result<Option<Quad>, String> {
        match self.cell(column) {
            "" => Ok(None),
            corners => parse_quad(corners)
                .map(Some)
                .ok_or(format!("{column} must be 8 numbers: x y of 4 corners, clockwise")),
        }
    }

    fn truth<T>(
        &self,
        column: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Truth<T>, String> {
        match self.cell(column) {
            "" => Ok(Truth::Nothing),
            text if text.contains('?') => Ok(Truth::Unknown),
            text => parse(text).map(Truth::Known).ok_or(format!("{column} must be {wanted}")),
        }
    }
}

fn parse_date(text: &str) -> Option<String> {
    let is_date =
        text.bytes().enumerate().all(|(at, byte)| if at == 2 { byte == b'/' } else { byte.is_ascii_digit() });
    (is_date && text.len() == 5).then(|| text.to_owned())
}

fn parse_quad(text: &str) -> Option<Quad> {
    let numbers: Vec<f32> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let numbers: [f32; 8] = numbers.try_into().ok()?;
    let quad = Quad([0, 2, 4, 6].map(|at| Point::new(numbers[at], numbers[at + 1])));
    quad.is_convex().then_some(quad)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with labels and the pictures a.jpg and b.jpg in `pictures`.
    fn folder(labels: &str, pictures: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(pictures)).unwrap();
        for name in ["a.jpg", "b.jpg"] {
            std::fs::write(folder.path().join(pictures).join(name), "").unwrap();
        }
        let csv = folder.path().join("labels.csv");
        std::fs::write(&csv, labels).unwrap();
        (folder, csv)
    }

    #[test]
    fn columns_may_be_missing_and_in_any_order() {
        let (_folder, csv) = folder("\u{feff}number,notes,file\r\n,\"a, \"\"b\"\"\",a.jpg\r\n", "");
        let labels = read(&csv, None, &[]).unwrap();
        let label = &labels[0];
        assert_eq!((label.file.as_str(), &label.number), ("a.jpg", &Truth::Nothing));
        assert_eq!((&label.valid_date, label.is_one_of_several), (&Truth::Nothing, false));
        assert!(label.kind.is_empty() && label.quad.is_none());
    }

    #[test]
    fn what_cells_say() {
        let labels = "file,number,valid_date,cards,quad,orientation,print,kind,bank_printed\n\
            a.jpg,4111111111111111,09/27,3,1 2 11 2 11 5 1 5,90,flat,photo,甲银行\n\
            b.jpg,41111111?1111111,?,1,,,,,\n";
        let (_folder, csv) = folder(labels, "cards");
        let labels = read(&csv, None, &[]).unwrap();
        let Truth::Known(number) = &labels[0].number else { panic!("the number is known") };
        assert_eq!(number.digits(), "4111111111111111");
        assert_eq!(labels[0].valid_date, Truth::Known("09/27".to_owned()));
        assert!(labels[0].is_one_of_several && !labels[1].is_one_of_several);
        assert_eq!(labels[0].quad, Some(Quad::rect(1.0, 2.0, 10.0, 3.0)));
        let Label { kind, print, turn, bank, .. } = &labels[0];
        assert_eq!([kind, print, turn, bank], ["photo", "flat", "90", "甲银行"]);
        assert_eq!((&labels[1].number, &labels[1].valid_date), (&Truth::Unknown, &Truth::Unknown));
    }

    #[test]
    fn pictures_are_chosen_by_any_column() {
        let (_folder, csv) = folder("file,number,kind,source\na.jpg,,photo,x\nb.jpg,,scan,y\n", "");
        for (only, files) in [
            (&["kind=photo,scan"][..], &["a.jpg", "b.jpg"][..]),
            (&["kind=scan"], &["b.jpg"]),
            (&["kind=photo, scan", "source=x"], &["a.jpg"]),
            (&["kind=photo", "source=y"], &[]),
        ] {
            let only: Vec<Only> = only.iter().map(|only| only.parse().unwrap()).collect();
            let labels = read(&csv, None, &only).unwrap();
            let chosen: Vec<&str> = labels.iter().map(|label| label.file.as_str()).collect();
            assert_eq!(chosen, files, "{only:?}");
        }
        assert!("kind".parse::<Only>().is_err());
        let none = read(&csv, None, &["colour=red".parse().unwrap()]).unwrap_err();
        assert!(none.to_string().ends_with("have no column colour"), "{none}");
    }

    #[test]
    fn all_faults_are_told_without_a_number() {
        let labels = "file,number,valid_date,cards,quad\n\
            a.jpg,411111111111,,,\n\
            a.jpg,,9/27,,\n\
            a.jpg,,09/2027,,\n\
            a.jpg,,,many,\n\
            a.jpg,,,,1 2 3\n\
            c.jpg,,,,\n\
            b.jpg,,,,\n";
        let (_folder, csv) = folder(labels, "elsewhere");
        let said = read(&csv, Some(&csv.with_file_name("elsewhere")), &[]).unwrap_err().to_string();
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 7, "{said}");
        for (line, fault) in lines[1..].iter().zip([
            "line 2: number must be 13 to 19 digits",
            "line 3: valid_date must be MM/YY",
            "line 4: valid_date must be MM/YY",
            "line 5: cards must be",
            "line 6: quad must be 8 numbers",
            "line 7: there is no file ",
        ]) {
            assert!(line.starts_with(fault), "{line}");
        }
        assert!(!said.contains("411111"), "{said}");
        assert!(read(&csv.with_file_name("none.csv"), None, &[]).is_err());
        let (_folder, csv) = folder("file,digits\na.jpg,\n", "");
        assert!(read(&csv, None, &[]).unwrap_err().to_string().ends_with("have no column number"));
    }
}
