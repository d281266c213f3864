//! How often channels touch a customer, by calendar.

use crate::run::Run;
use crate::{Error, Result};

/// Turns in which the rates are found.
const TURNS: usize = 8;
/// Steps of all channels.
const MOST: usize = 10_000_000;

/// How often each channel touches a customer, by calendar.
pub(super) struct Calendar {
    pub(super) start: i64,
    pub(super) step: f64,
    /// By channel: touches up to the beginning of each step, one more than steps.
    sums: Vec<Vec<f64>>,
}

/// What the rates of a channel are found from.
#[derive(Clone)]
pub(super) struct Seen {
    /// Touches in each step.
    touches: Vec<f64>,
    /// Customers' days from, to, and how often they were touched then.
    customers: Vec<[f64; 3]>,
}

impl Seen {
    /// A touch at a day after the start.
    pub(super) fn touch(&mut self, day: f64, step: f64) {
        let last = self.touches.len() - 1;
        self.touches[((day / step) as usize).min(last)] += 1.0;
    }

    /// A customer with so many touches between two days.
    pub(super) fn customer(&mut self, from: f64, to: f64, touches: f64) {
        self.customers.push([from, to, touches]);
    }

    /// As often as the channel did touch, given how often it touched each customer (the
    /// conditional likelihood of a Poisson process with a rate for each customer).
    /// Customers who are touched often are watched longer, so touches per customer
    /// would fall with time by themselves.
    fn rates(&self, step: f64, run: &Run) -> Result<Vec<f64>> {
        let mut sums: Vec<f64> = (0..=self.touches.len()).map(|k| k as f64).collect();
        for _ in 0..TURNS {
            run.check()?;
            let expected = self.expected(&sums, step);
            let mut sum = 0.0;
            let rates: Vec<f64> = sums.windows(2).map(|pair| pair[1] - pair[0]).collect();
            for (k, rate) in rates.iter().enumerate() {
                sum += if expected[k] > 0.0 { rate * self.touches[k] / expected[k] } else { 0.0 };
                sums[k + 1] = sum;
            }
        }
        Ok(sums)
    }

    /// Touches that are expected in each step, where each customer's are dealt by these sums.
    fn expected(&self, sums: &[f64], step: f64) -> Vec<f64> {
        let last = self.touches.len() - 1;
        let mut out = vec![0.0; self.touches.len()];
        for [from, to, count] in &self.customers {
            let steps = ((from / step) as usize).min(last)..=((to / step) as usize).min(last);
            let part = |k: usize| {
                let inside = (to.min((k + 1) as f64 * step) - from.max(k as f64 * step)).max(0.0) / step;
                inside * (sums[k + 1] - sums[k])
            };
            let whole: f64 = steps.clone().map(part).sum();
            if whole > 0.0 {
                steps.for_each(|k| out[k] += count * part(k) / whole);
            }
        }
        out
    }
}

impl Calendar {
    /// A calendar without touches, from a start over so many days.
    pub(super) fn new(start: i64, days: f64, step: f64, channels: usize) -> Result<Self> {
        let steps = (days / step).ceil().max(1.0) as usize;
        if steps.saturating_mul(channels) > MOST {
            let reason =
                format!("is short for {days:.0} days of touches: take it longer, or leave stray times out");
            return Err(Error::option("calendar", reason));
        }
        Ok(Self { start, step, sums: vec![vec![0.0; steps + 1]; channels] })
    }

    /// Nothing seen of any channel.
    pub(super) fn unseen(&self) -> Vec<Seen> {
        let nothing = |sums: &Vec<f64>| Seen { touches: vec![0.0; sums.len() - 1], customers: Vec::new() };
        self.sums.iter().map(nothing).collect()
    }

    /// Finds the rates of all channels from what was seen of each.
    pub(super) fn find(&mut self, seen: &[Seen], run: &Run) -> Result<()> {
        run.stage("find when channels touch", self.sums.len() as u64)?;
        self.sums = run.map_items(seen.len(), |c| {
            let sums = seen[c].rates(self.step, run)?;
            run.advance(1)?;
            Ok(sums)
        })?;
        Ok(())
    }

    /// ∫ of a channel's touches, from the start to a day.
    pub(super) fn up_to(&self, channel: usize, day: f64) -> f64 {
        let sums = &self.sums[channel];
        let at = (day / self.step).max(0.0);
        let whole = (at as usize).min(sums.len() - 2);
        sums[whole] + (at - whole as f64) * (sums[whole + 1] - sums[whole])
    }
}
