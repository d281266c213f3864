//! Rank tests between groups.

use serde::{Deserialize, Serialize};

use super::spells::Spells;
use crate::column::{Table, Text, Values};
use crate::math::{Factor, benjamini_hochberg, chi_squared_tail, pow};
use crate::{Error, Result, Run};

/// How much the events of each time count in the comparison of groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankTest {
    /// Alike (Mantel 1966). The default.
    #[default]
    LogRank,
    /// By the number at risk: early differences (Gehan 1965, Breslow 1970).
    Wilcoxon,
    /// By its square root (Tarone & Ware 1977).
    TaroneWare,
    /// By S^ρ (1 − S)^γ of the curve of all, just before each time (Fleming & Harrington 1991).
    FlemingHarrington,
}

impl RankTest {
    fn name(self) -> &'static str {
        match self {
            Self::LogRank => "log_rank",
            Self::Wilcoxon => "wilcoxon",
            Self::TaroneWare => "tarone_ware",
            Self::FlemingHarrington => "fleming_harrington",
        }
    }

    pub(super) fn weights(self, rho: f64, gamma: f64) -> Result<Weights> {
        for (name, value) in [("rho", rho), ("gamma", gamma)] {
            if !(0.0..=100.0).contains(&value) {
                return Err(Error::option(name, "must be a number from 0 to 100"));
            }
            let usual = if name == "rho" { 1.0 } else { 0.0 };
            if self != Self::FlemingHarrington && value != usual {
                return Err(Error::option(
                    name,
                    "is of the test \"fleming_harrington\": ask for it, or leave it out",
                ));
            }
        }
        Ok(Weights { test: self, rho, gamma })
    }
}

/// A test with its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    test: RankTest,
    rho: f64,
    gamma: f64,
}

impl Weights {
    fn at(self, at_risk: f64, survival: f64) -> f64 {
        match self.test {
            RankTest::LogRank => 1.0,
            RankTest::Wilcoxon => at_risk,
            RankTest::TaroneWare => at_risk.sqrt(),
            RankTest::FlemingHarrington => pow(survival, self.rho) * pow(1.0 - survival, self.gamma),
        }
    }
}

/// The outcome of a test of several groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    /// Events of each group, had all one hazard.
    pub(super) expected: Vec<f64>,
    statistic: f64,
    degrees: usize,
}

impl Comparison {
    fn p_value(&self) -> Option<f64> {
        (self.degrees > 0).then(|| chi_squared_tail(self.statistic, self.degrees as f64))
    }

    /// One row; none where there is nothing to compare.
    pub(super) fn table(&self, test: RankTest) -> Table {
        let p = self.p_value();
        let one = |x: f64| Values::F64(p.iter().map(|_| x).collect());
        Table::new()
            .with("test", Values::Text(p.iter().map(|_| test.name()).collect()))
            .with("statistic", one(self.statistic))
            .with("degrees_of_freedom", one(self.degrees as f64))
            .with("p_value", Values::F64(p.into_iter().collect()))
    }
}

/// The k-sample test: observed less expected events, weighted, over their
/// hypergeometric covariance (Klein & Moeschberger 2003, section 7.3).
pub(super) fn rank_test(groups: &[Spells], weights: Weights, run: &Run) -> Result<Comparison> {
    let k = groups.len();
    let steps: Vec<Vec<[f64; 4]>> = groups.iter().map(Spells::steps).collect();
    let mut times: Vec<f64> = steps.iter().flatten().filter(|s| s[2] > 0.0).map(|s| s[0]).collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    let mut cursor = vec![0; k];
    let mut late: Vec<usize> = vec![0; k];
    let start = |g: &Spells| g.events() + g.censored() - g.entries.iter().map(|e| e.1).sum::<f64>();
    let mut at_risk: Vec<f64> = groups.iter().map(start).collect();
    let mut events = vec![0.0; k];
    let mut expected = vec![0.0; k];
    let mut excess = vec![0.0; k];
    let mut covariance = vec![0.0; k * k];
    let mut survival = 1.0;
    for (count, time) in times.iter().enumerate() {
        if count % 4096 == 0 {
            run.check()?;
        }
        for g in 0..k {
            // Those who left before this time are gone, those who entered are there.
            while let Some(step) = steps[g].get(cursor[g]).filter(|s| s[0] < *time) {
                at_risk[g] -= step[2] + step[3];
                cursor[g] += 1;
            }
            while let Some(entry) = groups[g].entries.get(late[g]).filter(|e| e.0 < *time) {
                at_risk[g] += entry.1;
                late[g] += 1;
            }
            let here = steps[g].get(cursor[g]).filter(|s| s[0] == *time);
            events[g] = here.map_or(0.0, |s| s[2]);
            at_risk[g] = at_risk[g].max(events[g]);
        }
        let n: f64 = at_risk.iter().sum();
        let d: f64 = events.iter().sum();
        if n <= 0.0 {
            continue;
        }
        let w = weights.at(n, survival);
        let spread = if n > 1.0 { w * w * d * (n - d).max(0.0) / (n * n * (n - 1.0)) } else { 0.0 };
        for g in 0..k {
            expected[g] += d * at_risk[g] / n;
            excess[g] += w * (events[g] - d * at_risk[g] / n);
            for h in 0..=g {
                let own = if g == h { n } else { 0.0 };
                covariance[g * k + h] += spread * at_risk[g] * (own - at_risk[h]);
            }
        }
        survival *= ((n - d) / n).max(0.0);
    }
    // The groups' excesses add up to 0: the last says nothing of its own.
    let m = k.saturating_sub(1);
    let mut free = vec![0.0; m * m];
    for g in 0..m {
        free[g * m..=g * m + g].copy_from_slice(&covariance[g * k..=g * k + g]);
        for h in 0..g {
            free[h * m + g] = free[g * m + h];
        }
    }
    let factor = Factor::new(free, m);
    let degrees = factor.used().iter().filter(|used| **used).count();
    let solved = factor.solve(&excess[..m]);
    let statistic = solved.iter().zip(&excess).map(|(a, b)| a * b).sum::<f64>().max(0.0);
    Ok(Comparison { expected, statistic, degrees })
}

/// Every pair of groups beside each other.
pub(super) fn pairs(groups: &[Spells], labels: &[String], weights: Weights, run: &Run) -> Result<Table> {
    let (mut left, mut right, mut found) = (Text::new(), Text::new(), Vec::new());
    if groups.len() <= 30 {
        for (g, a) in groups.iter().enumerate() {
            for (h, b) in groups.iter().enumerate().skip(g + 1) {
                left.push(&labels[g]);
                right.push(&labels[h]);
                found.push(rank_test(&[a.clone(), b.clone()], weights, run)?);
            }
        }
    }
    let p: Vec<Option<f64>> = found.iter().map(Comparison::p_value).collect();
    let q = benjamini_hochberg(&p);
    Ok(Table::new()
        .with("group_l", Values::Text(left))
        .with("group_r", Values::Text(right))
        .with("statistic", Values::F64(found.iter().map(|c| c.statistic).collect()))
        .with_optional("p_value", p)
        .with_optional("q_value", q))
}
