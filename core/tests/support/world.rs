//! A small world of touches and orders, of which some are caused.

use headwater::Run;
use headwater::column::{Columns, DAY, Data};
use headwater::journey::{EventOptions, Journeys};

pub fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
}

pub fn exponential(state: &mut u64, mean: f64) -> f64 {
    -mean * headwater::math::ln(1.0 - uniform(state))
}

/// Touches (customer, day, channel, cost) and orders (customer, day, value).
#[derive(Default, Clone)]
pub struct World {
    pub touches: Vec<(String, f64, &'static str, f64)>,
    pub orders: Vec<(String, f64, f64)>,
    /// Orders that touches caused.
    pub caused: f64,
}

impl World {
    /// Touches and orders as frames.
    pub fn frames(&self) -> [Columns; 2] {
        let time = |d: f64| (d * DAY as f64) as i64;
        let touches = Columns::new()
            .with("customer", self.touches.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
            .with("time", Data::times(self.touches.iter().map(|t| time(t.1)).collect()))
            .with("channel", self.touches.iter().map(|t| t.2.to_owned()).collect::<Vec<_>>())
            .with(
                "campaign",
                self.touches.iter().map(|t| format!("{} {}", t.2, t.1 < 40.0)).collect::<Vec<_>>(),
            )
            .with("cost", self.touches.iter().map(|t| t.3).collect::<Vec<_>>());
        let orders = Columns::new()
            .with("customer", self.orders.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
            .with("time", Data::times(self.orders.iter().map(|t| time(t.1)).collect()))
            .with("value", self.orders.iter().map(|t| t.2).collect::<Vec<_>>());
        [touches, orders]
    }

    pub fn journeys(&self, options: &EventOptions) -> Journeys {
        let [touches, orders] = self.frames();
        let options =
            EventOptions { value: Some("value".into()), cost: Some("cost".into()), ..options.clone() };
        Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
    }
}

/// Chance touches of a and b; each of a causes an order with probability
/// `effect` after an exponential delay; b goes where people buy anyway.
pub fn world(people: u64, days: f64, effect: f64, delay: f64, seed: u64) -> World {
    world_by(people, days, |_| effect, delay, seed)
}

/// As [`world`], the effect being of the rate at which people buy anyway.
pub fn world_by(people: u64, days: f64, effect: impl Fn(f64) -> f64, delay: f64, seed: u64) -> World {
    let mut out = World::default();
    let mut s = seed;
    for i in 0..people {
        let name = format!("p{i}");
        let rate = if uniform(&mut s) < 0.4 { exponential(&mut s, 0.03) } else { 0.0 };
        let mut at = exponential(&mut s, 1.0 / rate.max(1e-9));
        while at < days {
            out.orders.push((name.clone(), at, 10.0));
            at += exponential(&mut s, 1.0 / rate);
        }
        for (channel, mean) in [("a", 20.0), ("b", 1.0 / (0.01 + 2.0 * rate))] {
            let mut at = exponential(&mut s, mean);
            while at < days {
                out.touches.push((name.clone(), at, channel, 0.5));
                if channel == "a" && uniform(&mut s) < effect(rate) {
                    let sold = at + exponential(&mut s, delay);
                    if sold < days {
                        out.caused += 1.0;
                        out.orders.push((name.clone(), sold, 10.0));
                    }
                }
                at += exponential(&mut s, mean);
            }
        }
    }
    out
}
