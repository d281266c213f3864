//! What follows what, as a graph, and how two groups differ in it.

use serde::{Deserialize, Serialize};

use super::cells::{MOST, tally};
use super::stats::{ratio, two_sided};
use super::{CONVERSION, Journeys, NULL_END, Report, START, Weighing};
use crate::column::{Table, Text, Values};
use crate::journey::Repeats;
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::graph`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphOptions {
    /// Edges that a smaller share of the journeys takes are left out, and counted. Default 0.
    pub min_share: f64,
    /// The same channel several times in a row.
    pub repeats: Repeats,
    /// Which journeys count.
    pub weights: Weighing,
}

/// Options of [`Journeys::graph_difference`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceOptions {
    /// Edges that a smaller share of either group takes are left out. Default 0.
    pub min_share: f64,
    /// The same channel several times in a row.
    pub repeats: Repeats,
}

/// Everything counted: squares over channels, start, conversion and null.
struct Counted {
    names: Vec<String>,
    /// Journeys with a touch.
    whole: f64,
    count: Vec<f64>,
    journeys: Vec<f64>,
    customers: Vec<f64>,
    /// Of each node: touches, journeys, customers.
    nodes: Vec<[f64; 3]>,
    timed: bool,
}

/// Which journey and which customer was last seen on an edge or node, counted from 1.
struct Seen {
    journey: Vec<u32>,
    customer: Vec<u32>,
}

impl Counted {
    fn new(journeys: &Journeys, repeats: Repeats, weights: Weighing, run: &Run) -> Result<Self> {
        let n = journeys.channel_count;
        let width = n + 3;
        let square = width * width;
        if square > MOST / 4 {
            return Err(Error::option(
                "report",
                format!("{n} channels are too many for a graph: merge rare ones"),
            ));
        }
        let edge = |from: usize, to: usize| from * width + to;
        let (start, conversion, null) = (n, n + 1, n + 2);
        // The loop of the start on itself is an edge that no path has: it counts all journeys.
        let room = || Seen { journey: vec![0; square + width], customer: vec![0; square + width] };
        let all = square + width;
        let sums = tally(journeys, "count transitions", 3 * all, run, room, |range, seen, add| {
            for j in range {
                let path = journeys.path(j);
                let weight = journeys.weight(j, weights);
                if path.is_empty() || weight <= 0.0 {
                    continue;
                }
                let customer = journeys.customer.get(j).map_or(0, |c| c + 1);
                let mut visit = |cell: usize, weight: f64, add: &mut dyn FnMut(usize, f64)| {
                    add(cell, weight);
                    if seen.journey[cell] != j as u32 + 1 {
                        seen.journey[cell] = j as u32 + 1;
                        add(all + cell, weight);
                        if customer > 0 && seen.customer[cell] != customer {
                            seen.customer[cell] = customer;
                            add(2 * all + cell, 1.0);
                        }
                    }
                };
                let mut last = start;
                for c in path {
                    let c = *c as usize;
                    if c == last && repeats == Repeats::Collapse {
                        continue;
                    }
                    visit(edge(last, c), weight, add);
                    visit(square + c, weight, add);
                    last = c;
                }
                visit(edge(start, start), weight, add);
                let ends = match weights {
                    Weighing::All => [journeys.conversions[j], journeys.nulls[j]],
                    Weighing::Conversions => [weight, 0.0],
                    Weighing::Nulls => [0.0, weight],
                };
                for (end, weight) in [conversion, null].into_iter().zip(ends).filter(|(_, w)| *w > 0.0) {
                    visit(edge(last, end), weight, add);
                }
            }
        })?;
        let mut names = journeys.channel_labels();
        names.extend([START, CONVERSION, NULL_END].map(String::from));
        let part = |k: usize| sums[k * all..k * all + square].to_vec();
        let (mut count, mut took, mut customers) = (part(0), part(1), part(2));
        let whole = std::mem::take(&mut took[edge(start, start)]);
        count[edge(start, start)] = 0.0;
        customers[edge(start, start)] = 0.0;
        let nodes = (0..n).map(|c| [0, 1, 2].map(|k| sums[k * all + square + c])).collect();
        Ok(Self { names, whole, count, journeys: took, customers, nodes, timed: journeys.timed })
    }

    fn width(&self) -> usize {
        self.names.len()
    }

    fn leaving(&self, from: usize) -> f64 {
        let width = self.width();
        crate::math::exact_sum(self.count[from * width..(from + 1) * width].iter().copied())
    }

    fn entering(&self, to: usize) -> f64 {
        crate::math::exact_sum(self.count.iter().skip(to).step_by(self.width()).copied())
    }
}

/// Checks a share.
fn share(option: &str, x: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&x) {
        return Ok(x);
    }
    Err(Error::option(option, format!("must lie between 0 and 1, not be {x}")))
}

impl Journeys {
    /// The transition graph, as tables of edges and nodes.
    ///
    /// Tables: `edges`: from, to, count, p_out (of the transitions out of
    /// `from`), p_in (of those into `to`), journeys (that take the edge at
    /// least once), journey_share, customers (missing where journeys come from
    /// paths); paths begin at `(start)` and end at `(conversion)` or `(null)`.
    /// `nodes`: channel, count, journeys, journey_share, customers, starts,
    /// conversions, nulls (paths that begin and end there). `hidden`: one row,
    /// the number of edges below `min_share`, and their count.
    pub fn graph(&self, options: &GraphOptions, run: &Run) -> Result<Report> {
        let least = share("min_share", options.min_share)?;
        let found = Counted::new(self, options.repeats, options.weights, run)?;
        let width = found.width();
        let (n, names) = (width - 3, &found.names);
        let entering: Vec<f64> = (0..width).map(|to| found.entering(to)).collect();
        let (mut from, mut to) = (Text::new(), Text::new());
        let (mut cells, mut leaving) = (Vec::new(), Vec::new());
        let (mut hidden, mut lost) = (0, crate::math::ExactSum::new());
        // The start comes first, as it does in time.
        for a in std::iter::once(n).chain(0..n) {
            let out = found.leaving(a);
            for b in 0..width {
                let cell = a * width + b;
                if found.count[cell] <= 0.0 {
                    continue;
                }
                if found.journeys[cell] < least * found.whole {
                    hidden += 1;
                    lost.add(found.count[cell]);
                    continue;
                }
                from.push(&names[a]);
                to.push(&names[b]);
                cells.push(cell);
                leaving.push(out);
            }
        }
        let pick = |v: &[f64]| Values::F64(cells.iter().map(|c| v[*c]).collect());
        let known = |x: f64| found.timed.then_some(x);
        let counts = || cells.iter().map(|c| found.count[*c]);
        let edges = Table::new()
            .with("from", Values::Text(from))
            .with("to", Values::Text(to))
            .with("count", pick(&found.count))
            .with("p_out", Values::F64(counts().zip(&leaving).map(|(c, all)| c / all).collect()))
            .with("p_in", Values::F64(counts().zip(&cells).map(|(c, at)| c / entering[at % width]).collect()))
            .with("journeys", pick(&found.journeys))
            .with(
                "journey_share",
                Values::F64(cells.iter().map(|c| found.journeys[*c] / found.whole).collect()),
            )
            .with_optional("customers", cells.iter().map(|c| known(found.customers[*c])));
        let node = |k: usize| Values::F64(found.nodes.iter().map(|node| node[k]).collect());
        let along = |from: Option<usize>, to: usize| {
            Values::F64((0..n).map(|c| found.count[from.map_or(c * width + to, |f| f * width + c)]).collect())
        };
        let nodes = Table::new()
            .with("channel", self.channel_column())
            .with("count", node(0))
            .with("journeys", node(1))
            .with_optional("journey_share", found.nodes.iter().map(|node| ratio(node[1], found.whole)))
            .with_optional("customers", found.nodes.iter().map(|node| known(node[2])))
            .with("starts", along(Some(n), 0))
            .with("conversions", along(None, n + 1))
            .with("nulls", along(None, n + 2));
        let hidden = Table::new()
            .with("edges", Values::I64(vec![hidden]))
            .with("count", Values::F64(vec![lost.value()]));
        Ok(Report::new(vec![("edges", edges), ("nodes", nodes), ("hidden", hidden)]))
    }

    /// How the graphs of two groups differ: these journeys and `other`, or
    /// without it those of these that convert and those that do not.
    ///
    /// Table `graph_difference`: from, to, count_a, count_b, p_out_a, p_out_b,
    /// difference (a − b), journeys_a, journeys_b, took_a, took_b (the share of
    /// the journeys on `from` that take the edge), z, p_value, q_value; the
    /// most surprising first. The test compares `took_a` and `took_b`, as the
    /// transitions of one journey are not independent, with pooled variance;
    /// q_value is adjusted for the number of edges (Benjamini & Hochberg 1995).
    pub fn graph_difference(
        &self,
        other: Option<&Self>,
        options: &DifferenceOptions,
        run: &Run,
    ) -> Result<Report> {
        let least = share("min_share", options.min_share)?;
        let count = |of: &Self, weights| Counted::new(of, options.repeats, weights, run);
        let (a, b) = match other {
            Some(other) => (count(self, Weighing::All)?, count(other, Weighing::All)?),
            None => (count(self, Weighing::Conversions)?, count(self, Weighing::Nulls)?),
        };
        let mut names: Vec<&String> = a.names.iter().chain(&b.names).collect();
        names.sort_unstable();
        names.dedup();
        let places = |of: &Counted| -> Vec<Option<usize>> {
            let place = |name: &&String| of.names.iter().position(|n| n == *name);
            names.iter().map(place).collect()
        };
        let (in_a, in_b) = (places(&a), places(&b));
        let mut rows: Vec<Edge> = Vec::new();
        for from in 0..names.len() {
            let sides = [(&a, in_a[from]), (&b, in_b[from])];
            let out = sides.map(|(g, from)| from.map_or(0.0, |f| g.leaving(f)));
            let on = sides.map(|(g, from)| from.map_or(0.0, |f| g.nodes.get(f).map_or(g.whole, |n| n[1])));
            for to in 0..names.len() {
                let cell = [(&a, in_a[from], in_a[to]), (&b, in_b[from], in_b[to])];
                let at = |pick: fn(&Counted) -> &[f64]| {
                    cell.map(|(g, from, to)| match (from, to) {
                        (Some(from), Some(to)) => pick(g)[from * g.width() + to],
                        _ => 0.0,
                    })
                };
                let (count, took) = (at(|g| &g.count), at(|g| &g.journeys));
                let kept = took[0] >= least * a.whole || took[1] >= least * b.whole;
                if count[0] + count[1] > 0.0 && kept {
                    rows.push(Edge { from, to, count, out, took, on });
                }
            }
        }
        let p: Vec<Option<f64>> = rows.iter().map(|e| e.z().map(two_sided)).collect();
        let q = crate::math::benjamini_hochberg(&p);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let surprise = |i: usize| rows[i].z().map_or(0.0, f64::abs);
        order.sort_by(|i, j| surprise(*j).total_cmp(&surprise(*i)).then(i.cmp(j)));
        let text = |f: &dyn Fn(&Edge) -> usize| {
            Values::Text(order.iter().map(|i| names[f(&rows[*i])].as_str()).collect())
        };
        let number = |f: &dyn Fn(&Edge) -> f64| Values::F64(order.iter().map(|i| f(&rows[*i])).collect());
        let maybe = |f: &dyn Fn(&Edge) -> Option<f64>| order.iter().map(|i| f(&rows[*i])).collect::<Vec<_>>();
        let p_out = |e: &Edge, k: usize| ratio(e.count[k], e.out[k]);
        let table = Table::new()
            .with("from", text(&|e| e.from))
            .with("to", text(&|e| e.to))
            .with("count_a", number(&|e| e.count[0]))
            .with("count_b", number(&|e| e.count[1]))
            .with_optional("p_out_a", maybe(&|e| p_out(e, 0)))
            .with_optional("p_out_b", maybe(&|e| p_out(e, 1)))
            .with_optional("difference", maybe(&|e| Some(p_out(e, 0)? - p_out(e, 1)?)))
            .with("journeys_a", number(&|e| e.took[0]))
            .with("journeys_b", number(&|e| e.took[1]))
            .with_optional("took_a", maybe(&|e| ratio(e.took[0], e.on[0])))
            .with_optional("took_b", maybe(&|e| ratio(e.took[1], e.on[1])))
            .with_optional("z", maybe(&Edge::z))
            .with_optional("p_value", order.iter().map(|i| p[*i]))
            .with_optional("q_value", order.iter().map(|i| q[*i]));
        Ok(Report::new(vec![("graph_difference", table)]))
    }
}

/// One edge of two graphs.
struct Edge {
    from: usize,
    to: usize,
    count: [f64; 2],
    out: [f64; 2],
    took: [f64; 2],
    on: [f64; 2],
}

impl Edge {
    /// The standardised difference of the shares of journeys that take the edge.
    fn z(&self) -> Option<f64> {
        let (a, b) = (ratio(self.took[0], self.on[0])?, ratio(self.took[1], self.on[1])?);
        let pooled = (self.took[0] + self.took[1]) / (self.on[0] + self.on[1]);
        let variance = pooled * (1.0 - pooled) * (1.0 / self.on[0] + 1.0 / self.on[1]);
        (variance > 0.0).then(|| (a - b) / variance.sqrt())
    }
}
