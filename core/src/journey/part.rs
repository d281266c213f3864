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
        let mut out = self.select(|j| conversions[j] != 0.0 || nulls[j] != 0.0);
        out.value = kept.iter().map(|j| value(*j)).collect();
        out.conversions = kept.iter().map(|j| conversions[*j]).collect();
        out.nulls = kept.iter().map(|j| nulls[*j]).collect();
        out
    }
}
