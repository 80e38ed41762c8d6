//! The facts of a card: its number, its dates, who issued it. Knows no pixels.

mod expiry;
mod issuer;
mod pan;
mod scheme;

pub use expiry::Expiry;
pub use issuer::{BinFacts, BinTable, CardType, Issuer, TableFault};
pub use pan::{Pan, PanError};
pub use scheme::Scheme;
