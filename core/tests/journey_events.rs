//! Everything that is known of events beyond who, when and through which
//! channel, against the definitions word for word.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::float_cmp, clippy::default_trait_access)]

use headwater::attribution::{AttributeOptions, Given, Model, attribute, touch_credits};
use headwater::column::{Columns, Data, Duration, Intake, Kind, OnInvalid, Sign, Tables, TimeUnit};
use headwater::journey::{
    AtConversion, Collapse, Direct, DuplicateOrders, EventOptions, Hierarchy, JourneyBuilder, Journeys,
    Moment, Open, SessionTouch, SharedTouch, Ties,
};
use headwater::run::Run;
use headwater::{Error, model, options};
use proptest::prelude::*;

const CHANNELS: [&str; 3] = ["a", "b", "Direct"];
const CAMPAIGNS: [&str; 2] = ["x", "y"];
const KINDS: [&str; 2] = ["purchase", "signup"];
const PLACES: [&str; 2] = ["online", "store"];

#[derive(Clone, Debug)]
struct Touch {
    customer: u8,
    time: i64,
    channel: usize,
    campaign: Option<usize>,
    view: Option<bool>,
    weight: u8,
}

#[derive(Clone, Debug)]
struct Sale {
    customer: u8,
    time: i64,
    value: u8,
    kind: usize,
    place: Option<usize>,
    order: Option<u8>,
}

fn touch_frame(touches: &[Touch]) -> Columns {
    let text = |f: &dyn Fn(&Touch) -> Option<String>| touches.iter().map(f).collect::<Vec<Option<String>>>();
    Columns::new()
        .with("customer", touches.iter().map(|t| format!("c{}", t.customer)).collect::<Vec<_>>())
        .with("time", touches.iter().map(|t| t.time).collect::<Vec<_>>())
        .with("channel", touches.iter().map(|t| CHANNELS[t.channel]).collect::<Vec<_>>())
        .with("campaign", text(&|t| t.campaign.map(|c| CAMPAIGNS[c].to_owned())))
        .with("kind", text(&|t| t.view.map(|v| if v { "imp".to_owned() } else { "click".to_owned() })))
        .with("weight", touches.iter().map(|t| f64::from(t.weight)).collect::<Vec<_>>())
        .with("cost", touches.iter().map(|t| 0.1 * t.time as f64).collect::<Vec<_>>())
}

fn sale_frame(sales: &[Sale]) -> Columns {
    let text = |f: &dyn Fn(&Sale) -> Option<String>| sales.iter().map(f).collect::<Vec<Option<String>>>();
    Columns::new()
        .with("customer", sales.iter().map(|s| format!("c{}", s.customer)).collect::<Vec<_>>())
        .with("time", sales.iter().map(|s| s.time).collect::<Vec<_>>())
        .with("value", sales.iter().map(|s| f64::from(s.value)).collect::<Vec<_>>())
        .with("event", sales.iter().map(|s| KINDS[s.kind]).collect::<Vec<_>>())
        .with("place", text(&|s| s.place.map(|p| PLACES[p].to_owned())))
        .with("order", text(&|s| s.order.map(|o| o.to_string())))
}

/// A touch of a journey: time, channel, campaign, view, weight.
type Step = (i64, String, Option<String>, bool, u64);
/// customer, touches, end, conversions, nulls, value, kind, place, decided
type Plain = (String, Vec<Step>, i64, [u64; 3], Option<String>, Option<String>, Option<bool>);

fn plain(j: &Journeys, customers: &[String]) -> Vec<Plain> {
    let (campaigns, kinds, places) = (j.campaign_labels(), j.kind_labels(), j.place_labels());
    (0..j.len())
        .map(|i| {
            let steps = j.path(i).iter().enumerate().map(|(k, channel)| {
                let campaign = campaigns.get(j.campaigns(i)[k] as usize).cloned();
                (
                    j.touch_times(i)[k],
                    j.channel_label(*channel),
                    campaign,
                    j.views(i)[k],
                    j.weights(i)[k].to_bits(),
                )
            });
            let credit = [j.conversions()[i], j.nulls()[i], j.values()[i]].map(f64::to_bits);
            let kind = j.conversion_kind(i).map(|k| kinds[k as usize].clone());
            let place = j.place(i).map(|p| places[p as usize].clone());
            let customer = customers[j.customer(i).unwrap() as usize].clone();
            (customer, steps.collect(), j.end_time(i).unwrap(), credit, kind, place, j.decided(i))
        })
        .collect()
}

/// Customers in the order in which they are first seen.
fn customers(touches: &[Touch], sales: &[Sale]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for c in touches.iter().map(|t| t.customer).chain(sales.iter().map(|s| s.customer)) {
        let label = format!("c{c}");
        if !out.contains(&label) {
            out.push(label);
        }
    }
    out
}

fn window(o: &EventOptions, t: &Touch, kind: usize) -> i64 {
    let by_touch = if t.view == Some(true) { o.view_lookback } else { o.click_lookback };
    let stated = [
        o.lookback_by_channel.get(CHANNELS[t.channel]).copied(),
        by_touch,
        o.lookback_by_kind.get(KINDS[kind]).copied(),
    ];
    stated.into_iter().flatten().map(Duration::micros).min().unwrap_or(o.lookback.micros())
}

fn weight(o: &EventOptions, t: &Touch) -> f64 {
    f64::from(t.weight) * if t.view == Some(true) { o.view_weight } else { 1.0 }
}

fn once(sales: &[Sale], o: &EventOptions) -> Vec<Sale> {
    let mut out: Vec<Sale> = sales.iter().filter(|s| s.order.is_none()).cloned().collect();
    for id in 0..8 {
        let mut same: Vec<Sale> = sales.iter().filter(|s| s.order == Some(id)).cloned().collect();
        let total: u8 = same.iter().map(|s| s.value).sum();
        same.sort_by_key(|s| {
            let time = if o.duplicate_orders == DuplicateOrders::Last { -s.time } else { s.time };
            (time, std::cmp::Reverse(s.value), s.customer, s.kind, s.place.map_or(-1, |p| p as i32))
        });
        if let Some(mut kept) = same.into_iter().next() {
            if o.duplicate_orders == DuplicateOrders::Sum {
                kept.value = total;
            }
            out.push(kept);
        }
    }
    out.retain(|s| o.kinds.as_ref().is_none_or(|kinds| kinds.contains(&KINDS[s.kind].to_owned())));
    out
}

