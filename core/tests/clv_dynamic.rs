//! Covariates that change: against the static model, brute force and simulation.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::needless_range_loop)]

mod support;

use headwater::clv::dynamic::{
    Dynamic, DynamicDrawOptions, DynamicParetoNbd, DynamicParetoNbdModel, DynamicPosteriorOptions,
    DynamicPredictOptions, Sources,
};
use headwater::clv::posterior::{self, DrawPredictOptions, Method, Posterior, PosteriorOptions, Prior};
use headwater::clv::{self, Covariates, PredictOptions, PurchaseOptions, SummarizeOptions, When};
use headwater::column::{Columns, Data, Duration, Labels, Table, Values};
use headwater::model::{from_bytes, to_bytes};
use headwater::{Result, Run};
use support::draws::Draws;

const DAY: i64 = 86_400_000_000;
const START: i64 = 1_700_006_400_000_000 - 1_700_006_400_000_000 % DAY;

#[derive(Default)]
struct Market {
    customer: Vec<i64>,
    time: Vec<i64>,
    of: Vec<i64>,
    since: Vec<i64>,
    season: Vec<f64>,
    price: Vec<f64>,
}

impl Market {
    fn orders(&self) -> Columns {
        Columns::new().with("customer", self.customer.clone()).with("time", Data::times(self.time.clone()))
    }
    fn covariates(&self) -> Columns {
        Columns::new()
            .with("customer", self.of.clone())
            .with("time", Data::times(self.since.clone()))
            .with("season", self.season.clone())
            .with("price", self.price.clone())
    }
}

/// Season of each week: a third of the year is high.
fn season(week: usize) -> f64 {
    f64::from(u8::from(week % 18 < 6))
}

/// λ ~ Gamma(1.4, 9 weeks), μ ~ Gamma(1.3, 25 weeks); weekly pieces.
fn simulate(n: usize, weeks: usize, seed: u64, effects: [f64; 2]) -> Market {
    let mut draws = Draws::new(seed);
    let mut out = Market::default();
    for i in 0..n {
        let birth = (i % 7 + 7 * (i % 6)) as f64 / 7.0;
        let (rate, leave) = (draws.gamma(1.4) / 9.0, draws.gamma(1.3) / 25.0);
        let prices: Vec<f64> = (0..weeks + 30).map(|_| draws.normal()).collect();
        for (week, price) in prices.iter().enumerate() {
            out.of.push(i as i64);
            out.since.push(START + week as i64 * 7 * DAY);
            out.season.push(season(week));
            out.price.push(*price);
        }
        let push = |out: &mut Market, t: f64| {
            out.customer.push(i as i64);
            out.time.push(START + (t * 7.0 * DAY as f64) as i64);
        };
        push(&mut out, birth);
        // Exponentials along both clocks.
        let (mut to_buy, mut to_leave) = (draws.exponential(), draws.exponential());
        let mut t = birth;
        'life: for (week, price) in prices.iter().take(weeks).enumerate() {
            let end = (week + 1) as f64;
            while t < end {
                let buying = rate * (effects[0] * season(week)).exp();
                let leaving = leave * (effects[1] * price).exp();
                let (buy, go) = (t + to_buy / buying, t + to_leave / leaving);
                if go < buy.min(end) {
                    break 'life;
                }
                if buy < end {
                    push(&mut out, buy);
                    to_leave -= (buy - t) * leaving;
                    (t, to_buy) = (buy, draws.exponential());
                } else {
                    to_buy -= (end - t) * buying;
                    to_leave -= (end - t) * leaving;
                    t = end;
                }
            }
        }
    }
    out
}

fn sources(weeks: usize) -> Sources {
    Sources {
        grain: Duration::from_micros(3_600_000_000),
        observation_end: Some(When::Micros(START + weeks as i64 * 7 * DAY)),
        ..Sources::default()
    }
}

