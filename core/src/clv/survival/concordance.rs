//! Concordance of a ranking with the order of events.

/// Weighted pairs of a subject with an event and one that outlived it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pairs {
    pub(super) concordant: f64,
    pub(super) discordant: f64,
    pub(super) tied: f64,
}

impl Pairs {
    /// The share that is concordant, ties counted by half; `None` without pairs.
    pub(super) fn index(&self) -> Option<f64> {
        let all = self.concordant + self.discordant + self.tied;
        (all > 0.0).then(|| (self.concordant + 0.5 * self.tied) / all)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.concordant += other.concordant;
        self.discordant += other.discordant;
        self.tied += other.tied;
    }
}

/// Subjects for [`pairs`]; slices of one length, or empty where all are alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked<'a> {
    pub(super) time: &'a [f64],
    pub(super) event: &'a [bool],
    /// Empty: all seen from the beginning.
    pub(super) entry: &'a [f64],
    /// Higher is sooner.
    pub(super) risk: &'a [f64],
    /// Empty: 1.
    pub(super) weight: &'a [f64],
    /// A factor of pairs by the subject with the event; empty: 1.
    pub(super) factor: &'a [f64],
}

/// Counts pairs (i, j) where i had the event while j was at risk and j outlived
/// it (one censored at that time did; two events at one time make no pair), by
/// a tree of ranks in O(n log n) (Harrell et al. 1982; Christensen 2011).
pub(super) fn pairs(of: &Ranked<'_>) -> Pairs {
    let n = of.time.len();
    let weight = |i: usize| of.weight.get(i).copied().unwrap_or(1.0);
    let entry = |i: usize| of.entry.get(i).copied().unwrap_or(0.0);
    let factor = |i: usize| of.factor.get(i).copied().unwrap_or(1.0);
    let mut by_risk: Vec<u32> = (0..n as u32).collect();
    by_risk.sort_unstable_by(|a, b| of.risk[*a as usize].total_cmp(&of.risk[*b as usize]));
    let mut rank = vec![0_u32; n];
    let mut ranks = 0_u32;
    for same in by_risk.chunk_by(|a, b| of.risk[*a as usize] == of.risk[*b as usize]) {
        same.iter().for_each(|i| rank[*i as usize] = ranks);
        ranks += 1;
    }
    // The last first; of one time the censored first. Ties are broken by what they are, not by where.
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_unstable_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        of.time[b]
            .total_cmp(&of.time[a])
            .then(of.event[a].cmp(&of.event[b]))
            .then(rank[a].cmp(&rank[b]))
            .then(weight(a).total_cmp(&weight(b)))
            .then(factor(a).total_cmp(&factor(b)))
            .then(entry(a).total_cmp(&entry(b)))
    });
    let mut late: Vec<u32> = if of.entry.is_empty() { Vec::new() } else { order.clone() };
    late.retain(|i| entry(*i as usize) > 0.0);
    late.sort_by(|a, b| entry(*b as usize).total_cmp(&entry(*a as usize)));
    let mut late = late.into_iter().peekable();
    let mut tree = Tree { sums: vec![0.0; ranks as usize + 1], total: 0.0 };
    let mut out = Pairs::default();
    for same in order.chunk_by(|a, b| of.time[*a as usize] == of.time[*b as usize]) {
        let split = same.partition_point(|i| !of.event[*i as usize]);
        let (censored, events) = same.split_at(split);
        for i in censored {
            tree.add(rank[*i as usize], weight(*i as usize));
        }
        let now = same.first().map_or(0.0, |i| of.time[*i as usize]);
        // Who enters now or later is not at risk; who ends now cannot be among them.
        while let Some(i) = late.next_if(|i| entry(*i as usize) >= now) {
            tree.add(rank[i as usize], -weight(i as usize));
        }
        for i in events {
            let i = *i as usize;
            let w = weight(i) * factor(i);
            if w == 0.0 {
                continue;
            }
            let below = tree.below(rank[i]);
            let same = tree.below(rank[i] + 1) - below;
            out.concordant += w * below;
            out.tied += w * same;
            out.discordant += w * (tree.total - below - same);
        }
        for i in events {
            tree.add(rank[*i as usize], weight(*i as usize));
        }
    }
    // Rounding of weights must not leave a negative count.
    out.discordant = out.discordant.max(0.0);
    out
}

/// Sums by rank (Fenwick 1994).
struct Tree {
    sums: Vec<f64>,
    total: f64,
}

impl Tree {
    fn add(&mut self, rank: u32, weight: f64) {
        self.total += weight;
        let mut at = rank as usize + 1;
        while let Some(sum) = self.sums.get_mut(at) {
            *sum += weight;
            at += at & at.wrapping_neg();
        }
    }

    /// The sum over ranks less than this.
    fn below(&self, rank: u32) -> f64 {
        let mut at = rank as usize;
        let mut total = 0.0;
        while at > 0 {
            total += self.sums.get(at).copied().unwrap_or(0.0);
            at &= at - 1;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs, one by one.
    fn slow(of: &Ranked<'_>) -> Pairs {
        let mut out = Pairs::default();
        for i in (0..of.time.len()).filter(|i| of.event[*i]) {
            for j in (0..of.time.len()).filter(|j| *j != i) {
                let outlives = of.time[j] > of.time[i] || (of.time[j] == of.time[i] && !of.event[j]);
                if !outlives || (of.entry[j] > 0.0 && of.entry[j] >= of.time[i]) {
                    continue;
                }
                let w = of.weight[i] * of.weight[j] * of.factor[i];
                match of.risk[i].total_cmp(&of.risk[j]) {
                    std::cmp::Ordering::Greater => out.concordant += w,
                    std::cmp::Ordering::Less => out.discordant += w,
                    std::cmp::Ordering::Equal => out.tied += w,
                }
            }
        }
        out
    }

    #[test]
    fn the_tree_counts_what_all_pairs_count() {
        let mut state = 1_u64;
        let mut next = |n: u64| {
            state = crate::run::split_mix(state);
            (state % n) as f64
        };
        for n in [1_usize, 2, 5, 40, 90] {
            let time: Vec<f64> = (0..n).map(|_| 1.0 + next(12)).collect();
            let event: Vec<bool> = (0..n).map(|_| next(3) > 0.0).collect();
            let entry: Vec<f64> = time.iter().map(|t| (next(3) - 1.0).max(0.0).min(t - 1.0)).collect();
            let risk: Vec<f64> = (0..n).map(|_| next(9)).collect();
            let weight: Vec<f64> = (0..n).map(|_| next(4)).collect();
            let factor: Vec<f64> = (0..n).map(|_| next(3)).collect();
            let of = Ranked {
                time: &time,
                event: &event,
                entry: &entry,
                risk: &risk,
                weight: &weight,
                factor: &factor,
            };
            assert_eq!(pairs(&of), slow(&of));
        }
        assert_eq!(Pairs::default().index(), None);
    }
}
