//! One market, what can be seen of it, what is true, and what is known beforehand.

use headwater::column::{Columns, Data, Text, Values};
use headwater::journey::{EventOptions, Journeys};
use headwater::simulate::{
    ChannelOptions, LiftDesign, LiftOptions, LiftTest, Market, MarketOptions, MarketTruth, lift_test,
};
use headwater::{Run, Table};

use crate::Outcome;

pub(crate) struct World {
    pub(crate) options: MarketOptions,
    pub(crate) truth: MarketTruth,
    pub(crate) journeys: Journeys,
}

impl World {
    pub(crate) fn new(preset: &str, people: u64, seed: u64, run: &Run) -> Outcome<Self> {
        let options = MarketOptions { people, seed, ..MarketOptions::preset(preset)? };
        let mut batches = Market::new(options.clone())?.batches(run);
        let (mut touches, mut orders) = (Rows::default(), Rows::default());
        let mut channel = Text::new();
        for batch in &mut batches {
            let batch = batch?;
            touches.add(&batch.truth_events, &batch.events)?;
            orders.add(&batch.truth_orders, &batch.orders)?;
            (0..batch.events.rows())
                .filter_map(|row| batch.events.text("channel", row))
                .for_each(|name| channel.push(&name));
        }
        let truth = batches.truth().clone();
        let touches = touches.columns().with("channel", channel);
        let journeys =
            Journeys::from_events(&touches, Some(&orders.columns()), &EventOptions::default(), run)?;
        Ok(Self { options, truth, journeys })
    }

    pub(crate) fn truth(&self) -> Columns {
        self.truth.channels().into()
    }

    /// Channels that people touch because they are about to buy, and those that follow such
    /// touches: whoever runs them knows.
    pub(crate) fn intent(&self) -> Vec<String> {
        self.present().filter(|c| suspected(c)).map(|c| c.name.clone()).collect()
    }

    /// A test of each channel over all days, of those whom it reaches.
    pub(crate) fn lift_tests(&self, run: &Run) -> Outcome<Table> {
        self.lift_tests_of(&self.present().collect::<Vec<_>>(), run)
    }

    /// A test of every third channel, from one that the seed picks.
    pub(crate) fn a_third_of_the_tests(&self, run: &Run) -> Outcome<Table> {
        let first = self.options.seed as usize / crate::market_names().len() % 3;
        let every: Vec<&ChannelOptions> = self.present().skip(first).step_by(3).collect();
        self.lift_tests_of(&every, run)
    }

    /// One test for three channels, where comparing customers with themselves cannot tell: the
    /// channels of intent that cost most; then the others that cost most.
    pub(crate) fn chosen_tests(&self, run: &Run) -> Outcome<Table> {
        let spend = |c: &ChannelOptions| {
            self.truth.by_channel.iter().find(|t| t.channel == c.name).map_or(0.0, |t| t.cost)
        };
        let mut order: Vec<&ChannelOptions> = self.present().collect();
        let count = order.len().div_ceil(3);
        order.sort_by(|a, b| {
            let rank = |c: &ChannelOptions| suspected(c) && spend(c) > 0.0;
            rank(b).cmp(&rank(a)).then(spend(b).total_cmp(&spend(a)))
        });
        self.lift_tests_of(&order[..count], run)
    }

    fn present(&self) -> impl Iterator<Item = &ChannelOptions> {
        let touched =
            |c: &&ChannelOptions| self.truth.by_channel.iter().any(|t| t.channel == c.name && t.touches > 20);
        self.options.channels.iter().filter(touched)
    }

    fn lift_tests_of(&self, channels: &[&ChannelOptions], run: &Run) -> Outcome<Table> {
        let tests = channels
            .iter()
            .map(|c| LiftTest { channel: c.name.clone(), design: LiftDesign::Reached, ..LiftTest::default() })
            .collect();
        Ok(lift_test(&LiftOptions { market: self.options.clone(), tests }, run)?)
    }
}

fn suspected(channel: &ChannelOptions) -> bool {
    channel.intent > 0.0 || channel.follow > 0.0
}

/// Person and time of touches or orders.
#[derive(Default)]
struct Rows {
    person: Vec<i64>,
    time: Vec<i64>,
}

impl Rows {
    fn add(&mut self, truth: &Table, seen: &Table) -> Outcome<()> {
        self.person.extend(truth.i64s("person").ok_or("no column person")?);
        match seen.get("time").map(|column| &column.values) {
            Some(Values::Time(time)) => self.time.extend(time),
            _ => return Err("no column time".into()),
        }
        Ok(())
    }

    fn columns(self) -> Columns {
        Columns::new().with("customer", self.person).with("time", Data::times(self.time))
    }
}