fn fit(market: &Market, weeks: usize, covariates: Covariates) -> Result<DynamicParetoNbdModel> {
    let how = DynamicParetoNbd {
        covariates,
        period: Duration::from_days(7),
        sources: sources(weeks),
        ..DynamicParetoNbd::default()
    };
    Ok(how.fit(&market.orders(), &market.covariates(), &Run::new())?.0)
}

/// A column of numbers, some of them missing.
fn optional(table: &Table, name: &str) -> Vec<Option<f64>> {
    let column = table.get(name).expect("a column");
    let Values::F64(values) = &column.values else { return Vec::new() };
    let there = |i: usize| column.valid.as_ref().is_none_or(|valid| valid[i]);
    values.iter().enumerate().map(|(i, value)| Some(*value).filter(|_| there(i))).collect()
}

#[test]
fn effects_are_recovered_within_their_errors() -> Result<()> {
    let market = simulate(1_200, 52, 4, [0.8, 0.5]);
    let model = fit(&market, 52, Covariates::new(["season", "price"], ["price"]))?;
    let found = model.effects();
    assert_eq!(found.names(), ["purchase:season", "purchase:price", "dropout:price"]);
    for ((c, error), truth) in found.coefficients().iter().zip(found.standard_errors()).zip([0.8, 0.0, 0.5]) {
        let error = error.expect("an error");
        assert!(error < 0.2 && (c.value - truth).abs() < 3.3 * error, "{} ± {error}, {truth}", c.value);
    }
    Ok(())
}

#[test]
fn covariates_that_do_not_change_are_the_static_model() -> Result<()> {
    let run = Run::new();
    let mut market = simulate(300, 40, 9, [0.0, 0.0]);
    // One price for each customer, told again every week.
    let prices = market.price.clone();
    let weeks = 70;
    for (i, price) in market.price.iter_mut().enumerate() {
        *price = prices[i - i % weeks];
    }
    let dynamic = fit(&market, 40, Covariates::new(["price"], ["price"]))?;
    let how = SummarizeOptions {
        period: Duration::from_days(7).into(),
        grain: Duration::from_micros(3_600_000_000).into(),
        observation_end: sources(40).observation_end,
        value: None,
        ..SummarizeOptions::default()
    };
    let rfm = clv::summarize(&market.orders(), &how, &run)?;
    let price = |label: &str| market.price[label.parse::<usize>().expect("a number") * weeks];
    let of_row: Vec<f64> =
        (0..rfm.len()).map(|row| price(&rfm.customer.get(row).expect("a customer"))).collect();
    let frame = Columns::from(rfm.table()).with("price", of_row);
    let options = PurchaseOptions {
        covariates: Some(Covariates::new(["price"], ["price"])),
        ..PurchaseOptions::default()
    };
    let (fixed, _) = clv::fit_purchases("clv.ParetoNBD", &frame, &options, &run)?;
    let effects = fixed.effects().expect("covariates");
    assert!(
        (dynamic.estimates().log_likelihood.unwrap() / fixed.estimates().log_likelihood.unwrap() - 1.0).abs()
            < 1e-10
    );
    for (a, b) in dynamic.effects().coefficients().iter().zip(effects.coefficients()) {
        assert!((a.value - b.value).abs() < 1e-6, "{} {}", a.value, b.value);
    }
    for (a, b) in dynamic.effects().standard_errors().iter().zip(effects.standard_errors()) {
        assert!((a.expect("an error") / b.expect("an error") - 1.0).abs() < 1e-5);
    }
    let ask = DynamicPredictOptions {
        periods: 26.0.into(),
        interval: Some(0.9),
        discount_rate: Some(0.01.into()),
        ahead: Some(9.0.into()),
        next_purchase: Some(0.3),
        rate: true,
        probabilities: Some(12),
        own_rates: true,
        log_likelihood: true,
        sources: sources(40),
    };
    let table = dynamic.predict(&market.orders(), &market.covariates(), &ask, &run)?.table();
    let ask = PredictOptions {
        periods: 26.0.into(),
        interval: Some(0.9),
        discount_rate: Some(0.01.into()),
        ahead: Some(9.0.into()),
        next_purchase: Some(0.3),
        rate: true,
        probabilities: Some(12),
        own_rates: true,
        log_likelihood: true,
        ..PredictOptions::default()
    };
    let of_fixed = clv::predict(&*fixed, &frame, &ask, &run)?.table();
    let names: Vec<&str> = of_fixed.columns()[1..].iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), 2 * 3 + 4 * 3 + 13 * 3 + 4 + 1);
    for name in names {
        let (a, b) = (optional(&table, name), optional(&of_fixed, name));
        assert_eq!(a.len(), 300, "{name}");
        for (a, b) in a.iter().zip(&b) {
            let same = match (a, b) {
                // The chance to have bought grows slowly where the level is hardly ever reached.
                (Some(a), Some(b)) => {
                    let near = if name.starts_with("next_purchase") { 1e-3 } else { 1e-5 };
                    (a - b).abs() < near * (1.0 + b.abs())
                }
                _ => a == b,
            };
            assert!(same, "{name}: {a:?} {b:?}");
        }
    }
    // Without discount, purchases for ever are not asked for.
    let ask = DynamicPredictOptions {
        periods: 26.0.into(),
        discount_rate: Some(0.0.into()),
        sources: sources(40),
        ..DynamicPredictOptions::default()
    };
    let table = dynamic.predict(&market.orders(), &market.covariates(), &ask, &run)?.table();
    assert_eq!(table.f64s("discounted_purchases"), table.f64s("expected_purchases"));
    assert!(table.f64s("residual_purchases").is_none());
    // A row that tells nothing new changes nothing but the last digits.
    let once = Market {
        of: (0..300).collect(),
        since: vec![START; 300],
        season: vec![0.0; 300],
        price: (0..300).map(|i| market.price[i * weeks]).collect(),
        customer: market.customer.clone(),
        time: market.time.clone(),
    };
    let again = fit(&once, 40, Covariates::new(["price"], ["price"]))?;
    assert!(
        (again.estimates().log_likelihood.unwrap() / dynamic.estimates().log_likelihood.unwrap() - 1.0).abs()
            < 1e-12
    );
    Ok(())
}

