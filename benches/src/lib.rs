//! Inputs of the core's benchmarks: simulated markets.

use headwater::column::Columns;
use headwater::identity::{AssignOptions, People, StitchOptions, stitch};
use headwater::simulate::{MarketData, MarketOptions, generate};
use headwater::{Result, Run};

/// A market of about this many events.
pub fn market(events: u64) -> Result<MarketData> {
    generate(&MarketOptions { events: Some(events), days: 180, ..MarketOptions::default() }, &Run::new())
}

/// The columns of a market that hold identifiers.
pub fn identifiers() -> StitchOptions {
    StitchOptions {
        identifiers: ["user_id", "email", "phone", "loyalty", "device", "cookie"].map(String::from).to_vec(),
        time: Some("time".to_owned()),
        ..StitchOptions::default()
    }
}

/// Who is who in a market.
pub fn people(market: &MarketData) -> Result<People> {
    stitch(&Columns::from(market.tables.records()), &identifiers(), &Run::new())
}

/// The touches and orders of a market with their customers.
pub fn assigned(market: &MarketData) -> Result<[Columns; 2]> {
    let people = people(market)?;
    let with = |table: &headwater::Table| {
        let frame = Columns::from(table.clone());
        let customers = people.assign_frame(&frame, &AssignOptions::default(), &Run::new())?;
        Ok(frame.with("customer", customers))
    };
    Ok([with(&market.tables.events)?, with(&market.tables.orders)?])
}
