//! The fundamental matrix, read backward: what being at a state means.

use super::MarkovModel;
use super::removal::{Cut, LARGE, Walks};
use crate::Result;
use crate::column::{Table, Tables, Text, Values};
use crate::run::Run;

impl MarkovModel {
    /// What it means to be at each state, and at each channel.
    ///
    /// `states`, one row a state of the chain: state (its channels joined by
    /// `" > "`), expected_visits (of one journey), probability (of ever coming
    /// there; missing in chains of more than 3,000 states), conversion_probability
    /// (from there on), expected_value (from there on; missing where no value
    /// is known), expected_steps (visits to states until the journey ends, this
    /// one included), conversion_share (of all conversions, those that came by;
    /// missing with probability). With repeats collapsed, staying is no visit.
    ///
    /// `channels`, one row a channel: channel, probability (of ever touching
    /// it), conversion_probability (of journeys that do; missing where none
    /// does), conversion_share (the removal effect by `null`).
    pub fn states(&self, run: &Run) -> Result<Tables> {
        let chain = self.chain();
        let n = chain.len();
        let walks = Walks::new(&chain, run)?;
        let starts: f64 = chain.start.iter().sum();
        let visits = |w: &f64| if starts > 0.0 { w / starts } else { 0.0 };
        let mut out: Vec<f64> = chain.conversions.iter().zip(&chain.nulls).map(|(a, b)| a + b).collect();
        for (i, _, w) in &chain.edges {
            out[*i as usize] += w;
        }
        let (mut steps, mut met, mut worth) = (vec![0.0; n], None, [vec![0.0; n], vec![0.0; n]]);
        if let Some(walks) = &walks {
            worth.clone_from(walks.worth());
            steps = walks.solve(&out, run)?;
            if n <= LARGE {
                met = Some(walks.visit_probabilities(run)?);
            }
        }
        let whole = self.conversion_probability;
        let share = |s: usize, met: f64| if whole > 0.0 { (met * worth[0][s] / whole).min(1.0) } else { 0.0 };
        let name = |i: usize| {
            let state = &self.states[i];
            state.iter().map(|c| self.channels[*c as usize].as_str()).collect::<Vec<_>>().join(" > ")
        };
        let met = |s: usize| met.as_ref().map(|m| m[s]);
        let states = Table::new()
            .with("state", Values::Text((0..n).map(name).collect::<Vec<_>>().iter().collect()))
            // As many come to a state as leave it, so visits are counts.
            .with("expected_visits", Values::F64(out.iter().map(visits).collect()))
            .with_optional("probability", (0..n).map(met))
            .with("conversion_probability", Values::F64(worth[0].iter().map(|b| b.min(1.0)).collect()))
            .with_optional("expected_value", worth[1].iter().map(|v| self.has_value.then_some(*v)))
            .with("expected_steps", Values::F64(steps))
            .with_optional("conversion_share", (0..n).map(|s| met(s).map(|m| share(s, m))));
        Ok(vec![("states", states), ("channels", self.met_channels(walks.as_ref(), run)?)])
    }

    fn met_channels(&self, walks: Option<&Walks<'_>>, run: &Run) -> Result<Table> {
        run.stage("meet channels", self.channels.len() as u64)?;
        let found = run.map_items(self.channels.len(), |c| {
            run.advance(1)?;
            let Some(walks) = walks else { return Ok([0.0; 2]) };
            let gone = [c as u32];
            let cut = Cut::Channels(&gone);
            let share = walks.effect(super::Removal::Null, &cut, run)?[0];
            Ok([walks.meeting(&cut, run)?, share])
        })?;
        let whole = self.conversion_probability;
        let given = found.iter().map(|[met, share]| (*met > 0.0).then(|| (share * whole / met).min(1.0)));
        let mut channel = Text::new();
        self.channels.iter().for_each(|c| channel.push(c));
        Ok(Table::new()
            .with("channel", Values::Text(channel))
            .with("probability", Values::F64(found.iter().map(|f| f[0]).collect()))
            .with_optional("conversion_probability", given)
            .with("conversion_share", Values::F64(found.iter().map(|f| f[1]).collect())))
    }
}
