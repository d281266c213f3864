//! The market as a stream of batches, or whole.

use std::sync::Arc;

use super::block::{BLOCK, Block};
use super::options::{MAX_PEOPLE, MarketOptions};
use super::person::Plan;
use super::render::{Lexicon, records};
use super::truth::MarketTruth;
use crate::{Result, Run, Table};

/// A market, ready to be made. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Market {
    plan: Arc<Plan>,
    lexicon: Arc<Lexicon>,
}

impl Market {
    /// Checks the options and, where `events` is given, finds how many people
    /// make about as many (from the first thousands of the market itself).
    ///
    /// # Errors
    /// `Option`, naming the option.
    pub fn new(options: MarketOptions) -> Result<Self> {
        let mut options = options;
        if let Some(events) = options.events {
            const PILOT: u64 = 4;
            let pilot = Plan::new(MarketOptions { people: PILOT * BLOCK, ..options.clone() })?;
            let made: usize = (0..PILOT).map(|block| Block::make(&pilot, block).events.len()).sum();
            let each = made as f64 / (PILOT * BLOCK) as f64;
            let people = if each > 0.0 { (events as f64 / each).round() } else { 1.0 };
            options.people = (people as u64).clamp(1, MAX_PEOPLE);
        }
        let plan = Plan::new(options)?;
        let lexicon = Arc::new(Lexicon::new(&plan));
        Ok(Self { plan: Arc::new(plan), lexicon })
    }

    /// The options; `people` is what `events` made it.
    pub fn options(&self) -> &MarketOptions {
        &self.plan.options
    }

    /// The end of the observed days and the start of the holdout, in microseconds.
    pub fn end(&self) -> i64 {
        self.plan.start + i64::from(self.plan.options.days) * crate::column::DAY
    }

    /// The market in batches of people. One batch is in memory at a time.
    pub fn batches(&self, run: &Run) -> Batches {
        Batches {
            market: self.clone(),
            run: run.clone(),
            block: 0,
            truth: MarketTruth::new(&self.plan.options),
            failed: false,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn blocks(&self) -> u64 {
        self.plan.options.people.div_ceil(BLOCK)
    }
}

/// Some people's part of a market.
///
/// Events, orders and holdout are in the order of time within each block of
/// 1024 people; people are whole, so nobody's rows are in two batches (but a
/// shared device's identifiers are all in one).
#[derive(Clone, Debug, PartialEq)]
pub struct MarketBatch {
    /// One row a touch: time, cookie, device, email, `user_id`, channel, campaign, cost.
    pub events: Table,
    /// One row an order in the observed days: time, `order_id`, cookie, device,
    /// email, `user_id`, phone, loyalty, source (web or store), value.
    pub orders: Table,
    /// The orders of the days after, with the same columns.
    pub holdout: Table,
    /// Truth: namespace, identifier, person; one row for each person who used the identifier.
    pub truth_people: Table,
    /// Truth, row by row beside `events`: person.
    pub truth_events: Table,
    /// Truth, row by row beside `orders`: `order_id`, person, `caused_by` (the
    /// channel whose touch caused it; missing for a baseline order).
    pub truth_orders: Table,
    /// Truth, one row a person: person, entered, buyer, rate (λ, orders a day),
    /// dropout (after each repeat order), `mean_amount`, orders, value, alive (at
    /// the end of the observed days), `expected_future_orders` (baseline orders
    /// in the holdout given all of that; missing without a baseline), and what
    /// came: `future_orders`, `future_value`.
    pub people: Table,
}

impl MarketBatch {
    /// What stitching takes: the rows of events and orders together in the order
    /// of time, with time, cookie, device, email, `user_id`, phone, loyalty, source.
    pub fn records(&self) -> Table {
        records(&self.events, &self.orders)
    }

    fn render(market: &Market, block: &Block, run: &Run) -> Result<Self> {
        let lexicon = &market.lexicon;
        Ok(Self {
            events: lexicon.events(&market.plan, block, run)?,
            orders: lexicon.orders(&block.orders, run)?,
            holdout: lexicon.orders(&block.holdout, run)?,
            truth_people: lexicon.truth_people(block),
            truth_events: Lexicon::truth_events(block),
            truth_orders: lexicon.truth_orders(block),
            people: Lexicon::people(block),
        })
    }
}

/// The batches of a market, one after another.
#[derive(Debug)]
pub struct Batches {
    market: Market,
    run: Run,
    block: u64,
    truth: MarketTruth,
    failed: bool,
}

impl Batches {
    /// The truth of the batches so far; of the whole market after the last.
    pub fn truth(&self) -> &MarketTruth {
        &self.truth
    }

    /// The next batch's blocks, in order.
    fn advance(&mut self) -> Result<Option<Block>> {
        let total = self.market.blocks();
        if self.block >= total {
            return Ok(None);
        }
        if self.block == 0 {
            self.run.stage("simulate market", self.market.plan.options.people)?;
        }
        let want = u64::from(self.market.plan.options.batch_people).div_ceil(BLOCK).max(1);
        let count = want.min(total - self.block);
        let plan = &self.market.plan;
        let first = self.block;
        let made = self.run.map_items(count as usize, |i| {
            let block = Block::make(plan, first + i as u64);
            let truth = block.truth(plan);
            self.run.advance(block.people.len() as u64)?;
            Ok((block, truth))
        })?;
        self.block += count;
        let mut whole = Block::default();
        for (block, truth) in made {
            self.truth.merge(&truth);
            whole.append(block);
        }
        Ok(Some(whole))
    }
}

impl Iterator for Batches {
    type Item = Result<MarketBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = match self.advance() {
            Ok(None) => return None,
            Ok(Some(block)) => MarketBatch::render(&self.market, &block, &self.run),
            Err(error) => Err(error),
        };
        self.failed = batch.is_err();
        Some(batch)
    }
}

/// A whole market.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketData {
    /// All tables; events, orders and holdout in the order of time.
    pub tables: MarketBatch,
    /// The totals and the channels' true effects.
    pub truth: MarketTruth,
    /// The options, with the number of people in force.
    pub options: MarketOptions,
    /// The end of the observed days, in microseconds.
    pub end: i64,
}

/// Makes a whole market in memory, in the order of time.
///
/// # Errors
/// `Option`, naming the option; `Cancelled`.
///
/// ```
/// use headwater::Run;
/// use headwater::simulate::{MarketOptions, generate};
///
/// let market = generate(&MarketOptions { people: 500, ..MarketOptions::default() }, &Run::new())?;
/// assert_eq!(market.tables.orders.rows(), market.truth.orders as usize);
/// assert_eq!(
///     market.tables.records().rows(),
///     market.tables.events.rows() + market.tables.orders.rows()
/// );
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn generate(options: &MarketOptions, run: &Run) -> Result<MarketData> {
    let market = Market::new(options.clone())?;
    let mut batches = market.batches(run);
    let mut whole = Block::default();
    while let Some(block) = batches.advance()? {
        whole.append(block);
    }
    whole.sort(run)?;
    let tables = MarketBatch::render(&market, &whole, run)?;
    Ok(MarketData { tables, truth: batches.truth, end: market.end(), options: market.plan.options.clone() })
}
