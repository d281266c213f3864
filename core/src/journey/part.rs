//! Some of the journeys, or the same journeys with other weights.

use super::Journeys;

impl Journeys {
    /// These journeys with other conversions and nulls; those that are left
    /// with neither are gone. Value goes with its conversions. What does not
    /// belong to journeys, such as cost, stays behind.
    pub(crate) fn reweighted(&self, conversions: &[f64], nulls: &[f64]) -> Self {
        let kept: Vec<usize> =
            (0..self.len()).filter(|j| conversions[*j] != 0.0 || nulls[*j] != 0.0).collect();
        let value = |j: usize| match self.conversions[j] {
            before if before == conversions[j] => self.value[j],
            0.0 => 0.0,
            before => self.value[j] / before * conversions[j],
        };
        let some = |all: &[u32]| kept.iter().filter_map(|j| all.get(*j).copied()).collect();
        Self {
            channels: self.channels.clone(),
            channel_count: self.channel_count,
            steps: self.steps.clone(),
            times: self.times.clone(),
            start: some(&self.start),
            len: some(&self.len),
            conversions: kept.iter().map(|j| conversions[*j]).collect(),
            nulls: kept.iter().map(|j| nulls[*j]).collect(),
            value: kept.iter().map(|j| value(*j)).collect(),
            customer: some(&self.customer),
            end: kept.iter().filter_map(|j| self.end.get(*j).copied()).collect(),
            customers: self.customers.clone(),
            timed: self.timed,
            has_value: self.has_value,
            observation_end: self.observation_end,
            ..Self::default()
        }
    }

    /// The journeys for which `keep` holds.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let pick =
            |all: &[f64]| all.iter().enumerate().map(|(j, w)| if keep(j) { *w } else { 0.0 }).collect();
        let (conversions, nulls): (Vec<f64>, Vec<f64>) = (pick(&self.conversions), pick(&self.nulls));
        self.reweighted(&conversions, &nulls)
    }
}