/// The definitions, word for word, in O(n²).
fn naive(touches: &[Touch], sales: &[Sale], o: &EventOptions) -> Vec<Plain> {
    let sales = once(sales, o);
    let latest = touches.iter().map(|t| t.time).chain(sales.iter().map(|s| s.time)).max();
    let end = o.observation_end.map(|m| m.0).or(latest).unwrap_or(0);
    // Kinds that occur among the conversions.
    let occurring: Vec<usize> = (0..2).filter(|k| sales.iter().any(|s| s.kind == *k)).collect();
    let horizon = |t: &Touch| {
        let kinds = occurring.iter().map(|k| window(o, t, *k));
        kinds.max().unwrap_or_else(|| {
            let plain = EventOptions { lookback_by_kind: Default::default(), ..o.clone() };
            window(&plain, t, 0)
        })
    };
    let mut out = Vec::new();
    for customer in 0..5 {
        let mut mine: Vec<Touch> =
            touches.iter().filter(|t| t.customer == customer && t.time <= end).cloned().collect();
        let order = |t: &Touch| {
            // Upper case comes before lower case.
            let channel = [1, 2, 0][t.channel];
            (channel, t.campaign.map_or(0, |c| c + 1), t.view == Some(true), weight(o, t).to_bits())
        };
        match o.ties {
            Ties::Channel => mine.sort_by_key(|t| (t.time, order(t))),
            Ties::Input => mine.sort_by_key(|t| t.time),
        }
        let direct = |t: &Touch| t.channel == 2;
        if let Some(gap) = o.session_gap {
            let mut sessions: Vec<Vec<Touch>> = Vec::new();
            for t in mine {
                match sessions.last_mut() {
                    Some(s) if t.time - s[s.len() - 1].time <= gap.micros() => s.push(t),
                    _ => sessions.push(vec![t]),
                }
            }
            mine = sessions
                .into_iter()
                .map(|s| {
                    let others: Vec<&Touch> = s.iter().filter(|t| !direct(t)).collect();
                    match o.session_touch {
                        SessionTouch::First => s[0].clone(),
                        SessionTouch::Last => s[s.len() - 1].clone(),
                        SessionTouch::FirstNonDirect => (*others.first().unwrap_or(&&s[0])).clone(),
                        SessionTouch::LastNonDirect => (*others.last().unwrap_or(&&s[s.len() - 1])).clone(),
                    }
                })
                .collect();
        }
        if o.collapse == Collapse::Consecutive {
            let within = o.collapse_within.map_or(i64::MAX, Duration::micros);
            let same = |a: &Touch, b: &Touch| {
                a.channel == b.channel
                    && a.campaign == b.campaign
                    && (a.view == Some(true)) == (b.view == Some(true))
                    && b.time - a.time <= within
            };
            let again: Vec<bool> = (0..mine.len()).map(|i| i > 0 && same(&mine[i - 1], &mine[i])).collect();
            let mut k = 0;
            mine.retain(|_| {
                k += 1;
                !again[k - 1]
            });
        }
        let mut bought: Vec<Sale> =
            sales.iter().filter(|s| s.customer == customer && s.time <= end).cloned().collect();
        bought.sort_by_key(|s| (s.time, std::cmp::Reverse(s.value), s.kind, s.place.map_or(9, |p| p)));
        let before = |t: &Touch, s: &Sale| match o.at_conversion {
            AtConversion::Include => t.time <= s.time,
            AtConversion::Exclude => t.time < s.time,
        };
        let mut served = vec![false; mine.len()];
        let mut push = |chosen: Vec<usize>, time, credit: [f64; 3], sale: Option<&Sale>, decided| {
            let mut chosen = chosen;
            if o.direct == Direct::IgnoreUnlessAlone && chosen.iter().any(|i| !direct(&mine[*i])) {
                chosen.retain(|i| !direct(&mine[*i]));
            }
            let steps = chosen.iter().map(|i| {
                let t = &mine[*i];
                let campaign = t.campaign.map(|c| CAMPAIGNS[c].to_owned());
                let weight = weight(o, t).to_bits();
                (t.time, CHANNELS[t.channel].to_owned(), campaign, t.view == Some(true), weight)
            });
            out.push((
                format!("c{customer}"),
                steps.collect::<Vec<Step>>(),
                time,
                credit.map(f64::to_bits),
                sale.map(|s| KINDS[s.kind].to_owned()),
                sale.and_then(|s| s.place).map(|p| PLACES[p].to_owned()),
                decided,
            ));
        };
        for (n, sale) in bought.iter().enumerate() {
            let free = |i: usize| match o.shared_touch {
                SharedTouch::Each => true,
                SharedTouch::Reset => bought[..n].iter().all(|s| !before(&mine[i], s)),
                SharedTouch::FirstOnly => !served[i],
            };
            let seen = |i: usize| {
                before(&mine[i], sale) && mine[i].time > sale.time - window(o, &mine[i], sale.kind) && free(i)
            };
            let chosen: Vec<usize> = (0..mine.len()).filter(|i| seen(*i)).collect();
            chosen.iter().for_each(|i| served[*i] = true);
            push(chosen, sale.time, [1.0, 0.0, f64::from(sale.value)], Some(sale), None);
        }
        if o.open == Open::Exclude {
            continue;
        }
        let mut runs: Vec<Vec<usize>> = Vec::new();
        for i in (0..mine.len()).filter(|i| !served[*i]) {
            let joins = runs.last().is_some_and(|run| {
                let last = run[run.len() - 1];
                let reach = run.iter().map(|k| mine[*k].time + horizon(&mine[*k])).max().unwrap();
                let sold = bought.iter().any(|s| before(&mine[last], s) && !before(&mine[i], s));
                last + 1 == i && mine[i].time <= reach && !sold
            });
            if joins {
                runs.last_mut().unwrap().push(i);
            } else {
                runs.push(vec![i]);
            }
        }
        for run in runs {
            let reach = run.iter().map(|k| mine[*k].time + horizon(&mine[*k])).max().unwrap();
            let over = reach <= end;
            let last = mine[run[run.len() - 1]].time;
            match o.open {
                Open::Decided if !over => {}
                Open::Censored if !over => push(run, last, [0.0, 0.0, 0.0], None, Some(over)),
                _ => push(run, last, [0.0, 1.0, 0.0], None, Some(over)),
            }
        }
    }
    out.sort();
    out
}