/// One customer by brute force: a fine grid of times of death.
struct Brute<'a> {
    buying: &'a dyn Fn(f64) -> f64,
    leaving: &'a dyn Fn(f64) -> f64,
    law: [f64; 4],
}

impl Brute<'_> {
    const STEP: f64 = 1.0 / 700.0;

    /// ∫ f over from … to by midpoints.
    fn clock(f: &dyn Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        let n = ((to - from) / Self::STEP).round() as usize;
        (0..n).map(|i| f(from + (i as f64 + 0.5) * Self::STEP) * Self::STEP).sum()
    }

    /// ln L less what is the same for alive and dead, and P(alive).
    fn told(&self, birth: f64, last: f64, end: f64, x: f64) -> (f64, f64) {
        let [r, alpha, s, beta] = self.law;
        let (mut a, mut d) = (Self::clock(self.buying, birth, last), Self::clock(self.leaving, birth, last));
        let n = ((end - last) / Self::STEP).round() as usize;
        let mut dead = 0.0;
        for i in 0..n {
            let t = last + (i as f64 + 0.5) * Self::STEP;
            let (p, q) = ((self.buying)(t) * Self::STEP, (self.leaving)(t) * Self::STEP);
            let (half_a, half_d) = (a + 0.5 * p, d + 0.5 * q);
            dead += s * q * (alpha + half_a).powf(-(r + x)) * (beta + half_d).powf(-(s + 1.0));
            (a, d) = (a + p, d + q);
        }
        let alive = (alpha + a).powf(-(r + x)) * (beta + d).powf(-s);
        ((alive + dead).ln(), alive / (alive + dead))
    }
}

