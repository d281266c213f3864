//! What is estimated in the tables of each report of journeys, and which rows a
//! sample may lack.

use super::super::numbers::{Absent, Estimates, Told};
use crate::journey::JourneyReport;

const ZERO: Absent = Absent::Zero;
const UNKNOWN: Absent = Absent::Unknown;
const FROM: Absent = Absent::ZeroAmong(&["from"]);

/// What is estimated in the tables of a report.
pub(super) fn told(report: &JourneyReport) -> &'static [Told] {
    match report {
        JourneyReport::Paths => &[Told {
            table: "paths",
            keys: &["path"],
            estimates: &[
                ("conversions", ZERO),
                ("value", ZERO),
                ("nulls", ZERO),
                ("conversion_rate", UNKNOWN),
            ],
        }],
        JourneyReport::Transitions(_) => &[Told {
            table: "transitions",
            keys: &["from", "to"],
            estimates: &[("count", ZERO), ("probability", FROM)],
        }],
        JourneyReport::Lags => {
            &[Told { table: "lags", keys: &["days"], estimates: &[("conversions", ZERO), ("value", ZERO)] }]
        }
        JourneyReport::Lengths => &[Told {
            table: "lengths",
            keys: &["touches"],
            estimates: &[("conversions", ZERO), ("value", ZERO), ("nulls", ZERO)],
        }],
        JourneyReport::Channels => &[Told {
            table: "channels",
            keys: &["channel"],
            estimates: &[("touches", ZERO), ("conversions", ZERO), ("value", ZERO), ("nulls", ZERO)],
        }],
        JourneyReport::Summary => &[Told {
            table: "summary",
            keys: &[],
            estimates: &[
                ("customers", ZERO),
                ("conversions", ZERO),
                ("value", ZERO),
                ("nulls", ZERO),
                ("unattributed_conversions", ZERO),
                ("unattributed_value", ZERO),
            ],
        }],
        JourneyReport::Funnel(_) => &[
            Told {
                table: "funnel",
                keys: &["group", "step"],
                estimates: &[
                    ("count", ZERO),
                    ("dropped", ZERO),
                    ("undecided", ZERO),
                    ("days_p*", UNKNOWN),
                    ("total_days_p*", UNKNOWN),
                ],
            },
            Told {
                table: "dropoff",
                keys: &["group", "step", "to"],
                estimates: &[("count", ZERO), ("share", Absent::ZeroAmong(&["group", "step"]))],
            },
        ],
        JourneyReport::StepMatrix(_) => &[Told {
            table: "step_matrix",
            keys: &["step", "channel"],
            estimates: &[("count", ZERO), ("share", Absent::ZeroAmong(&["step"]))],
        }],
        JourneyReport::Graph(_) => &[
            Told {
                table: "edges",
                keys: &["from", "to"],
                estimates: &[
                    ("count", ZERO),
                    ("p_out", FROM),
                    ("p_in", Absent::ZeroAmong(&["to"])),
                    ("journeys", ZERO),
                    ("journey_share", Absent::ZeroAmong(&[])),
                    ("customers", ZERO),
                ],
            },
            Told {
                table: "nodes",
                keys: &["channel"],
                estimates: &[
                    ("count", ZERO),
                    ("journeys", ZERO),
                    ("journey_share", UNKNOWN),
                    ("customers", ZERO),
                    ("starts", ZERO),
                    ("conversions", ZERO),
                    ("nulls", ZERO),
                ],
            },
        ],
        JourneyReport::GraphDifference(_) => &[Told {
            table: "graph_difference",
            keys: &["from", "to"],
            estimates: &[
                ("count_a", ZERO),
                ("count_b", ZERO),
                ("p_out_a", FROM),
                ("p_out_b", FROM),
                ("difference", FROM),
                ("journeys_a", ZERO),
                ("journeys_b", ZERO),
                ("took_a", FROM),
                ("took_b", FROM),
            ],
        }],
        // The curves and their quantiles have intervals of their own.
        JourneyReport::TimeToConvert(_) | JourneyReport::PathLength(_) => &[Told {
            table: "groups",
            keys: &["group"],
            estimates: &[("journeys", ZERO), ("events", ZERO), ("censored", ZERO), ("expected", ZERO)],
        }],
        JourneyReport::Assisted(_) => &[Told {
            table: "assisted",
            keys: &["channel"],
            estimates: &[
                ("first", ZERO),
                ("last", ZERO),
                ("only", ZERO),
                ("assisted", ZERO),
                ("conversions", ZERO),
                ("first_value", ZERO),
                ("last_value", ZERO),
                ("only_value", ZERO),
                ("assisted_value", ZERO),
                ("value", ZERO),
                ("assisted_per_last", UNKNOWN),
            ],
        }],
        JourneyReport::Positions => &[Told {
            table: "positions",
            keys: &["channel"],
            estimates: &[
                ("early", ZERO),
                ("mid", ZERO),
                ("late", ZERO),
                ("early_share", UNKNOWN),
                ("mid_share", UNKNOWN),
                ("late_share", UNKNOWN),
            ],
        }],
        JourneyReport::Overlap(_) => &[Told {
            table: "overlap",
            keys: &["channels"],
            estimates: &[
                ("journeys", ZERO),
                ("conversions", ZERO),
                ("conversion_rate", UNKNOWN),
                ("expected_rate", UNKNOWN),
                ("expected_journeys", UNKNOWN),
                ("lift", ZERO),
                ("jaccard", ZERO),
            ],
        }],
        JourneyReport::OnlineOffline(_) => &[Told {
            table: "online_offline",
            keys: &["from", "to", "to_place"],
            estimates: &[
                ("journeys", ZERO),
                ("share", ZERO),
                ("conversions", ZERO),
                ("conversion_rate", UNKNOWN),
                ("value", ZERO),
                ("median_days", UNKNOWN),
            ],
        }],
        JourneyReport::Friction(_) => &FRICTION,
        JourneyReport::LagCurves(_) => &[Told {
            table: "lag_curves",
            // The points of a curve are told apart by their order.
            keys: &["channel"],
            estimates: &[("conversions", ZERO), ("share", UNKNOWN)],
        }],
        JourneyReport::Patterns(_) => &[
            Told {
                table: "patterns",
                keys: &["group", "pattern"],
                estimates: &[
                    ("count", ZERO),
                    ("conversions", ZERO),
                    ("others_rate", UNKNOWN),
                    ("occurrences", ZERO),
                    ("days_p*", UNKNOWN),
                ],
            },
            Told {
                table: "matches",
                keys: &["group", "pattern", "path"],
                estimates: &[("count", ZERO), ("conversions", ZERO)],
            },
        ],
        JourneyReport::Sequences(_) => &[Told {
            table: "sequences",
            keys: &["sequence"],
            estimates: &[
                ("count", ZERO),
                ("conversions", ZERO),
                ("others_rate", UNKNOWN),
                ("occurrences", ZERO),
            ],
        }],
    }
}

const FRICTION: [Told; 2] = {
    const ESTIMATES: Estimates = &[
        ("visits", ZERO),
        ("exits", ZERO),
        ("exit_rate", UNKNOWN),
        ("expected_rate", UNKNOWN),
        ("excess", ZERO),
    ];
    [
        Told { table: "friction", keys: &["channel"], estimates: ESTIMATES },
        Told { table: "transitions", keys: &["from", "to"], estimates: ESTIMATES },
    ]
};