fn touch() -> impl Strategy<Value = Touch> {
    (0_u8..3, 0_i64..24, 0_usize..3, prop::option::of(0_usize..2), prop::option::of(any::<bool>()), 0_u8..3)
        .prop_map(|(customer, time, channel, campaign, view, weight)| Touch {
            customer,
            time,
            channel,
            campaign,
            view,
            weight,
        })
}

fn sale() -> impl Strategy<Value = Sale> {
    (0_u8..4, 0_i64..24, 0_u8..5, 0_usize..2, prop::option::of(0_usize..2), prop::option::of(0_u8..6))
        .prop_map(|(customer, time, value, kind, place, order)| Sale {
            customer,
            time,
            value,
            kind,
            place,
            order,
        })
}

fn micros(below: i64) -> impl Strategy<Value = Duration> {
    (0..below).prop_map(Duration::from_micros)
}

fn policies() -> impl Strategy<Value = EventOptions> {
    let windows = (
        micros(12),
        prop::option::of(micros(20)),
        prop::option::of(micros(20)),
        prop::option::of(micros(20)),
        prop::option::of(micros(20)),
        prop::option::of(0_i64..24),
    );
    let choices = (
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![SharedTouch::Each, SharedTouch::Reset, SharedTouch::FirstOnly]),
        prop::sample::select(vec![Open::Include, Open::Decided, Open::Censored, Open::Exclude]),
        prop::option::of(prop::sample::subsequence(KINDS.to_vec(), 1..=2)),
        prop::sample::select(vec![DuplicateOrders::First, DuplicateOrders::Last, DuplicateOrders::Sum]),
    );
    let merging = (
        prop::option::of(micros(4)),
        prop::sample::select(vec![
            SessionTouch::First,
            SessionTouch::Last,
            SessionTouch::FirstNonDirect,
            SessionTouch::LastNonDirect,
        ]),
        prop::option::of(prop::option::of(micros(6))),
        any::<bool>(),
    );
    (windows, choices, merging).prop_map(|(w, c, m)| EventOptions {
        lookback: w.0,
        lookback_by_channel: w.1.into_iter().map(|w| ("a".to_owned(), w)).collect(),
        view_lookback: w.2,
        click_lookback: w.3,
        lookback_by_kind: w.4.into_iter().map(|w| ("signup".to_owned(), w)).collect(),
        observation_end: w.5.map(Moment),
        ties: if c.0 { Ties::Channel } else { Ties::Input },
        at_conversion: if c.1 { AtConversion::Include } else { AtConversion::Exclude },
        shared_touch: c.2,
        open: c.3,
        kinds: c.4.map(|kinds| kinds.into_iter().map(str::to_owned).collect()),
        duplicate_orders: c.5,
        session_gap: m.0,
        session_touch: if m.0.is_some() { m.1 } else { SessionTouch::default() },
        collapse: if m.2.is_some() { Collapse::Consecutive } else { Collapse::None },
        collapse_within: m.2.flatten(),
        direct: if m.3 { Direct::IgnoreUnlessAlone } else { Direct::Keep },
        ..every_column()
    })
}