#[test]
fn the_likelihood_and_predictions_are_those_of_brute_force() -> Result<()> {
    let run = Run::new();
    // Times on whole days, so that the grid of the brute force meets all of them.
    let mut market = simulate(60, 30, 12, [0.8, 0.5]);
    market.time.iter_mut().for_each(|t| *t -= (*t - START) % DAY);
    let how = DynamicParetoNbd {
        covariates: Covariates::new(["season"], ["price"]),
        period: Duration::from_days(7),
        sources: Sources { grain: Duration::from_days(1), ..sources(30) },
        ..DynamicParetoNbd::default()
    };
    let (model, _) = how.fit(&market.orders(), &market.covariates(), &run)?;
    let bytes = to_bytes(&model)?;
    let model: DynamicParetoNbdModel = from_bytes(&bytes)?;
    let effects: Vec<f64> = model.effects().coefficients().iter().map(|c| c.value).collect();
    let law: [f64; 4] = model.estimates().values.clone().try_into().expect("four");
    let ask = DynamicPredictOptions {
        periods: 10.0.into(),
        discount_rate: Some(0.01.into()),
        own_rates: true,
        sources: how.sources.clone(),
        ..DynamicPredictOptions::default()
    };
    let table = model.predict(&market.orders(), &market.covariates(), &ask, &run)?.table();
    // The means over the time that customers lived, as the model has them: two customers of equal
    // history tell them apart from a shift of α and β, so they are found from the file.
    let text = String::from_utf8(bytes).expect("JSON");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mean = |at: usize| value["model"]["effects"]["terms"][at]["number"]["mean"].as_f64().expect("a mean");
    let mut whole = 0.0;
    for i in 0..60_usize {
        let week = |t: f64| (t.floor() as usize).min(59);
        let buying = |t: f64| (effects[0] * (season(week(t)) - mean(0))).exp();
        let leaving = |t: f64| (effects[1] * (market.price[i * 60 + week(t)] - mean(1))).exp();
        let brute = Brute { buying: &buying, leaving: &leaving, law };
        let mut days: Vec<i64> = (0..market.time.len())
            .filter(|row| market.customer[*row] == i as i64)
            .map(|row| (market.time[row] - START) / DAY)
            .collect();
        days.dedup();
        let t = |day: i64| day as f64 / 7.0;
        let (birth, last, x) = (t(days[0]), t(days[days.len() - 1]), days.len() as f64 - 1.0);
        let (value, alive) = brute.told(birth, last, 30.0, x);
        let [r, alpha, s, beta] = law;
        let rising: f64 = (0..days.len() - 1).map(|j| (r + j as f64).ln()).sum();
        let bought: f64 = days[1..].iter().map(|d| buying(t(*d) + 1e-9).ln()).sum();
        whole += value + rising + r * alpha.ln() + s * beta.ln() + bought;
        let told = |name: &str| table.f64s(name).expect("a column")[i];
        assert!((told("p_alive") - alive).abs() < 1e-5, "{i}: {} {alive}", told("p_alive"));
        // One more of a shape is the mean of its rate.
        let more = |at: usize| {
            let mut law = law;
            law[at] += 1.0;
            Brute { buying: &buying, leaving: &leaving, law }.told(birth, last, 30.0, x).0 - value
        };
        let (rate, left) = ((law[0] + x) * more(0).exp(), law[2] * more(2).exp());
        assert!((told("own_rate") / (rate * buying(30.0)) - 1.0).abs() < 1e-4, "{i}");
        assert!((told("own_dropout") / (left * leaving(30.0)) - 1.0).abs() < 1e-4, "{i}");
        // E of what comes: the rate's mean, and survival on a grid.
        let (a, d) = (Brute::clock(&buying, birth, 30.0), Brute::clock(&leaving, birth, 30.0));
        let (mut expected, mut discounted, mut gone) = (0.0, 0.0, 0.0);
        for step in 0..7_000 {
            let t = 30.0 + (step as f64 + 0.5) * Brute::STEP;
            let half = gone + 0.5 * leaving(t) * Brute::STEP;
            let part = buying(t) * Brute::STEP * ((beta + d) / (beta + d + half)).powf(s);
            expected += part;
            discounted += part * 1.01_f64.powf(-(t - 30.0));
            gone += leaving(t) * Brute::STEP;
        }
        let pace = alive * (r + x) / (alpha + a);
        assert!((told("expected_purchases") / (pace * expected) - 1.0).abs() < 1e-5);
        assert!((told("discounted_purchases") / (pace * discounted) - 1.0).abs() < 1e-5);
    }
    assert!((whole / model.estimates().log_likelihood.unwrap() - 1.0).abs() < 1e-5, "{whole}");
    Ok(())
}

