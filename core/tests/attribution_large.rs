//! Markov chains of thousands of states, against elimination and plain iteration.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;

use headwater::attribution::{Markov, MarkovModel};
use headwater::journey::Journeys;
use headwater::math::solve::AbsorbingChain;
use headwater::run::Run;

mod support;

use support::draws::Draws;
use support::paths::journeys;

fn fit(markov: &Markov, journeys: &Journeys) -> MarkovModel {
    markov.fit(journeys, &Run::new()).unwrap()
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs()
}

/// Whole numbers below the one given.
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut draws = Draws::new(seed);
    move |of| (draws.uniform() * of as f64) as u64
}

/// The chain that a model tells in its table of transitions.
struct Walks {
    places: BTreeMap<String, usize>,
    edges: Vec<(u32, u32, f64)>,
    conversions: Vec<f64>,
    leave: Vec<f64>,
}

impl Walks {
    fn of(model: &MarkovModel) -> Self {
        let table = model.transitions();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for row in 0..table.rows() {
            let next = places.len();
            places.entry(table.text("from", row).unwrap().into_owned()).or_insert(next);
        }
        let n = places.len();
        let (mut edges, mut conversions, mut leave) = (Vec::new(), vec![0.0; n], vec![0.0; n]);
        for row in 0..table.rows() {
            let from = places[table.text("from", row).unwrap().as_ref()];
            let count = table.f64s("count").unwrap()[row];
            match table.text("to", row).unwrap().as_ref() {
                "(conversion)" => {
                    conversions[from] = count;
                    leave[from] += count;
                }
                "(null)" => leave[from] += count,
                to => edges.push((from as u32, places[to] as u32, count)),
            }
        }
        edges.sort_by_key(|e| (e.0, e.1));
        Self { places, edges, conversions, leave }
    }

    /// The probability of converting from the start when walks into some states are lost:
    /// 300 steps of every walk, of which all but one in 10^29 have ended by then.
    fn worth(&self, gone: impl Fn(&str) -> bool) -> f64 {
        let n = self.places.len();
        let mut out = self.leave.clone();
        self.edges.iter().for_each(|(i, _, w)| out[*i as usize] += w);
        let mut kept = vec![true; n];
        self.places.iter().for_each(|(name, at)| kept[*at] = !gone(name));
        let mut x = vec![0.0; n];
        for _ in 0..300 {
            let mut next = self.conversions.clone();
            for (i, j, w) in self.edges.iter().filter(|(_, j, _)| kept[*j as usize]) {
                next[*i as usize] += w * x[*j as usize];
            }
            next.iter_mut().zip(&out).for_each(|(v, out)| *v /= out);
            x = next;
        }
        x[self.places["(start)"]]
    }
}

/// 20 channels, paths of 10,000 touches: 8,000 states, left once in 10,000 steps.
#[test]
fn paths_of_ten_thousand_touches_at_order_three() {
    let mut draw = draws(3);
    let rows: Vec<(String, f64, f64, f64)> = (0..30)
        .map(|i| {
            let path: Vec<String> = (0..10_000).map(|_| format!("c{:02}", draw(20))).collect();
            (path.join(" > "), f64::from(i % 3), f64::from(i % 2) + 1.0, f64::from(i % 3) * 7.5)
        })
        .collect();
    let j = journeys(&rows).unwrap();
    let model = fit(&Markov { order: 3, ..Markov::default() }, &j);
    let whole = j.total_conversions() / (j.total_conversions() + j.total_nulls());
    assert!(close(model.conversion_probability(), whole, 1e-10));
    // Everyone meets every channel within some tens of steps.
    assert!(model.removal_effects().iter().all(|e| *e > 0.99 && *e <= 1.0));
}

/// Effects of a large chain against eliminating it without each channel, and
/// the same of walks that go round for hundreds of touches.
#[test]
fn large_chains_are_those_of_elimination() {
    let mut draw = draws(11);
    for (journeys_, longest) in [(3_000, 9), (60, 900)] {
        let rows: Vec<(String, f64, f64, f64)> = (0..journeys_)
            .map(|_| {
                let path: Vec<String> =
                    (0..=draw(longest)).map(|_| format!("c{:02}", draw(18) * draw(18) / 17)).collect();
                let c = draw(3) as f64;
                (path.join(" > "), c, draw(4) as f64 + 1.0, c * (draw(9) as f64 - 2.0))
            })
            .collect();
        let j = journeys(&rows).unwrap();
        let model = fit(&Markov { order: 2, ..Markov::default() }, &j);
        let Walks { places, edges, conversions, leave } = Walks::of(&model);
        let n = places.len();
        assert!(n > 250, "{n} states");
        let chain = AbsorbingChain::new(edges, leave.clone()).unwrap();
        let start = places["(start)"];
        let whole = chain.factor(None, &Run::new()).unwrap().solve(&conversions)[start];
        let channels = &model.states(&Run::new()).unwrap()[1].1;
        for (c, label) in model.channels().iter().enumerate() {
            let mut gone = vec![false; n];
            places.iter().for_each(|(name, at)| gone[*at] = name.split(" > ").any(|part| part == label));
            let left = chain.factor(Some(&gone), &Run::new()).unwrap();
            let exact = 1.0 - left.solve(&conversions)[start] / whole;
            assert!((model.removal_effects()[c] - exact).abs() < 1e-11, "{label}");
            // Of channels taken out in step and one by one.
            assert!(
                (channels.f64s("conversion_share").unwrap()[c] - model.removal_effects()[c]).abs() < 1e-13
            );
            // Who does not come there ends without.
            let met = 1.0 - left.solve(&leave)[start];
            assert!((channels.f64s("probability").unwrap()[c] - met).abs() < 1e-11, "{label}");
        }
        assert_eq!(fit(&Markov { order: 2, ..Markov::default() }, &j), model);
    }
}

/// Too many states to eliminate: sweeps must answer, whatever the weights of the journeys are.
#[test]
fn chains_too_large_to_eliminate_are_solved() {
    let mut draw = draws(7);
    let mut paths: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for _ in 0..150_000 {
        // The first channel is met eight times as often as the last, so states differ in weight by hundreds.
        let mut path = vec![format!("c{:02}", draw(1_000).pow(2) * 15 / 1_000_000)];
        while draw(10) < 8 {
            path.push(format!("c{:02}", draw(1_000).pow(2) * 15 / 1_000_000));
        }
        paths.entry(path.join(" > ")).or_default()[usize::from(draw(10) == 0)] += 1.0;
    }
    let times = |by: f64| {
        let rows: Vec<(&String, f64, f64, f64)> =
            paths.iter().map(|(path, [nulls, won])| (path, won * by, nulls * by, won * by)).collect();
        fit(&Markov { order: 3, ..Markov::default() }, &journeys(&rows).unwrap())
    };
    let model = times(1.0);
    assert_eq!(times(1_048_576.0).removal_effects(), model.removal_effects());

    let chain = Walks::of(&model);
    assert!(chain.places.len() > 3_001, "{} states", chain.places.len());
    let whole = chain.worth(|_| false);
    assert!(close(model.conversion_probability(), whole, 1e-11));
    for c in [0, 7, 14] {
        let label = &model.channels()[c];
        let left = chain.worth(|name| name.split(" > ").any(|part| part == label));
        assert!((model.removal_effects()[c] - (1.0 - left / whole)).abs() < 1e-10, "{label}");
    }
}