fn every_column() -> EventOptions {
    EventOptions {
        value: Some("value".into()),
        kind: Some("kind".into()),
        view: "imp".into(),
        view_weight: 0.5,
        weight: Some("weight".into()),
        campaign: Some("campaign".into()),
        conversion_kind: Some("event".into()),
        conversion_place: Some("place".into()),
        order_id: Some("order".into()),
        time_unit: Some(TimeUnit::Microsecond),
        ..EventOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_mix_of_policies_is_what_the_definitions_say(
        touches in prop::collection::vec(touch(), 0..24),
        sales in prop::collection::vec(sale(), 0..8),
        o in policies(),
    ) {
        let run = Run::new().threads(1);
        let build = |t: &[Touch], s: &[Sale]| {
            let j = Journeys::from_events(&touch_frame(t), Some(&sale_frame(s)), &o, &run).unwrap();
            let mut found = plain(&j, &customers(t, s));
            found.sort();
            found
        };
        let found = build(&touches, &sales);
        prop_assert_eq!(&found, &naive(&touches, &sales, &o));
        if o.ties == Ties::Channel {
            let (mut t, mut s) = (touches.clone(), sales.clone());
            t.reverse();
            s.reverse();
            prop_assert_eq!(build(&t, &s), found);
        }
    }

    #[test]
    fn a_column_that_says_nothing_changes_nothing(
        touches in prop::collection::vec(touch(), 0..24),
        sales in prop::collection::vec(sale(), 0..8),
        o in policies(),
    ) {
        let plain = EventOptions {
            lookback: o.lookback,
            ties: o.ties,
            at_conversion: o.at_conversion,
            shared_touch: o.shared_touch,
            open: o.open,
            observation_end: o.observation_end,
            value: o.value.clone(),
            time_unit: o.time_unit,
            ..EventOptions::default()
        };
        let clicks: Vec<Touch> = touches.iter().map(|t| Touch { view: None, ..t.clone() }).collect();
        let (t, s) = (touch_frame(&clicks), sale_frame(&sales));
        let run = Run::new().threads(1);
        let a = Journeys::from_events(&t, Some(&s), &plain, &run).unwrap();
        let kind = EventOptions { kind: Some("kind".into()), ..plain };
        let b = Journeys::from_events(&t, Some(&s), &kind, &run).unwrap();
        let all = |j: &Journeys| {
            let one = |i: usize| {
                (j.path(i).to_vec(), j.touch_times(i).to_vec(), j.customer(i), j.end_time(i), j.decided(i), j.censored(i))
            };
            let rows: Vec<_> = (0..j.len()).map(one).collect();
            (rows, j.conversions().to_vec(), j.nulls().to_vec(), j.values().to_vec(), j.channel_labels())
        };
        prop_assert_eq!(all(&a), all(&b));
        prop_assert_eq!(a.durations().unwrap(), b.durations().unwrap());
    }

    #[test]
    fn integers_text_and_dictionaries_give_the_same_journeys(
        touches in prop::collection::vec(touch(), 0..24),
        sales in prop::collection::vec(sale(), 0..8),
        o in policies(),
    ) {
        let o = EventOptions {
            lookback: o.lookback,
            at_conversion: o.at_conversion,
            shared_touch: o.shared_touch,
            open: Open::Exclude,
            observation_end: o.observation_end,
            value: o.value.clone(),
            ..EventOptions::default()
        };
        // Customers far apart enough not to be most of the sample.
        let ints = |c: u8| i64::from(c) * 7 - 9;
        let (t, s) = (touch_frame(&touches), sale_frame(&sales));
        let timed = |c: Columns, times: Vec<i64>| c.with("time", Data::times(times));
        let t = timed(t, touches.iter().map(|t| t.time).collect());
        let s = timed(s, sales.iter().map(|s| s.time).collect());
        let names: headwater::column::Names = touches.iter().map(|t| CHANNELS[t.channel]).collect();
        let coded = t.clone()
            .with("customer", touches.iter().map(|t| ints(t.customer)).collect::<Vec<_>>())
            .with("channel", names);
        let sold = s.clone().with("customer", sales.iter().map(|s| ints(s.customer)).collect::<Vec<_>>());
        // The same in two stretches.
        let half = touches.len() / 2;
        let mut parts = Columns::new();
        for rows in [&touches[..half], &touches[half..]] {
            let names: headwater::column::Names = rows.iter().map(|t| CHANNELS[t.channel]).collect();
            let part = Columns::new()
                .with("customer", rows.iter().map(|t| ints(t.customer)).collect::<Vec<_>>())
                .with("time", Data::times(rows.iter().map(|t| t.time).collect()))
                .with("channel", names);
            parts.append(part).unwrap();
        }
        let run = Run::new().threads(1);
        let all = |t: &Columns, s: &Columns| {
            let j = Journeys::from_events(t, Some(s), &o, &run).unwrap();
            let one = |i: usize| (j.path(i).to_vec(), j.touch_times(i).to_vec(), j.end_time(i));
            let rows: Vec<_> = (0..j.len()).map(one).collect();
            (rows, j.values().to_vec(), j.channel_labels(), j.summary())
        };
        let text = all(&t, &s);
        prop_assert_eq!(&all(&coded, &sold), &text);
        prop_assert_eq!(&all(&parts, &sold), &text);
    }
}

/// A cell as text.
fn cell(frame: &Columns, name: &str, row: usize) -> Option<String> {
    let mut intake = Intake::new(frame, OnInvalid::Drop, RUN.get_or_init(Run::new));
    match frame.kind(name) {
        Some(Kind::Float) => Some(intake.amounts(name, Sign::Any).unwrap()[row].to_string()),
        _ => intake.optional_names(name).unwrap().get(row).map(std::borrow::Cow::into_owned),
    }
}

static RUN: std::sync::OnceLock<Run> = std::sync::OnceLock::new();

/// Customers in the order in which they are first seen.
fn seen((touches, sales): &(Columns, Columns)) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for frame in [touches, sales] {
        let names = (0..frame.rows()).filter_map(|row| cell(frame, "customer", row));
        for name in names.filter(|name| !name.is_empty()) {
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
}

/// All that can be seen of journeys, in their order.
fn shown(j: &Journeys, customers: &dyn Fn(u32) -> String) -> String {
    let names: Vec<String> = (0..j.len()).map(|i| customers(j.customer(i).unwrap())).collect();
    let one = |i: usize| {
        format!(
            "{:?}",
            (
                &names[i],
                (j.path(i), j.touch_times(i), j.end_time(i), j.decided(i), j.censored(i)),
                (j.campaigns(i), j.views(i), j.weights(i), j.conversion_kind(i), j.place(i)),
                [j.conversions()[i], j.nulls()[i], j.values()[i]].map(f64::to_bits),
            )
        )
    };
    let rows: Vec<String> = (0..j.len()).map(one).collect();
    let labels = (j.channel_labels(), j.campaign_labels(), j.kind_labels(), j.place_labels());
    let cost: Option<Vec<u64>> = j.cost().map(|cost| cost.iter().map(|x| x.to_bits()).collect());
    let beside = (j.summary(), j.accounting(), j.dropped().table());
    format!("{rows:#?}{labels:?}{cost:?}{beside:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_end_to_end_grow_into_the_whole(
        touches in prop::collection::vec(touch(), 0..24),
        sales in prop::collection::vec(sale(), 0..8),
        o in policies(),
        cuts in (0_usize..25, 0_usize..25, 0_usize..9, 0_usize..9),
        plain in prop::bool::weighted(0.2),
        costly in any::<bool>(),
        flaws in prop::option::of(prop::collection::vec(0_u8..40, 32)),
    ) {
        let mut o = o;
        if plain {
            o = EventOptions {
                lookback: o.lookback,
                ties: o.ties,
                shared_touch: o.shared_touch,
                at_conversion: o.at_conversion,
                open: o.open,
                observation_end: o.observation_end,
                value: o.value.clone(),
                time_unit: o.time_unit,
                ..EventOptions::default()
            };
        }
        o.cost = costly.then(|| "cost".to_owned());
        // Customers enough that some are in one part only.
        let spread = |customer: u8, time: i64| customer + 4 * (time % 3) as u8;
        let touches: Vec<Touch> =
            touches.into_iter().map(|t| Touch { customer: spread(t.customer, t.time), ..t }).collect();
        let sales: Vec<Sale> =
            sales.into_iter().map(|s| Sale { customer: spread(s.customer, s.time), ..s }).collect();
        // Some rows lack a customer, a channel or a kind, some amounts are negative.
        let flawed = |frame: Columns, from: usize| {
            let Some(flaws) = &flaws else { return frame };
            let rows = frame.rows();
            let flaw = |row: usize| flaws[(from + row) % flaws.len()];
            let spoilt = |name: &str, hit: u8| {
                let text: Vec<Option<String>> = (0..rows)
                    .map(|row| match (flaw(row) == hit, flaw(row) == hit + 1) {
                        (true, _) => None,
                        (_, true) => Some(String::new()),
                        _ => cell(&frame, name, row),
                    })
                    .collect();
                Data::from(text)
            };
            let mut out = frame.clone();
            for (name, hit) in [("customer", 0), ("channel", 2), ("event", 2)] {
                if frame.has(name) {
                    out = out.with(name, spoilt(name, hit));
                }
            }
            for (name, hit) in [("weight", 5), ("cost", 5), ("value", 5)] {
                if frame.has(name) {
                    let number = |row: usize| match flaw(row) {
                        x if x == hit => -1.0,
                        x if x == hit + 1 => f64::INFINITY,
                        _ => cell(&frame, name, row).unwrap().parse::<f64>().unwrap(),
                    };
                    out = out.with(name, (0..rows).map(number).collect::<Vec<f64>>());
                }
            }
            out
        };
        if flaws.is_some() {
            o.on_invalid = OnInvalid::Drop;
        }
        let sorted = |a: usize, b: usize, n: usize| (a.min(b).min(n), a.max(b).min(n));
        let (t1, t2) = sorted(cuts.0, cuts.1, touches.len());
        let (s1, s2) = sorted(cuts.2, cuts.3, sales.len());
        let run = Run::new().threads(1);
        let mut builder = JourneyBuilder::new(o.clone());
        let part = |t: std::ops::Range<usize>, s: std::ops::Range<usize>| {
            (flawed(touch_frame(&touches[t.clone()]), t.start), flawed(sale_frame(&sales[s.clone()]), s.start + 7))
        };
        let parts = [(0..t1, 0..s1), (t1..t2, s1..s2), (t2..touches.len(), s2..sales.len())];
        for (t, s) in parts.clone() {
            let (t, s) = part(t, s);
            builder.extend(&t, Some(&s), &run).unwrap();
            // From its file it goes on as if nothing had happened.
            let file = model::to_bytes(&builder).unwrap();
            builder = model::from_bytes(&file).unwrap();
            prop_assert_eq!(model::to_bytes(&builder).unwrap(), file);
        }
        prop_assert_eq!((builder.options(), builder.touches()), (&o, touches.len()));
        let all = {
            let (t, s) = part(0..touches.len(), 0..sales.len());
            Journeys::from_events(&t, Some(&s), &o, &run).unwrap()
        };
        let labels = seen(&part(0..touches.len(), 0..sales.len()));
        let name = |code: u32| labels[code as usize].clone();
        prop_assert_eq!(shown(&builder.journeys(), &name), shown(&all, &name));
        // The same from two builders.
        let mut first = JourneyBuilder::new(o.clone());
        let mut rest = JourneyBuilder::new(o);
        let [a, b, c] = parts;
        let (t, s) = part(a.0, a.1);
        first.extend(&t, Some(&s), &run).unwrap();
        for (t, s) in [b, c] {
            let (t, s) = part(t, s);
            rest.extend(&t, Some(&s), &run).unwrap();
        }
        first.merge(&rest, &run).unwrap();
        prop_assert_eq!(shown(&first.journeys(), &name), shown(&all, &name));
    }
}

fn frame(rows: &[(&str, &str, &str)]) -> Columns {
    Columns::new()
        .with("customer", rows.iter().map(|r| r.0).collect::<Vec<_>>())
        .with("time", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("channel", rows.iter().map(|r| r.2).collect::<Vec<_>>())
}

fn paths(j: &Journeys) -> Vec<String> {
    let labels = j.channel_labels();
    let path =
        |i: usize| j.path(i).iter().map(|c| labels[*c as usize].clone()).collect::<Vec<_>>().join(" > ");
    (0..j.len()).map(path).collect()
}

#[test]
fn windows_and_direct_visits_by_example() {
    let touches = frame(&[
        ("ann", "2024-01-01", "tv"),
        ("ann", "2024-01-20", "search"),
        ("ann", "2024-01-30", "direct"),
        ("bob", "2024-01-30", "direct"),
    ]);
    let sales = frame(&[("ann", "2024-01-31", "-"), ("bob", "2024-01-31", "-")]);
    let json = r#"{"lookback": "7d", "lookback_by_channel": {"tv": "60d", "search": "14d"},
        "direct": "ignore_unless_alone"}"#;
    let o: EventOptions = options::parse(json).unwrap();
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), ["tv > search", "direct"]);
    assert_eq!(j.merged().direct, 1);
}

