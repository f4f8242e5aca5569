//! An address and its list are the same thing.

use proptest::collection::btree_set;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::index::query::Filter;

fn run() -> impl Strategy<Value = Run> {
    prop_oneof![Just(Run::Newest), Just(Run::Any), text().prop_map(Run::Named)]
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{1,12}"
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("nothing", |text| !text.is_empty())
}

fn rank() -> impl Strategy<Value = Rank> {
    (any::<i64>(), any::<i64>()).prop_map(|(value, tie)| Rank(value, tie))
}

fn attempts() -> impl Strategy<Value = Attempts> {
    prop_oneof![
        any::<u32>().prop_map(Attempts::Exactly),
        any::<u32>().prop_map(Attempts::AtLeast)
    ]
}

prop_compose! {
    fn filter()(
        (run, subject, error) in (run(), of(text()), of(text())),
        verdict in of(select(vec![Verdict::Accepted, Verdict::Exhausted, Verdict::Error])),
        source in of(select(vec![Source::Llm, Source::Cache, Source::Mongodb, Source::Coalesced])),
        unsure in any::<bool>(),
        attempts in of(attempts()),
        (score_from, score_to) in (of(0..=ONE), of(0..=ONE)),
        (from, to) in (of(0..=LATEST), of(0..=LATEST)),
        words in of(text().prop_filter("no words", |text| words(text).next().is_some())),
    ) -> Filter {
        Filter { run, verdict, source, subject, attempts, error, unsure, score_from, score_to, from, to, words }
    }
}

prop_compose! {
    fn query()(
        filter in filter(),
        (sort, descending, distinct) in (select(Sort::ALL.to_vec()), any::<bool>(), any::<bool>()),
        until in of(0..=LATEST),
        columns in btree_set(select(Column::ALL.to_vec()), 0..=4),
        place in prop_oneof![
            Just(Place::First), rank().prop_map(Place::After), rank().prop_map(Place::Before), Just(Place::Last)
        ],
    ) -> Query {
        let order = Order { sort, descending, distinct: distinct && sort == Sort::Score };
        Query { filter, order, until, place, columns }
    }
}

proptest! {
    #[test]
    fn an_address_holds_the_whole_list(query in query()) {
        prop_assert_eq!(Query::parse(&query.print(), &[]), Ok(query));
    }

    #[test]
    fn no_address_is_too_strange(text in "\\PC{0,60}") {
        if let Err(refused) = Query::parse(&text, &[]) {
            prop_assert!(!refused.problems.is_empty());
        }
    }
}

#[test]
fn a_bad_parameter_is_named_and_the_others_are_kept() {
    let refused = Query::parse(
        "run=a&score_from=2&verdict=good&tab=3&at=after:1&distinct=yes",
        &["tab"],
    )
    .unwrap_err();
    let named: Vec<_> = refused
        .problems
        .iter()
        .map(|bad| (bad.name.as_str(), bad.value.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("score_from", "2"),
            ("verdict", "good"),
            ("at", "after:1"),
            ("distinct", "yes")
        ]
    );
    assert_eq!(refused.problems[0].allowed.0, "a number from 0 to 1");
    assert_eq!(refused.rest.print(), "run=a");
    let refused = Query::parse("columns=run,price&columns=model", &[]).unwrap_err();
    assert_eq!((refused.problems.len(), refused.problems[0].allowed), (1, COLUMNS));
    assert_eq!(refused.rest.print(), "columns=model");
    let refused = Query::parse("verdit=error", &[]).unwrap_err();
    assert_eq!(refused.problems[0].allowed, NAME);
}

#[test]
fn a_form_may_leave_fields_empty() {
    let query = Query::parse("run=&verdict=&score_from=&from=2026-03-01T12%3A00&words=", &[]).unwrap();
    assert_eq!(query.print(), "run=&from=2026-03-01T12%3A00%3A00Z");
}

#[test]
fn a_form_names_columns_one_by_one_and_a_link_in_one() {
    let query = Query::parse("columns=run&columns=cost&columns=", &[]).unwrap();
    assert_eq!(query.print(), "columns=cost%2Crun");
    assert_eq!(Query::parse("columns=run,+cost", &[]), Ok(query));
}
