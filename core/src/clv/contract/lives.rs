//! Customers by how long they stayed, so that some can be drawn again.

use super::LifeTable;
use super::life::Life;

/// Distinct lives, how many customers had each, and their life table.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    each: Vec<Life>,
    weight: Vec<f64>,
    life: LifeTable,
}

impl Lives {
    /// Those that tell anything, in an order of their own.
    pub(super) fn of(lives: Vec<(Life, f64)>) -> Self {
        let lives = Self::distinct(lives);
        let life = LifeTable::of(lives.len(), |i| lives[i]);
        let (each, weight) = lives.into_iter().unzip();
        Self { each, weight, life }
    }

    /// The distinct ones of those that tell anything, in an order of their own, and how many had each.
    pub(super) fn distinct(mut lives: Vec<(Life, f64)>) -> Vec<(Life, f64)> {
        lives.retain(|((duration, event, entry), weight)| *weight > 0.0 && (*event || duration > entry));
        lives.sort_by(|(a, of_a), (b, of_b)| {
            let times = a.2.total_cmp(&b.2).then(a.0.total_cmp(&b.0));
            times.then(a.1.cmp(&b.1)).then(of_a.total_cmp(of_b))
        });
        lives.dedup_by(|(next, more), (life, weight)| {
            let same = next == life;
            if same {
                *weight += *more;
            }
            same
        });
        lives
    }

    pub(crate) fn life(&self) -> &LifeTable {
        &self.life
    }

    pub(crate) fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// The same lives of other weights.
    pub(crate) fn reweighted(&self, weight: &[f64]) -> Self {
        Self::of(self.each.iter().copied().zip(weight.iter().copied()).collect())
    }

    /// The lives of several.
    pub(crate) fn together(parts: &[Self]) -> Self {
        let each =
            |part: &Self| part.each.iter().copied().zip(part.weight.iter().copied()).collect::<Vec<_>>();
        Self::of(parts.iter().flat_map(each).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Result;

    #[test]
    fn cohorts_are_their_customers() -> Result<()> {
        let survivors: [(&[f64], usize); 4] =
            [(&[10.0, 7.0, 7.0, 4.0], 0), (&[6.0, 3.0], 2), (&[5.0, 5.0, 0.0, 0.0], 0), (&[3.0], 1)];
        let (mut life, mut lives) = (LifeTable::default(), Vec::new());
        for (survivors, first) in survivors {
            let table = LifeTable::from_survivors(survivors, first)?;
            life.merge(&table);
            lives.extend(table.lives());
        }
        let lives = Lives::of(lives);
        assert_eq!(*lives.life(), life);
        // Twice as many of each.
        let doubled: Vec<f64> = lives.weight().iter().map(|w| 2.0 * w).collect();
        life.merge(&life.clone());
        assert_eq!(*lives.reweighted(&doubled).life(), life);
        Ok(())
    }
}