#[test]
fn a_touch_serves_once_or_the_journey_starts_anew() {
    // The sign-up looks back a day and does not see the touch of the 1st.
    let touches = frame(&[("ann", "2024-01-01", "tv"), ("ann", "2024-01-05", "search")]);
    let sales = Columns::new()
        .with("customer", vec!["ann", "ann"])
        .with("time", vec!["2024-01-05T12:00:00Z", "2024-01-06"])
        .with("event", vec!["signup", "purchase"]);
    let journeys = |policy: SharedTouch| {
        let o = EventOptions {
            conversion_kind: Some("event".into()),
            lookback_by_kind: [("signup".to_owned(), Duration::from_days(1))].into_iter().collect(),
            shared_touch: policy,
            ..EventOptions::default()
        };
        Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap()
    };
    let j = journeys(SharedTouch::Each);
    assert_eq!(paths(&j), ["search", "tv > search"]);
    assert_eq!(paths(&journeys(SharedTouch::FirstOnly)), ["search", "tv"]);
    assert_eq!(paths(&journeys(SharedTouch::Reset)), ["tv", "search", ""]);
    assert_eq!(paths(&j.of_kind("purchase").unwrap()), ["tv > search"]);
    assert_eq!(j.of_kind("refund").unwrap_err().code(), "HW_OPTION");
}

#[test]
fn orders_are_counted_once() {
    let touches = frame(&[("ann", "2024-01-01", "a")]);
    let sales = Columns::new()
        .with("customer", vec!["ann", "ann", "ann"])
        .with("time", vec!["2024-01-03", "2024-01-02", "2024-01-04"])
        .with("value", vec![5.0, 7.0, 1.0])
        .with("order", vec![Some("o1"), Some("o1"), None]);
    let journeys = |policy| {
        let o = EventOptions {
            value: Some("value".into()),
            order_id: Some("order".into()),
            duplicate_orders: policy,
            ..EventOptions::default()
        };
        Journeys::from_events(&touches, Some(&sales), &o, &Run::new())
    };
    for (policy, total) in
        [(DuplicateOrders::First, 8.0), (DuplicateOrders::Last, 6.0), (DuplicateOrders::Sum, 13.0)]
    {
        let j = journeys(policy).unwrap();
        assert_eq!((j.total_value(), j.total_conversions()), (total, 2.0));
        let reason = &j.dropped().reasons[0];
        assert_eq!((reason.column.as_str(), reason.count), ("order", 1));
        assert_eq!(j.merged().orders, 1);
    }
    let error = journeys(DuplicateOrders::Error).unwrap_err();
    assert!(matches!(&error, Error::Row { column, count: 1, .. } if column == "order"), "{error}");
}

