use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use mongodb::bson::DateTime;
use tower::ServiceExt as _;

use super::address::{Place, Sort, Tab};
use super::*;
use crate::comparison::Standard;
use crate::comparison::tests::{compared, index_of, outcome, two_runs};
use crate::index::Row;
use crate::store::runs::{Model, RunMetrics, Spending};
use crate::test_support::app_over;
use crate::web;

/// The page at an address, of some outcomes; without a MongoDB.
async fn page(rows: Vec<Row>, address: &str) -> (StatusCode, String) {
    let (index, _writer, _folder) = index_of(rows);
    let app = app_over(index).await;
    let request = Request::get(address)
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap();
    let response = web::routes(app).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn worse_run() -> Vec<Row> {
    let mut second = vec![Some(0.9); 60];
    second.extend([Some(0.1); 40]);
    two_runs(&[Some(0.9); 100], &second)
}

#[tokio::test]
async fn the_page_says_in_both_languages_which_run_is_better_and_shows_who_got_worse() {
    let (status, en) = page(worse_run(), "/en/compare?run=b&run=a").await;
    assert_eq!(status, StatusCode::OK);
    // The run that began first is the base.
    assert!(
        en.contains("b is worse than a: 40.0 points less accepted (95 % interval −"),
        "{en}"
    );
    assert!(en.contains("b did better on 0, worse on 40 and the same on 60."));
    assert!(
        en.contains("Worse 40") && en.contains("Better 0") && en.contains("Same 60") && en.contains("Only in one 0")
    );
    assert!(en.contains("Questions on which b did worse than a"));
    assert!(en.contains("Question &lt;b&gt;q60&lt;/b&gt;") && !en.contains("<b>q"));
    assert!(en.contains(r#"href="/en/q/b-q60"#));
    let (_, es) = page(worse_run(), "/es/compare?run=a&run=b").await;
    assert!(
        es.contains("b es peor que a: 40,0 puntos menos de aceptadas (intervalo del 95 %: de −"),
        "{es}"
    );
    assert!(es.contains("Peor 40") && es.contains("Preguntas en que a b le fue peor que a a"));
}

#[tokio::test]
async fn what_was_accepted_of_all_outcomes_stands_beside_what_was_of_the_shared_questions() {
    let mut rows = worse_run();
    rows.extend((0..100).map(|number| outcome("b", &format!("other{number}"), 3_000_000 + number, Some(0.1))));
    let (_, page) = page(rows, "/en/compare?run=a&run=b").await;
    assert!(page.contains("40.0 points less accepted"), "{page}");
    for shown in ["100.0\u{a0}% · 100<", "30.0\u{a0}% · 60<", "−70.0 points<"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test]
async fn the_base_can_be_chosen() {
    let (_, page) = page(worse_run(), "/en/compare?run=a&run=b&base=b").await;
    assert!(page.contains("a is better than b: 40.0 points more accepted"));
}

#[tokio::test]
async fn several_runs_are_each_compared_with_the_base_and_the_page_says_how_many_comparisons_that_is() {
    let mut rows = worse_run();
    rows.extend((0..100).map(|number| outcome("c", &format!("q{number}"), 2_000_000 + number, Some(0.9))));
    let (_, page) = page(rows, "/en/compare?run=a&run=b&run=c&against=c").await;
    assert!(page.contains("These are 2 comparisons."));
    assert!(page.contains("b is worse than a") && page.contains("c against a: no difference shown"));
    assert!(page.contains("Questions on which a and c had the same verdict"));
}

#[tokio::test]
async fn of_few_pairs_only_counts_are_shown() {
    let (_, page) = page(two_runs(&[Some(0.9); 29], &[Some(0.1); 29]), "/en/compare?run=a&run=b").await;
    assert!(page.contains("b against a: too few to say (29 shared questions)"));
    assert!(page.contains("worse on 29") && !page.contains("95 % interval"));
}

fn of_two_scorers() -> Vec<Row> {
    let mut rows = worse_run();
    rows.iter_mut()
        .filter(|row| row.run.as_deref() == Some("b"))
        .for_each(|row| row.scorer = Some("new".to_owned()));
    rows
}

#[tokio::test]
async fn verdicts_of_two_scorers_are_shown_side_by_side_and_not_compared() {
    let (_, page) = page(of_two_scorers(), "/en/compare?run=a&run=b").await;
    assert!(page.contains("Not judged alike, other scorer: scorer in a, new in b."));
    assert!(page.contains("nothing is said of which is better"));
    for said in [
        "is worse than",
        "did better",
        "Worse",
        "Accepted, of those answered",
        ">Accepted</th>",
        "Difference</a>",
    ] {
        assert!(!page.contains(said), "{said}");
    }
    assert!(page.contains("No answer (error)") && page.contains("In both 100"));
}

#[tokio::test(start_paused = true)]
async fn of_runs_that_cannot_be_judged_again_the_page_says_why_and_what_else_can_be_done() {
    let (status, page) = page(of_two_scorers(), "/en/compare?run=a&run=b").await;
    assert_eq!(status, StatusCode::OK);
    let why = "The answers could not be scored again: MongoDB at 127.0.0.1:1 does not answer.";
    assert!(page.contains(why) && page.contains("make report RUN=a,b"), "{page}");
}

#[test]
fn the_page_says_by_what_answers_are_judged_again_and_how_far_that_is() {
    let standard = || Standard {
        scorer: "<new>".to_owned(),
        threshold: 0.7,
    };
    let under_way = Judging::UnderWay(standard(), 40);
    let said = |l, judging: &Judging| alike::said(l, &Address::default(), &[], judging).into_string();
    let en = said(Language::English, &under_way);
    assert!(
        en.contains("scored again by &lt;new&gt;, the newest of these scorers, at the threshold 0.7."),
        "{en}"
    );
    assert!(en.contains("40 % are done"));
    assert!(said(Language::Spanish, &under_way).contains("Va el 40 %"));
    let again = said(Language::English, &Judging::Again(Verdicts::with(standard(), [])));
    assert!(again.contains("scored again by &lt;new&gt;") && !again.contains("done"));
}

#[tokio::test]
async fn a_place_in_a_list_that_is_no_more_is_the_start_of_another() {
    let (_, page) = page(worse_run(), "/en/compare?run=a&run=b&tab=both&after=-1_0.5_7").await;
    assert!(page.contains("Questions on which b did worse than a") && page.contains("q60"));
}

#[tokio::test]
async fn runs_that_share_no_question_are_told_so_and_why() {
    let rows = vec![outcome("a", "one", 1, Some(0.9)), outcome("b", "two", 2, Some(0.9))];
    let (status, page) = page(rows, "/en/compare?run=a&run=b").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("share no question and cannot be compared: they had other datasets, or other draws"));
    assert!(page.contains("1 questions only in a, 1 only in b.") && page.contains("not asked"));
}

#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named() {
    for (parameter, said) in [("tab=x", "tab=x cannot be used"), ("after=x", "after=x cannot be used")] {
        let (status, page) = page(worse_run(), &format!("/en/compare?run=a&run=b&{parameter}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(page.contains(said), "{page}");
    }
}

#[tokio::test]
async fn settings_are_told_apart_by_what_mongodb_knows_of_them() {
    let mut rows = two_runs(&[Some(0.9); 3], &[Some(0.9); 3]);
    for row in &mut rows {
        row.settings = row.run.as_ref().map(|run| format!("hash-{run}"));
    }
    let found = compared(rows).await;
    let known = ["a", "b"].map(|run| ModelSettings {
        hash: format!("hash-{run}"),
        mode: "openai".to_owned(),
        models: vec![],
        prompt_version: format!("{run}-1"),
        since: 0,
        seen: 0,
    });
    let compared = [Arc::new(found)];
    let drawn = |known| verdict::sections(Language::English, &Address::default(), &compared, known).into_string();
    let shown = drawn(Some(&known[..]));
    let (differ, same) = shown.split_once("4 settings are the same").unwrap();
    assert!(
        differ.contains(r#">Prompt versions</th><td class="text">a-1</td><td class="text">b-1</td>"#),
        "{differ}"
    );
    assert!(same.contains("openai") && same.contains("0.65"));
    assert!(drawn(None).contains("MongoDB cannot be read now"));
}

#[tokio::test]
async fn a_list_is_walked_to_its_end_and_back_in_every_order_and_each_question_is_on_one_page() {
    let random = |number: i32, salt: i32| f64::from((number * 7919 + salt) % 97) / 97.0;
    let score = |number, salt| (number % 11 != salt).then(|| random(number, salt));
    let runs = [3, 5].map(|salt| (0..230).map(|number| score(number, salt)).collect::<Vec<_>>());
    let found = compared(two_runs(&runs[0], &runs[1])).await;
    for tab in [Tab::Worse, Tab::Better, Tab::Same, Tab::Both, Tab::Only] {
        for (sort, is_reversed) in Sort::ALL.into_iter().flat_map(|sort| [(sort, false), (sort, true)]) {
            let start = Address {
                sort,
                is_reversed,
                ..Address::default()
            };
            let forwards = walk(&found, &start, tab, Place::First);
            let mut backwards = walk(&found, &start, tab, Place::Before(String::new()));
            backwards.reverse();
            assert_eq!(forwards, backwards);
            assert_eq!(forwards.len(), order::count(&found, tab), "{tab:?}");
            assert_eq!(forwards.iter().collect::<BTreeSet<_>>().len(), forwards.len());
        }
    }
}

/// The places of all rows, page after page, until there is none in that direction.
fn walk(found: &Comparison, start: &Address, tab: Tab, from: Place) -> Vec<String> {
    let (mut walked, mut place) = (vec![], from);
    loop {
        let page = order::page(found, &start.at(place.clone()), tab).unwrap();
        let mut rows: Vec<String> = page.rows.iter().map(|(place, _)| place.written()).collect();
        let is_forwards = !matches!(place, Place::Before(_));
        if !is_forwards {
            rows.reverse();
        }
        let is_left = if is_forwards { page.is_after } else { page.is_before };
        let last = rows.last().cloned();
        walked.extend(rows);
        match last.filter(|_| is_left) {
            Some(last) => {
                place = if is_forwards {
                    Place::After(last)
                } else {
                    Place::Before(last)
                }
            }
            None => return walked,
        }
    }
}

#[tokio::test]
async fn the_greatest_change_is_first_and_what_has_no_score_is_last() {
    let first = [Some(0.9), Some(0.9), Some(0.7), None, Some(0.3)];
    let second = [Some(0.3), Some(0.1), Some(0.9), Some(0.9), None];
    let found = compared(two_runs(&first, &second)).await;
    let shown = |tab, sort, is_reversed| {
        let address = Address {
            sort,
            is_reversed,
            ..Address::default()
        };
        let page = order::page(&found, &address, tab).unwrap();
        let scores = page
            .rows
            .iter()
            .map(|(_, entry)| entry.second.unwrap().mean(crate::comparison::Measure::Score));
        scores
            .map(|score| {
                if score.is_nan() {
                    "–".to_owned()
                } else {
                    score.to_string()
                }
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(Tab::Worse, Sort::Change, false), ["0.1", "0.3"]);
    assert_eq!(shown(Tab::Worse, Sort::Change, true), ["0.3", "0.1"]);
    assert_eq!(shown(Tab::Both, Sort::Second, false), ["0.1", "0.3", "0.9", "0.9", "–"]);
    assert_eq!(shown(Tab::Both, Sort::Second, true), ["0.9", "0.9", "0.3", "0.1", "–"]);
}

fn list(runs: Vec<RunMetrics>) -> runs::List {
    let ends = runs::Ends {
        models: vec!["small".to_owned(), "offline".to_owned()],
        scorers: vec!["0123456789".to_owned(), "abcdefghij".to_owned()],
    };
    runs::List {
        runs,
        ends: HashMap::from([("<i>a</i>".to_owned(), ends)]),
        others: None,
        is_there_more: true,
    }
}

fn run(name: &str) -> RunMetrics {
    RunMetrics {
        run: Some(name.to_owned()),
        decided: 12_000,
        accepted: 8520,
        began_at: DateTime::from_millis(1_772_366_400_000),
        spent: Spending {
            nanodollars: 1_500_000_000,
            by_model: BTreeMap::from([(
                "key".to_owned(),
                Model {
                    name: "small".to_owned(),
                },
            )]),
        },
    }
}

#[test]
fn the_list_of_runs_shows_what_came_of_each_and_lets_some_be_chosen() {
    let now = Timestamp::from_millisecond(1_772_373_600_000).unwrap();
    let drawn = runs::draw(
        Language::English,
        &Address::default(),
        &list(vec![run("<i>a</i>")]),
        now,
    )
    .into_string();
    for part in [
        r#"<input type="checkbox" name="run" value="&lt;i&gt;a&lt;/i&gt;""#,
        "71.0\u{a0}% · 8,520 of 12,000",
        "2026-03-01 12:00",
        "2 h ago",
        ">01234567</code> → <code",
        ">offline, small<",
        "1.5000",
        "after=1772366400000_%3Ci%3Ea%3C%2Fi%3E",
    ] {
        assert!(drawn.contains(part), "{part} in {drawn}");
    }
    let chosen = Address {
        runs: vec!["<i>a</i>".to_owned()],
        ..Address::default()
    };
    let drawn = runs::draw(Language::Spanish, &chosen, &list(vec![run("<i>a</i>")]), now).into_string();
    assert_eq!(drawn.matches(r#"name="run""#).count(), 1, "in its row");
    assert!(drawn.contains(r#"value="&lt;i&gt;a&lt;/i&gt;" checked"#) && drawn.contains("elija también otra"));
    let elsewhere = runs::draw(Language::English, &chosen, &list(vec![run("b")]), now).into_string();
    assert_eq!(
        elsewhere.matches(" checked").count(),
        1,
        "what another page has stays chosen"
    );
    assert!(drawn.contains("71,0\u{a0}% · 8\u{202f}520 de 12\u{202f}000") && drawn.contains("hace 2 h"));
}

#[test]
fn without_runs_the_list_says_how_to_begin_one() {
    let drawn = runs::draw(
        Language::English,
        &Address::default(),
        &list(vec![]),
        Timestamp::UNIX_EPOCH,
    )
    .into_string();
    assert!(drawn.contains("No run has an outcome yet.") && drawn.contains("make traffic"));
}

#[test]
fn the_names_nearest_to_an_unknown_one_come_first() {
    let names = ["other", "demo-1", "demo-2"].map(str::to_owned);
    assert_eq!(nearest("demo-3", &names)[..2], ["demo-1", "demo-2"]);
    let said = unknown(Language::English, "demo-3", &names);
    assert!(
        said.starts_with("There is no run demo-3. The nearest names: demo-1, demo-2"),
        "{said}"
    );
    assert!(unknown(Language::English, "demo-1", &names).contains("has no outcome here"));
    assert_eq!(unknown(Language::Spanish, "x", &[]), "No hay ninguna ejecución x.");
}