#[test]
fn what_is_said_of_the_future_hangs_together() -> Result<()> {
    let run = Run::new();
    let market = simulate(80, 30, 12, [0.8, 0.5]);
    let model = fit(&market, 30, Covariates::new(["season"], ["price"]))?;
    let ask = |weeks: usize, change: &dyn Fn(&mut DynamicPredictOptions)| -> Result<Table> {
        let mut ask = DynamicPredictOptions { sources: sources(weeks), ..DynamicPredictOptions::default() };
        change(&mut ask);
        // What came later is not known.
        Ok(model.predict(&market.orders(), &market.covariates(), &ask, &run)?.table())
    };
    let column = |table: &Table, name: &str| table.f64s(name).expect("a column").to_vec();
    let now = ask(30, &|ask| {
        (ask.periods, ask.ahead, ask.probabilities) = (20.0.into(), Some(20.0.into()), Some(200));
        (ask.log_likelihood, ask.next_purchase) = (true, Some(0.1));
        ask.discount_rate = Some(0.03.into());
    })?;
    // A customer who is watched for twenty weeks more and does not buy.
    let later = ask(50, &|ask| ask.log_likelihood = true)?;
    let (before, after) = (column(&now, "log_likelihood"), column(&later, "log_likelihood"));
    for (i, none) in column(&now, "probability_0").into_iter().enumerate() {
        assert!(((after[i] - before[i]).exp() / none - 1.0).abs() < 1e-9, "{i}: {none}");
    }
    // The mean of the distribution.
    let mass: Vec<Vec<f64>> = (0..=200).map(|n| column(&now, &format!("probability_{n}"))).collect();
    for (i, expected) in column(&now, "expected_purchases").into_iter().enumerate() {
        let (mut whole, mut mean) = (0.0, 0.0);
        for (n, mass) in mass.iter().enumerate() {
            (whole, mean) = (whole + mass[i], mean + n as f64 * mass[i]);
        }
        assert!((whole - 1.0).abs() < 1e-9 && (mean / expected - 1.0).abs() < 1e-8, "{i}: {whole} {mean}");
    }
    // Purchases for ever are those of a long time.
    let long = ask(30, &|ask| {
        (ask.periods, ask.discount_rate, ask.rate) = (1000.0.into(), Some(0.03.into()), true);
    })?;
    let whole = column(&now, "residual_purchases");
    for (i, long) in column(&long, "discounted_purchases").into_iter().enumerate() {
        assert!((long / whole[i] - 1.0).abs() < 1e-9, "{i}: {long} {}", whole[i]);
    }
    let ends = ask(30, &|ask| ask.periods = 20.0.into())?;
    assert_eq!(column(&ends, "p_alive"), column(&now, "p_alive"));
    // The chance to have bought by then is the level, whatever holds until then.
    let mut met = 0;
    for (i, time) in optional(&now, "next_purchase").into_iter().enumerate() {
        let alive = column(&now, "p_alive")[i];
        let Some(time) = time else {
            assert!(alive < 0.5, "{i}: {alive}");
            continue;
        };
        if i % 8 == 0 {
            let then = ask(30, &|ask| (ask.periods, ask.probabilities) = (time.into(), Some(0)))?;
            assert!((column(&then, "probability_0")[i] - 0.9).abs() < 1e-7, "{i}: {time}");
            met += 1;
        }
    }
    assert!(met > 3);
    // At the pace of the first moments.
    let soon = ask(30, &|ask| ask.periods = 1e-4.into())?;
    for (i, expected) in column(&soon, "expected_purchases").into_iter().enumerate() {
        let rate = column(&long, "purchase_rate")[i] * column(&long, "p_alive")[i];
        assert!((expected / (1e-4 * rate) - 1.0).abs() < 1e-3, "{i}");
    }
    // Alive later: those who are now, and live on.
    let sure = ask(50, &|_| ())?;
    let (now_alive, then) = (column(&now, "p_alive_ahead"), column(&sure, "p_alive"));
    for (i, none) in column(&now, "probability_0").into_iter().enumerate() {
        // Of those who do not buy, fewer live; of all at most that many.
        assert!(then[i] * none <= now_alive[i] + 1e-12 && now_alive[i] <= 1.0, "{i}");
    }
    Ok(())
}

