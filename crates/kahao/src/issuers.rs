//! The issuer table in use: the one inside this binary, or a newer one from a folder, which can be read anew while
//! others look things up. A faulty table is never used in part: the one before it stays.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use kahao_reader::card::BinTable;

/// Where issuers come from, for every command that names them.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Config {
    /// Folder with an issuers.csv and a bins.csv to use instead of the table inside this binary; the service
    /// reads it anew on SIGHUP
    #[arg(long, env = "KAHAO_ISSUERS", value_name = "DIR")]
    pub(crate) issuers: Option<PathBuf>,
}

/// A table that can be replaced under those who read it.
pub(crate) struct IssuerTable {
    folder: Option<PathBuf>,
    table: RwLock<Arc<BinTable>>,
}

/// Everything that is wrong with a folder's table.
#[derive(Debug, thiserror::Error)]
pub(crate) struct UnusableTable {
    folder: PathBuf,
    /// Each with its file and line.
    faults: Vec<String>,
}

/// One fault a line: there may be as many as a file has lines.
impl fmt::Display for UnusableTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the issuer table in {} is not usable: correct", self.folder.display())?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Faults that one log line tells; whoever wants all runs `kahao bin --issuers`.
const MAX_LOGGED_FAULTS: usize = 20;

impl IssuerTable {
    /// The table that the settings name.
    pub(crate) fn load(config: &Config) -> Result<Self, UnusableTable> {
        let table = match &config.issuers {
            Some(folder) => Arc::new(read_folder(folder)?),
            None => Arc::clone(BinTable::embedded()),
        };
        Ok(Self { folder: config.issuers.clone(), table: RwLock::new(table) })
    }

    /// The table as it is now. Whoever holds it keeps it, whatever is loaded meanwhile.
    pub(crate) fn current(&self) -> Arc<BinTable> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the folder anew and logs what came of it.
    pub(crate) fn reload(&self) {
        let Some(folder) = &self.folder else {
            tracing::info!("no --issuers folder is set: the table inside this binary stays in use");
            return;
        };
        match read_folder(folder) {
            Ok(table) => {
                let table = Arc::new(table);
                *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&table);
                tracing::info!(date = table.date(), rows = table.rows(), "issuer table read anew");
            }
            Err(UnusableTable { faults, .. }) => {
                let (count, faults) =
                    (faults.len(), faults[..faults.len().min(MAX_LOGGED_FAULTS)].join("; "));
                tracing::error!(count, faults, "issuer table not usable: the one before it stays in use");
            }
        }
    }
}

fn read_folder(folder: &Path) -> Result<BinTable, UnusableTable> {
    let read = |name: &str| read_text(&folder.join(name)).map_err(|reason| format!("{name}{reason}"));
    let faults = match (read("issuers.csv"), read("bins.csv")) {
        (Ok(issuers), Ok(bins)) => match BinTable::parse(&issuers, &bins) {
            Ok(table) => return Ok(table),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        },
        (issuers, bins) => issuers.err().into_iter().chain(bins.err()).collect(),
    };
    Err(UnusableTable { folder: folder.to_owned(), faults })
}

/// The text of a file, or what is to follow its name in a fault.
fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error: io::Error| format!(": cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
        format!(", line {line}: is not UTF-8: save the file with that encoding")
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ISSUERS: &str = "id,name,short_name,code,class\nA,甲银行股份有限公司,甲银行,JIA,city\n";
    const BINS: &str =
        "# date: 2026-01-02\nprefix,length,issuer,type,type_from,card_name,families\n62,16,A,debit,,,1\n";

    /// The table inside the binary.
    pub(crate) fn embedded() -> Arc<IssuerTable> {
        Arc::new(IssuerTable::load(&Config::default()).unwrap())
    }

    fn folder(issuers: &[u8], bins: &[u8]) -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("issuers.csv"), issuers).unwrap();
        std::fs::write(folder.path().join("bins.csv"), bins).unwrap();
        let config = Config { issuers: Some(folder.path().to_owned()) };
        (folder, config)
    }

    /// What is said about a folder, from the second line on.
    fn faults(config: &Config) -> Vec<String> {
        let said = IssuerTable::load(config).err().unwrap().to_string();
        assert!(said.starts_with("the issuer table in ") && said.lines().count() > 1, "{said}");
        said.lines().skip(1).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn a_folder_replaces_the_table_inside() {
        assert!(embedded().current().rows() > 5_000);
        let (_folder, config) = folder(ISSUERS.as_bytes(), BINS.as_bytes());
        let table = IssuerTable::load(&config).unwrap().current();
        assert_eq!((table.rows(), table.date()), (1, "2026-01-02"));
    }

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let (_folder, config) =
            folder(ISSUERS.as_bytes(), format!("{BINS}6x,16,A,,,,1\n63,12,B,,,,1\n").as_bytes());
        assert_eq!(
            faults(&config),
            [
                "bins.csv, line 4: the prefix must have 1 to 10 digits",
                "bins.csv, line 5: the length must be a number from 13 to 19",
                "bins.csv, line 5: no issuer has the id \"B\"",
            ]
        );
        // 甲 in GBK, as spreadsheets on Chinese Windows save it.
        let (_folder, config) =
            folder(b"id,name,short_name,code,class\nA,,\xbc\xd7,,city\n", BINS.as_bytes());
        assert_eq!(faults(&config), ["issuers.csv, line 2: is not UTF-8: save the file with that encoding"]);
        let folder = tempfile::tempdir().unwrap();
        let missing = faults(&Config { issuers: Some(folder.path().to_owned()) });
        assert_eq!(missing.len(), 2);
        assert!(missing[0].starts_with("issuers.csv: cannot be read: "), "{missing:?}");
        assert!(missing[1].starts_with("bins.csv: cannot be read: "), "{missing:?}");
    }

    #[test]
    fn a_reload_takes_all_of_the_new_table_or_nothing() {
        let (folder, config) = folder(ISSUERS.as_bytes(), BINS.as_bytes());
        let issuers = IssuerTable::load(&config).unwrap();
        let before = issuers.current();

        std::fs::write(folder.path().join("bins.csv"), format!("{BINS}63,16,A,,,,1\n64,16,Z,,,,1\n"))
            .unwrap();
        issuers.reload();
        assert!(Arc::ptr_eq(&before, &issuers.current()), "a faulty table changes nothing");

        std::fs::write(folder.path().join("bins.csv"), format!("{BINS}63,16,A,,,,1\n")).unwrap();
        issuers.reload();
        assert_eq!((before.rows(), issuers.current().rows()), (1, 2));
        embedded().reload();
    }
}
