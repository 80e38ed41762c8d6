//! The shortest use of the library: `cargo run --release -p kahao-reader --example read_card -- PICTURE…`
//! Prints file, card number, probability and expiry of each card, or why a picture was not read.

use kahao_reader::CardReader;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reader = CardReader::new()?;
    for path in std::env::args().skip(1) {
        match reader.read(&std::fs::read(&path)?) {
            Ok(cards) => {
                for card in cards {
                    let expiry = card.valid_date.map(|date| date.value.to_string()).unwrap_or_default();
                    println!("{path}\t{}\t{:.3}\t{expiry}", card.number.value.digits(), card.number.prob);
                }
            }
            Err(reason) => println!("{path}\t\t\t{reason}"),
        }
    }
    Ok(())
}