#[test]
fn new_customers_follow_the_seasons_to_come() -> Result<()> {
    let run = Run::new();
    let market = simulate(400, 40, 21, [0.9, 0.0]);
    let model = fit(&market, 40, Covariates::new(["season"], []))?;
    let born = |season: [f64; 2]| {
        Columns::new()
            .with("customer", vec!["early", "early", "late", "late"])
            .with("time", Data::times(vec![START, START + 70 * DAY, START, START + 70 * DAY]))
            .with("season", vec![season[0], season[1], season[1], season[0]])
    };
    let ask = DynamicPredictOptions { periods: 20.0.into(), ..DynamicPredictOptions::default() };
    let table = model.new_customers(&born([1.0, 0.0]), &ask, &run)?.table();
    let expected = table.f64s("expected_purchases").expect("a column");
    // More of them live through an early season than through a late one.
    assert!(expected[0] > expected[1]);
    assert_eq!(table.f64s("p_alive").expect("a column")[0], table.f64s("p_alive").expect("a column")[1]);
    // Ids are those that were given.
    let numbers = Columns::new()
        .with("customer", vec![30, 30, 4, 4])
        .with("time", Data::times(vec![START, START + 70 * DAY, START, START + 70 * DAY]))
        .with("season", vec![1.0, 0.0, 0.0, 1.0]);
    let ask = DynamicPredictOptions { ahead: Some(20.0.into()), ..ask };
    let found = model.new_customers(&numbers, &ask, &run)?.table();
    let numeric = |table: &Table| match table.get("customer").map(|column| &column.values) {
        Some(Values::Names(names)) => matches!(*names.labels, Labels::Int(_)),
        _ => false,
    };
    assert_eq!(found.f64s("p_alive_ahead"), found.f64s("p_alive"));
    assert!(numeric(&found) && !numeric(&table));
    let of = |table: &Table, id: &str| {
        let Some(Values::Names(names)) = table.get("customer").map(|column| &column.values) else {
            return None;
        };
        let row = (0..names.len()).find(|row| names.get(*row).as_deref() == Some(id))?;
        Some(table.f64s("expected_purchases")?[row])
    };
    assert_eq!(of(&found, "30"), of(&table, "early"));
    assert_eq!(of(&found, "4"), of(&table, "late"));
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let run = Run::new();
    let market = simulate(40, 30, 2, [0.5, 0.0]);
    let how = DynamicParetoNbd {
        covariates: Covariates::new(["season"], []),
        sources: sources(30),
        period: Duration::from_days(7),
        ..DynamicParetoNbd::default()
    };
    let message = |covariates: Columns| match how.fit(&market.orders(), &covariates, &run) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let part = |keep: &dyn Fn(usize) -> bool| {
        let rows: Vec<usize> = (0..market.of.len()).filter(|i| keep(*i)).collect();
        Columns::new()
            .with("customer", rows.iter().map(|i| market.of[*i]).collect::<Vec<_>>())
            .with("time", Data::times(rows.iter().map(|i| market.since[*i]).collect()))
            .with("season", rows.iter().map(|i| market.season[*i]).collect::<Vec<_>>())
    };
    assert!(message(part(&|i| market.of[i] != 7)).contains("`7`"));
    assert!(
        message(part(&|i| market.of[i] != 7 || market.since[i] > START + 200 * DAY))
            .contains("after the first")
    );
    let mut twice = Market { of: market.of.clone(), since: market.since.clone(), ..Market::default() };
    (twice.season, twice.price) = (vec![1.0; market.of.len()], market.price.clone());
    assert!(message(twice.covariates()).contains("same in every row"));
    twice.since[1] = twice.since[0];
    assert!(message(twice.covariates()).contains("two rows"));
}