fn weighted(weights: [f64; 3]) -> Journeys {
    let touches =
        frame(&[("ann", "2024-01-01", "a"), ("ann", "2024-01-08", "b"), ("ann", "2024-01-15", "c")])
            .with("w", weights.to_vec());
    let sales = frame(&[("ann", "2024-01-16", "-")]);
    let o = EventOptions { weight: Some("w".into()), ..EventOptions::default() };
    Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap()
}

fn credits(j: &Journeys, model: &str) -> Vec<f64> {
    let models = vec![model.parse::<Model>().unwrap()];
    let credit = attribute(j, &AttributeOptions { models, ..Default::default() }, &Run::new()).unwrap();
    let by_touch = touch_credits(j, &model.parse().unwrap(), &Run::new()).unwrap();
    let found: Vec<f64> = credit.credits(model).unwrap().iter().map(|c| c[0]).collect();
    assert_eq!(by_touch.f64s("conversions").unwrap(), found);
    found
}

#[test]
fn rules_honour_weights() {
    let near = |a: Vec<f64>, b: [f64; 3]| {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15), "{a:?} {b:?}");
    };
    let j = weighted([1.0, 2.0, 1.0]);
    near(credits(&j, "linear"), [0.25, 0.5, 0.25]);
    near(credits(&j, "position_based"), [0.4 / 1.2, 0.4 / 1.2, 0.4 / 1.2]);
    // Half-life of a week: 1/4, 1/2, 1 times the weights.
    near(credits(&j, "time_decay"), [0.25 / 2.25, 1.0 / 2.25, 1.0 / 2.25]);
    let j = weighted([0.0, 3.0, 0.0]);
    for model in ["first", "last", "last_non_direct", "linear", "position_based", "time_decay"] {
        near(credits(&j, model), [0.0, 1.0, 0.0]);
    }
    near(credits(&j, "shapley"), [1.0 / 3.0; 3]);
    // All 0 is as if there were no weights, and so are equal weights.
    for weights in [[0.0; 3], [7.0; 3]] {
        let j = weighted(weights);
        near(credits(&j, "linear"), [1.0 / 3.0; 3]);
        near(credits(&j, "first"), [1.0, 0.0, 0.0]);
        near(credits(&j, "position_based"), [0.4, 0.2, 0.4]);
    }
}

#[test]
fn models_without_weights_are_named() {
    let models = ["linear", "markov", "shapley", "last"].map(|m| m.parse::<Model>().unwrap()).to_vec();
    let ignored = |weights: [f64; 3]| {
        let options = AttributeOptions { models: models.clone(), ..AttributeOptions::default() };
        let j = weighted(weights);
        let found = attribute(&j, &options, &Run::new()).unwrap().ignored_weights();
        let named = (0..found.rows()).map(|r| found.text("model", r).unwrap().into_owned());
        (named.collect::<Vec<_>>(), found.f64s("conversions").unwrap().to_vec())
    };
    let (named, conversions) = ignored([1.0, 0.0, 1.0]);
    assert_eq!((named.join(" "), conversions), ("markov shapley".to_owned(), vec![1.0; 2]));
    // Equal weights have no meaning.
    assert_eq!(ignored([2.0; 3]), (vec![], vec![]));
}

#[test]
fn a_channel_that_holds_the_separator_is_not_cut_in_silence() {
    let touches = frame(&[
        ("ann", "2024-01-01", "google / cpc"),
        ("ann", "2024-01-02", "google / organic"),
        ("bob", "2024-01-03", "google / cpc"),
    ])
    .with("campaign", vec![Some("brand"), None, Some("generic")]);
    let o = EventOptions { campaign: Some("campaign".into()), ..EventOptions::default() };
    let j = Journeys::from_events(&touches, None, &o, &Run::new()).unwrap();
    let error = j.by_campaign().unwrap_err();
    assert!(matches!(&error, Error::Option { option, .. } if option == "separator"), "{error}");
    assert!(error.to_string().contains("google / cpc"), "{error}");
    assert!(matches!(j.by_campaign_with(" "), Err(Error::Option { .. })));
    let fine = j.by_campaign_with("|").unwrap();
    assert_eq!(fine.channel_labels(), ["google / cpc | brand", "google / cpc | generic", "google / organic"]);
    let levels = Hierarchy { separator: "|".into(), ..Hierarchy::default() };
    assert_eq!(paths(&fine.roll_up(&levels).unwrap()), paths(&j));
}

