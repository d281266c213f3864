//! Assigning customers to frames: the stitched frame itself, and others.

use headwater::Run;
use headwater::column::{Columns, NULL};
use headwater::identity::{AssignOptions, IdentityRules, Namespace, StitchOptions, stitch};
use proptest::prelude::*;

fn named(prefix: &str, value: Option<u8>) -> Option<String> {
    value.map(|v| format!("{prefix}{v}"))
}

proptest! {
    #[test]
    fn the_stitched_frame_gets_the_customers_of_its_rows(
        rows in prop::collection::vec((prop::option::of(0u8..9), prop::option::of(0u8..9), prop::option::of(0u8..9)), 1..60),
        limit in prop::option::of(1u32..3),
    ) {
        let frame = Columns::new()
            .with("cookie", rows.iter().map(|r| named("c", r.0)).collect::<Vec<_>>())
            .with("mail", rows.iter().map(|r| named("m@x.org", r.1)).collect::<Vec<_>>())
            .with("user_id", rows.iter().map(|r| named("u", r.2)).collect::<Vec<_>>());
        let mut user = Namespace::new("user_id");
        user.limit = limit;
        let options = StitchOptions {
            identifiers: vec!["cookie".into(), "mail".into(), "user_id".into()],
            namespaces: [("mail".to_owned(), "account".to_owned())].into(),
            rules: IdentityRules::new([user, Namespace::new("account"), Namespace::new("cookie")]),
            ..StitchOptions::default()
        };
        let people = stitch(&frame, &options, &Run::new()).unwrap();
        let again = people.assign_frame(&frame, &AssignOptions::default(), &Run::new().threads(3)).unwrap();
        prop_assert_eq!(&again, &people.assign());
    }
}

#[test]
fn a_frame_with_fewer_identifiers_gets_what_they_tell() {
    let frame = Columns::new().with("cookie", vec!["a", "b"]).with("email", vec!["x@y.org", "z@y.org"]);
    let options =
        StitchOptions { identifiers: vec!["cookie".into(), "email".into()], ..StitchOptions::default() };
    let people = stitch(&frame, &options, &Run::new()).unwrap();
    let orders = Columns::new().with("contact", vec![Some("Z@Y.org"), Some("new@y.org"), None]);
    let options = AssignOptions {
        identifiers: Some(vec!["contact".into()]),
        namespaces: [("contact".to_owned(), "email".to_owned())].into(),
    };
    let found = people.assign_frame(&orders, &options, &Run::new()).unwrap();
    assert_eq!(found.codes[0], people.assign().codes[1]);
    assert_eq!(found.codes[1..], [NULL, NULL]);

    let none =
        people.assign_frame(&Columns::new().with("other", vec![1.5]), &AssignOptions::default(), &Run::new());
    assert_eq!(none.unwrap_err().code(), "HW_OPTION");
    let wrong = AssignOptions { identifiers: Some(vec!["nope".into()]), ..AssignOptions::default() };
    assert_eq!(people.assign_frame(&orders, &wrong, &Run::new()).unwrap_err().code(), "HW_COLUMN");
}