#[test]
fn draws_are_about_the_fit_and_predict_as_models_of_each() -> Result<()> {
    let run = Run::new();
    let market = simulate(150, 40, 31, [0.9, 0.4]);
    let (orders, along) = (market.orders(), market.covariates());
    let how = DynamicParetoNbd {
        covariates: Covariates::new(["season"], ["price"]),
        period: Duration::from_days(7),
        sources: sources(40),
        ..DynamicParetoNbd::default()
    };
    let (model, _) = how.fit(&orders, &along, &run)?;
    let flat = DynamicPosteriorOptions { prior: Prior::Flat, draws: 1500, chains: 2, ..Default::default() };
    let (laplace, _) = how.posterior(Method::Laplace, &orders, &along, &flat, &run)?;
    let again = how.posterior(Method::Laplace, &orders, &along, &flat, &Run::new().threads(1))?.0;
    assert_eq!(laplace, again);
    assert_eq!(laplace.parameters()[4..], ["purchase:season", "dropout:price"]);
    let coefficients = model.effects().coefficients().iter().map(|c| c.value);
    let values: Vec<f64> = model.estimates().values.iter().copied().chain(coefficients).collect();
    for (found, wanted) in laplace.estimate().iter().zip(&values) {
        assert!((found / wanted - 1.0).abs() < 1e-4, "{found} {wanted}");
    }
    // Errors are those of the fit: on log parameters, and on coefficients.
    let moments = |of: &Posterior, i: usize| {
        let logs: Vec<f64> = of.draws().map(|draw| if i < 4 { draw[i].ln() } else { draw[i] }).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let square = logs.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / logs.len() as f64;
        (mean, square.sqrt())
    };
    let covariance = model.effects().covariance();
    for i in 0..6 {
        let sd = covariance[i][i].sqrt();
        let (mean, spread) = moments(&laplace, i);
        let wanted = if i < 4 { values[i].ln() } else { values[i] };
        assert!((spread / sd - 1.0).abs() < 0.08, "{i}: {spread} {sd}");
        assert!((mean - wanted).abs() < 0.1 * sd, "{i}: {mean} {wanted}");
    }
    // Three draws say the mean of what three models say.
    let laplace: Posterior = from_bytes(&to_bytes(&laplace)?)?;
    let few = DynamicDrawOptions {
        periods: 10.0.into(),
        most_draws: 3,
        next_purchase: Some(0.2),
        discount_rate: Some(0.01.into()),
        probabilities: Some(2),
        ahead: Some(4.0.into()),
        rate: true,
        sources: sources(40),
        ..DynamicDrawOptions::default()
    };
    let told = laplace.predict_along(&orders, &along, &few, &run)?.table();
    assert_eq!(told, laplace.predict_along(&orders, &along, &few, &Run::new().threads(1))?.table());
    let file = serde_json::to_value(&model).expect("JSON");
    let total = laplace.len();
    let mut sums = vec![vec![0.0; told.rows()]; 5];
    let names = ["expected_purchases", "p_alive", "residual_purchases", "probability_1", "purchase_rate"];
    for draw in (0..3).map(|i| laplace.draws().nth((i * total + total / 2) / 3).expect("a draw").to_vec()) {
        let mut file = file.clone();
        file["estimates"]["values"] = draw[..4].into();
        for (i, value) in draw[4..].iter().enumerate() {
            file["effects"]["coefficients"][i]["value"] = (*value).into();
        }
        let drawn: DynamicParetoNbdModel = serde_json::from_value(file).expect("a model");
        let ask = DynamicPredictOptions {
            periods: 10.0.into(),
            discount_rate: Some(0.01.into()),
            probabilities: Some(2),
            rate: true,
            sources: sources(40),
            ..DynamicPredictOptions::default()
        };
        let one = drawn.predict(&orders, &along, &ask, &run)?.table();
        for (sum, name) in sums.iter_mut().zip(names) {
            sum.iter_mut()
                .zip(one.f64s(name).expect("a column"))
                .for_each(|(sum, value)| *sum += value / 3.0);
        }
    }
    for (sum, name) in sums.iter().zip(names) {
        for (wanted, found) in sum.iter().zip(told.f64s(name).expect("a column")) {
            assert!((wanted - found).abs() < 1e-9 * (1.0 + wanted), "{name}: {wanted} {found}");
        }
    }
    // What rows of one frame cannot tell is refused.
    let refused = |error: Option<headwater::Error>| error.map_or_else(String::new, |e| e.to_string());
    let frame = Columns::new().with("customer", vec!["a"]);
    assert!(
        refused(laplace.predict(&frame, &DrawPredictOptions::default(), &run).err())
            .contains("predict_along")
    );
    let kind = "DynamicParetoNBD";
    assert!(
        refused(posterior::laplace(kind, &frame, &PosteriorOptions::default(), &run).err())
            .contains("orders")
    );
    let shrunk = DynamicParetoNbd { penalty: 0.1, ..how.clone() };
    let error = shrunk.posterior(Method::Laplace, &orders, &along, &flat, &run).err();
    assert!(refused(error).contains("`penalty`"));
    let error = Dynamic::posterior("laplace", &orders, &along, r#"{"replicates": 3}"#, &run).err();
    assert!(refused(error).contains("`replicates`"));
    Ok(())
}

#[test]
fn chains_and_refits_agree_with_the_curvature() -> Result<()> {
    let run = Run::new();
    let market = simulate(60, 24, 8, [0.9, 0.0]);
    let (orders, along) = (market.orders(), market.covariates());
    let how = DynamicParetoNbd {
        covariates: Covariates::new(["season"], []),
        period: Duration::from_days(7),
        sources: sources(24),
        ..DynamicParetoNbd::default()
    };
    let ask = DynamicPosteriorOptions { draws: 150, chains: 2, tune: 100, ..Default::default() };
    let (nuts, _) = how.posterior(Method::Nuts, &orders, &along, &ask, &run)?;
    let (laplace, _) = how.posterior(Method::Laplace, &orders, &along, &ask, &run)?;
    let (refits, _) = DynamicParetoNbd { penalty: 0.01, ..how }.bootstrap(&orders, &along, 40, &run)?;
    assert!(nuts.divergences() < 10 && refits.failed() < 10);
    let moments = |of: &Posterior| {
        let all: Vec<f64> = of.draws().map(|draw| draw[4]).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (mean, (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt())
    };
    let (mean, sd) = moments(&laplace);
    for other in [&nuts, &refits] {
        let (found, spread) = moments(other);
        assert!((found - mean).abs() < 0.6 * sd, "{found} {mean} ± {sd}");
        assert!((0.6..1.6).contains(&(spread / sd)), "{spread} {sd}");
    }
    Ok(())
}