/// Every report of models tells which of them know no weights; a report of rules tells nothing.
#[test]
fn every_report_names_models_without_weights() {
    let j = weighted([1.0, 0.0, 1.0]);
    let tests =
        Columns::new().with("channel", vec!["a"]).with("effect", vec![0.5]).with("standard_error", vec![0.2]);
    let spend = Columns::new().with("channel", vec!["a"]).with("spend", vec![2.0]);
    let calm = weighted([2.0; 3]);
    for (name, options) in [
        ("attribute", r#"{"models": ["linear", "M"]}"#),
        ("calibrate", r#"{"models": ["linear", "M"]}"#),
        ("compare", r#"{"models": ["linear", "M"], "folds": 0}"#),
        ("difference", r#"{"models": ["linear", "M"], "bootstrap": 5}"#),
        ("drift", r#"{"models": ["linear", "M"], "bootstrap": 5}"#),
        ("money", r#"{"models": ["linear", "M"]}"#),
        ("touch_credits", r#"{"model": "M"}"#),
        ("bootstrap", r#"{"model": "M", "statistic": "touch_credits", "bootstrap": 5}"#),
    ] {
        let ask = |j: &Journeys, model: &str| {
            let frame =
                if name == "calibrate" { Some(&tests) } else { Some(&spend).filter(|_| name == "money") };
            let given = Given { other: Some(j).filter(|_| name == "drift"), frame, ..Given::from(j) };
            given.report(name, &options.replace('M', model), &Run::new()).unwrap()
        };
        let named = |tables: &Tables| {
            let table = tables.iter().find(|(name, _)| *name == "ignored_weights")?;
            Some(table.1.text("model", 0)?.into_owned())
        };
        assert_eq!(named(&ask(&j, "shapley")).as_deref(), Some("shapley"), "{name}");
        assert_eq!(named(&ask(&j, "last")), None, "{name}");
        assert_eq!(named(&ask(&calm, "shapley")), None, "{name}");
    }
}

/// What each campaign cost, in one build or in parts, beside what the channels cost.
#[test]
fn campaigns_have_the_cost_of_their_touches() {
    let rows = [
        ("ann", "2024-01-01", "search", Some("brand"), 1.0),
        ("ann", "2024-01-02", "search", None, 0.1),
        ("bob", "2024-01-03", "email", Some("brand"), 0.2),
        ("bob", "2024-01-04", "search", Some("generic"), 0.3),
        ("cat", "2024-01-05", "search", Some("brand"), 4.0),
    ];
    let touches = |rows: &[(&'static str, &'static str, &'static str, Option<&'static str>, f64)]| {
        frame(&rows.iter().map(|r| (r.0, r.1, r.2)).collect::<Vec<_>>())
            .with("campaign", rows.iter().map(|r| r.3).collect::<Vec<_>>())
            .with("cost", rows.iter().map(|r| r.4).collect::<Vec<_>>())
    };
    let sales = frame(&[("ann", "2024-01-06", "-")]);
    let o = EventOptions {
        campaign: Some("campaign".into()),
        cost: Some("cost".into()),
        // Cost is that of all touches, whatever journeys there are.
        open: Open::Exclude,
        ..EventOptions::default()
    };
    let whole = Journeys::from_events(&touches(&rows), Some(&sales), &o, &Run::new()).unwrap();
    let mut builder = JourneyBuilder::new(o);
    for day in [&rows[3..], &rows[..1], &rows[1..3]] {
        builder.extend(&touches(day), Some(&frame(&[])), &Run::new()).unwrap();
    }
    builder.extend(&touches(&[]), Some(&sales), &Run::new()).unwrap();
    for j in [&whole, &builder.journeys()] {
        let fine = j.by_campaign().unwrap();
        let labels = ["email / brand", "search", "search / brand", "search / generic"];
        assert_eq!(fine.channel_labels(), labels);
        assert_eq!(fine.cost(), Some(&[0.2, 0.1, 5.0, 0.3][..]));
        let up = fine.roll_up(&Hierarchy::default()).unwrap();
        assert_eq!(up.cost(), j.cost());
    }
    // A part of the journeys knows no cost, and neither do channels that were changed.
    let everyone = whole.of_customers(&[true; 3]).unwrap();
    assert_eq!(everyone.by_campaign().unwrap().cost(), None);
    let one = Hierarchy {
        channels: [("all".into(), vec!["search".into(), "email".into()])].into(),
        ..Hierarchy::default()
    };
    assert_eq!(whole.roll_up(&one).unwrap().by_campaign().unwrap().cost(), None);
}

/// Campaigns keep the bounds of a bootstrap, where these are still theirs.
#[test]
fn bounds_go_down_with_credits() {
    let touches = frame(&[
        ("ann", "2024-01-01", "search"),
        ("bob", "2024-01-02", "search"),
        ("cat", "2024-01-03", "email"),
        ("dan", "2024-01-04", "search"),
    ])
    .with("campaign", vec![Some("x"), Some("y"), None, Some("x")])
    .with("cost", vec![1.0; 4]);
    let sales = frame(&["ann", "bob", "cat", "dan"].map(|who| (who, "2024-01-09", "-")));
    let o = EventOptions {
        campaign: Some("campaign".into()),
        cost: Some("cost".into()),
        ..EventOptions::default()
    };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    let credit = |j: &Journeys| {
        let given =
            AttributeOptions { models: vec![Model::Linear], bootstrap: 50, ..AttributeOptions::default() };
        attribute(j, &given, &Run::new()).unwrap().table()
    };
    let fine = credit(&j.by_campaign().unwrap());
    let levels = Hierarchy::default();
    let down = levels.drill_down_frame(&Columns::from(fine.clone()), None, &Run::new()).unwrap();
    // Rows stand in the same order here: email, search / x, search / y.
    for name in ["conversions_low", "conversions_high", "cpa_low", "cpa_high", "cpa"] {
        assert!(down.f64s(name).is_some_and(|found| found.len() == 3), "{name}");
        assert_eq!(down.f64s(name), fine.f64s(name), "{name}");
    }
    let shared = levels.drill_down(&fine, Some(&credit(&j))).unwrap();
    assert!(shared.f64s("conversions_low").is_none());
    // Two labels of one campaign have sums, and no bounds.
    let one = Hierarchy {
        channels: [("search".into(), vec!["search / x".into(), "search / y".into()])].into(),
        ..Hierarchy::default()
    };
    let total = one.total(&fine).unwrap();
    assert_eq!((total.f64s("conversions").unwrap(), total.get("conversions_low")), (&[1.0, 3.0][..], None));
}

#[test]
fn parts_of_journeys_keep_their_touches() {
    let touches = frame(&[
        ("ann", "2024-01-01", "search"),
        ("bob", "2024-01-02", "social"),
        ("ann", "2024-01-03", "email"),
        ("cat", "2024-02-01", "search"),
    ])
    .with("campaign", vec![Some("spring"), None, Some("news"), Some("brand")]);
    let sales = frame(&[("ann", "2024-01-04", "-"), ("ann", "2024-01-05", "-"), ("cat", "2024-02-02", "-")]);
    let o = EventOptions { campaign: Some("campaign".into()), ..EventOptions::default() };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), ["search > email", "search > email", "social", "search"]);
    let time = |t: &str| headwater::column::parse_time(t).unwrap();
    let january = j.between(time("2024-01-01"), time("2024-02-01")).unwrap();
    assert_eq!(paths(&january), ["search > email", "search > email", "social"]);
    assert_eq!(january.touch_times(1), j.touch_times(1));
    assert_eq!(paths(&j.of_customers(&[false, true]).unwrap()), ["social"]);
    let by_campaign = j.by_campaign().unwrap();
    assert_eq!(by_campaign.channel_labels(), ["email / news", "search / brand", "search / spring", "social"]);
    assert_eq!(paths(&by_campaign)[1], "search / spring > email / news");
    let credit = touch_credits(&j, &Model::Linear, &Run::new()).unwrap();
    assert_eq!(credit.text("campaign", 1).unwrap(), "news");

    let segments =
        Columns::new().with("who", vec!["cat", "ann", "eve"]).with("plan", vec!["free", "paid", "paid"]);
    let parts = j.with_segments(&segments, "who", "plan", &Run::new()).unwrap().split().unwrap();
    let shown: Vec<(String, Vec<String>)> =
        parts.iter().map(|(label, j)| (label.clone(), paths(j))).collect();
    let text = |rows: &[&str]| rows.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        shown,
        [
            ("free".to_owned(), text(&["search"])),
            ("paid".to_owned(), text(&["search > email", "search > email"])),
            ("(none)".to_owned(), text(&["social"])),
        ]
    );
    let twice = Columns::new().with("who", vec!["ann", "ann"]).with("plan", vec!["free", "paid"]);
    assert!(matches!(j.with_segments(&twice, "who", "plan", &Run::new()), Err(Error::Unfit { row: 1, .. })));
    assert!(j.split().is_err());
}

#[test]
fn censoring_is_known_of_each_open_journey() {
    let touches =
        frame(&[("ann", "2024-01-01", "a"), ("bob", "2024-02-10", "a"), ("cat", "2024-02-11", "a")]);
    let sales = frame(&[("cat", "2024-02-12", "-")]);
    let o = EventOptions { open: Open::Censored, ..EventOptions::default() };
    let j = Journeys::from_events(&touches, Some(&sales), &o, &Run::new()).unwrap();
    let day = headwater::column::DAY;
    assert_eq!(j.observation_end(), headwater::column::parse_time("2024-02-12"));
    assert_eq!([j.decided(0), j.decided(1), j.decided(2)], [Some(true), Some(false), None]);
    assert_eq!([j.censored(0), j.censored(1), j.censored(2)], [Some(42 * day), Some(2 * day), None]);
    assert_eq!(j.nulls(), [1.0, 0.0, 0.0]);
    let t = j.durations().unwrap();
    let first = t.get("first_touch").unwrap();
    assert_eq!(t.rows(), 3);
    assert_eq!(
        first.values,
        headwater::column::Values::Time(vec![
            headwater::column::parse_time("2024-01-01").unwrap(),
            headwater::column::parse_time("2024-02-10").unwrap(),
            headwater::column::parse_time("2024-02-11").unwrap(),
        ])
    );
}

#[test]
fn a_flagged_frame_has_it_all_too() {
    let events = Columns::new()
        .with("customer", vec!["ann", "ann", "ann", "ann"])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-03"])
        .with("channel", vec![Some("a"), Some("b"), None, None])
        .with("kind", vec![Some("view"), None, None, None])
        .with("sold", vec![false, false, true, true])
        .with("event", vec![None, None, Some("buy"), Some("buy")])
        .with("order", vec![None, None, Some("1"), Some("1")])
        .with("place", vec![None, None, Some("store"), Some("store")]);
    let json = r#"{"conversion": "sold", "flagged_row": "conversion", "kind": "kind", "view_lookback": "1d",
        "conversion_kind": "event", "order_id": "order", "conversion_place": "place", "offline_channels": ["b"]}"#;
    let o: EventOptions = options::parse(json).unwrap();
    let j = Journeys::from_events(&events, None, &o, &Run::new()).unwrap();
    assert_eq!(paths(&j), ["a", "b"]);
    assert_eq!((j.place(1), j.place_labels()), (Some(0), vec!["store".to_owned()]));
    assert!(j.is_offline(1) && !j.is_offline(0));
    assert_eq!(j.dropped().rows, 1);
    // A kind that is none of the two is refused, or dropped.
    let bad = events.with("kind", vec![Some("hover"), None, None, None]);
    let error = Journeys::from_events(&bad, None, &o, &Run::new()).unwrap_err();
    assert!(matches!(error, Error::Row { row: 0, .. }), "{error}");
    let o = EventOptions { on_invalid: OnInvalid::Drop, ..o };
    assert_eq!(paths(&Journeys::from_events(&bad, None, &o, &Run::new()).unwrap()), ["b"]);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let frame = frame(&[("ann", "2024-01-01", "a")]);
    for json in [
        r#"{"view_lookback": "1d"}"#,
        r#"{"kinds": ["buy"]}"#,
        r#"{"collapse_within": "1h"}"#,
        r#"{"duplicate_orders": "sum"}"#,
        r#"{"kind": "kind", "view_weight": -1}"#,
        r#"{"session_touch": "last"}"#,
        r#"{"direct_labels": ["none"]}"#,
        // Of conversions, where there are none.
        r#"{"value": "value"}"#,
        r#"{"conversion_kind": "event"}"#,
        r#"{"conversion_place": "place"}"#,
        r#"{"order_id": "order"}"#,
        r#"{"conversion_time": "date"}"#,
        r#"{"flagged_row": "conversion"}"#,
    ] {
        let o: EventOptions = options::parse(json).unwrap();
        let error = Journeys::from_events(&frame, None, &o, &Run::new()).unwrap_err();
        assert_eq!(error.code(), "HW_OPTION", "{json}");
    }
    let flagged = frame.with("sold", vec![true]);
    let o: EventOptions = options::parse(r#"{"conversion": "sold", "conversion_time": "date"}"#).unwrap();
    assert_eq!(Journeys::from_events(&flagged, None, &o, &Run::new()).unwrap_err().code(), "HW_OPTION");
    let error = options::parse::<EventOptions>(r#"{"lookback": "soon"}"#).unwrap_err().to_string();
    assert!(error.starts_with("option `lookback`: `soon` is not a span of time"), "{error}");
}

/// Refunds are kept whatever else is known of conversions.
#[test]
fn kept_refunds_may_have_a_kind() {
    let touches = frame(&[("ann", "2024-01-01", "a")]);
    let conversions = Columns::new()
        .with("customer", vec!["ann", "ann"])
        .with("time", vec!["2024-01-02", "2024-01-03"])
        .with("value", vec![20.0, -5.0])
        .with("event", vec!["buy", "refund"]);
    for kind in ["", r#", "conversion_kind": "event""#] {
        let read = |refunds: &str| {
            let json = format!(r#"{{"value": "value"{kind}{refunds}}}"#);
            let o: EventOptions = options::parse(&json).unwrap();
            Journeys::from_events(&touches, Some(&conversions), &o, &Run::new())
        };
        assert!(matches!(read("").unwrap_err(), Error::Row { row: 1, .. }), "{kind}");
        assert_eq!(read(r#", "refunds": "keep""#).unwrap().total_value(), 15.0, "{kind}");
    }
}
