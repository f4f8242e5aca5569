//! What the index promises, without any server: rows are made here, and written and read as ever.

use rusqlite::Connection;
use tempfile::TempDir;

use super::query::{Filter, Order, Place, Query, Rank, Run, Sort};
use super::row::{Row, answer_id, key};
use super::search::{self, Page};
use super::writer::{Added, Learnt};
use super::{FILE, Index, Writer};

/// When the first outcome of these tests was decided.
pub const START: i64 = 1_770_000_000_000;

/// An accepted answer, decided so many milliseconds after the start.
pub fn row(id: &str, after: i64) -> Row {
    Row {
        key: key(START + after, id),
        message_id: id.to_owned(),
        question_id: format!("q-{id}"),
        answer_id: Some(answer_id(id, "an answer")),
        run: Some("demo".to_owned()),
        subject: Some("Science".to_owned()),
        verdict: "accepted".to_owned(),
        source: Some("llm".to_owned()),
        error: None,
        model: Some("small".to_owned()),
        settings: None,
        scorer: None,
        threshold: Some(0.65),
        attempts: 1,
        score: Some(0.8),
        unsure: false,
        latency: Some(20),
        cost: Some(1000),
        tokens: Some((1200, 34)),
        decided_at: START + after,
        question: format!("Why is {id}?"),
        reference: "Because of scattering.".to_owned(),
        answer: "an answer".to_owned(),
    }
}

/// An outcome without an answer.
pub fn error(id: &str, after: i64) -> Row {
    Row {
        verdict: "error".to_owned(),
        source: None,
        error: Some("timeout".to_owned()),
        score: None,
        answer_id: None,
        answer: String::new(),
        ..row(id, after)
    }
}

fn scored(id: &str, after: i64, score: f64) -> Row {
    Row {
        score: Some(score),
        ..row(id, after)
    }
}

/// An index with these rows.
pub fn index(rows: Vec<Row>) -> (TempDir, Index, Writer) {
    let folder = TempDir::new().unwrap();
    let (index, mut writer) = Index::open(folder.path()).unwrap();
    writer.add(rows, Learnt::Topic).unwrap();
    index.sleep().end();
    (folder, index, writer)
}

#[tokio::test(start_paused = true)]
async fn who_looks_for_nobody_wakes_nothing() {
    let folder = TempDir::new().unwrap();
    let (index, _writer) = Index::open(folder.path()).unwrap();
    index.read_asleep(|_| Ok(())).await.unwrap();
    assert!(index.sleep().is_asleep());
    index.read(|_| Ok(())).await.unwrap();
    assert!(!index.sleep().is_asleep());
}

fn open(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join(FILE)).unwrap()
}

fn page(connection: &Connection, query: &Query) -> Page {
    search::page(connection, query).unwrap()
}

fn ids(page: &Page) -> Vec<&str> {
    page.rows.iter().map(|row| row.shown.message_id.as_str()).collect()
}

fn parsed(text: &str) -> Query {
    Query::parse(text, &[]).unwrap()
}

#[test]
fn the_first_outcome_of_an_id_stays_and_adding_twice_is_nothing() {
    let (folder, _, mut writer) = index(vec![row("a", 0), row("b", 1)]);
    assert_eq!(writer.add(vec![row("a", 0)], Learnt::Topic).unwrap(), Added::default());
    let doubtful = writer.add(vec![error("a", 5), row("c", 2)], Learnt::Topic).unwrap();
    assert_eq!((doubtful.new, doubtful.doubtful), (1, vec!["a".to_owned()]));
    let page = page(&open(&folder), &Query::default());
    assert_eq!(ids(&page), ["c", "b", "a"]);
    assert_eq!(
        (page.counts.matching, page.rows[2].shown.verdict.as_str()),
        (3, "accepted")
    );
}

#[test]
fn what_mongodb_has_replaces_what_a_topic_said() {
    let (folder, _, mut writer) = index(vec![row("a", 0), row("b", 1)]);
    assert_eq!(writer.add(vec![error("a", 5)], Learnt::Stored).unwrap().new, 1);
    let connection = open(&folder);
    assert_eq!(ids(&page(&connection, &parsed("verdict=error"))), ["a"]);
    assert_eq!(ids(&page(&connection, &Query::default())), ["a", "b"]);
    assert_eq!(
        page(&connection, &parsed("words=answer")).counts.matching,
        1,
        "the words of the first are gone"
    );
}

#[test]
fn what_mongodb_has_no_more_is_removed() {
    let (folder, _, mut writer) = index(vec![row("a", 0), error("b", 1), row("c", 2), row("new", 100)]);
    writer.begin_comparison().unwrap();
    let missing = writer
        .note(vec!["a".to_owned(), "elsewhere".to_owned(), "c".to_owned()])
        .unwrap();
    assert_eq!(missing, ["elsewhere"]);
    assert_eq!(writer.end_comparison(START + 50).unwrap(), 1);
    let connection = open(&folder);
    assert_eq!(ids(&page(&connection, &Query::default())), ["new", "c", "a"]);
    let (_, choices) = search::settle(&connection, Query::default()).unwrap();
    assert!(choices.errors.is_empty(), "nothing can be chosen that is not there");
}

#[test]
fn an_index_of_another_version_or_none_at_all_is_made_anew() {
    let (folder, index, writer) = index(vec![row("a", 0)]);
    drop((index, writer));
    let (again, _) = Index::open(folder.path()).unwrap();
    drop(again);
    assert_eq!(page(&open(&folder), &Query::default()).rows.len(), 1);
    open(&folder).pragma_update(None, "user_version", 0).unwrap();
    drop(Index::open(folder.path()).unwrap());
    assert_eq!(page(&open(&folder), &Query::default()).rows.len(), 0);
    std::fs::write(
        folder.path().join(FILE),
        b"no database, but some bytes that are long enough",
    )
    .unwrap();
    drop(Index::open(folder.path()).unwrap());
    assert_eq!(page(&open(&folder), &Query::default()).rows.len(), 0);
}

#[test]
fn forgotten_texts_are_in_no_file_and_their_rows_stay() {
    let secret = Row {
        question: "Zygomorphic quaffle?".to_owned(),
        answer: "Xylophonic zephyr.".to_owned(),
        ..row("s", 1)
    };
    let (folder, _, mut writer) = index(vec![row("a", 0), secret]);
    // Another process does it.
    let mut other = Index::writer(folder.path()).unwrap().unwrap();
    let files = || {
        let files = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files
            .flatten()
            .map(|byte| byte.to_ascii_lowercase())
            .collect::<Vec<u8>>()
    };
    let has = |word: &[u8]| files().windows(word.len()).any(|bytes| bytes == word);
    assert!(has(b"zygomorphic quaffle?") && has(b"ylophonic"));
    assert_eq!(other.forget(&["q-s".to_owned(), "nobody".to_owned()]).unwrap(), 1);
    assert_eq!(other.forget(&["s".to_owned()]).unwrap(), 0, "it was");
    for word in ["ygomorphic", "uaffle", "ylophonic", "ephyr"] {
        assert!(!has(word.as_bytes()), "{word}");
    }
    let connection = open(&folder);
    let all = page(&connection, &Query::default());
    assert_eq!(ids(&all), ["s", "a"]);
    assert_eq!(
        (all.rows[0].shown.title.as_str(), all.rows[0].shown.answer.as_str()),
        ("", "")
    );
    assert_eq!(page(&connection, &parsed("words=zephyr")).counts.matching, 0);
    assert_eq!(page(&connection, &parsed("words=scattering")).counts.matching, 1);
    assert_eq!(
        writer.add(vec![row("s", 1)], Learnt::Topic).unwrap(),
        Added::default(),
        "the topics bring nothing back"
    );
}

#[test]
fn filters_let_through_what_they_say() {
    let other = Row {
        run: Some("other".to_owned()),
        ..row("o", 9)
    };
    let again = Row {
        attempts: 3,
        unsure: true,
        latency: None,
        verdict: "exhausted".to_owned(),
        ..scored("x", 3, 0.4)
    };
    let dear = |row, cost| Row { cost, ..row };
    let (folder, ..) = index(vec![
        dear(row("a", 0), None),
        dear(scored("b", 1, 0.9), Some(0)),
        dear(error("e", 2), Some(9_000_000_000)),
        dear(again, None),
        other,
    ]);
    let connection = open(&folder);
    let cases: [(&str, &[&str]); 18] = [
        ("", &["o"]),
        ("run=", &["o", "x", "e", "b", "a"]),
        ("run=demo", &["x", "e", "b", "a"]),
        ("run=demo&verdict=error", &["e"]),
        ("run=demo&source=llm", &["x", "b", "a"]),
        ("run=demo&error=timeout", &["e"]),
        ("run=demo&attempts=2..", &["x"]),
        ("run=demo&attempts=1", &["e", "b", "a"]),
        ("run=demo&unsure=yes", &["x"]),
        ("run=demo&topic=Science&score_from=0.8&score_to=0.85", &["a"]),
        (
            "run=demo&from=2026-02-02T02:40:00.001Z&to=2026-02-02T02:40:00.002Z",
            &["e", "b"],
        ),
        ("run=demo&words=WHY+b", &["b"]),
        ("run=demo&words=scattering&verdict=error", &["e"]),
        ("run=demo&sort=score", &["b", "a", "x", "e"]),
        ("run=demo&sort=score&order=asc", &["x", "a", "b", "e"]),
        ("run=demo&sort=latency&order=asc", &["a", "b", "e", "x"]),
        ("run=demo&sort=cost", &["e", "b", "x", "a"]),
        ("run=demo&sort=cost&order=asc", &["b", "e", "a", "x"]),
    ];
    for (text, expected) in cases {
        assert_eq!(ids(&page(&connection, &parsed(text))), expected, "{text}");
    }
    assert_eq!(page(&connection, &parsed("run=demo&verdict=error")).counts.of, 4);
}

#[test]
fn words_are_found_in_any_script() {
    let asked = |id: &str, question: &str| Row {
        question: question.to_owned(),
        ..row(id, 0)
    };
    let (folder, ..) = index(vec![
        asked("a", "¿Por qué el cielo es AZUL?"),
        asked("b", "क्षेत्र क्या है"),
        asked("c", "why-not \"quote\" OR NOT ("),
        asked("d", "空 は なぜ Ⓐ x\u{301}y"),
    ]);
    let connection = open(&folder);
    for (words, expected) in [
        ("por que azul", &["a"][..]),
        ("क्षेत्र", &["b"]),
        ("\"why-not\" OR (not*", &["c"]),
        ("なぜ", &["d"]),
        ("xⒶy", &[]),
        ("xy", &["d"]),
        ("absent", &[]),
    ] {
        let filter = Filter {
            words: Some(words.to_owned()),
            ..Filter::default()
        };
        assert_eq!(
            ids(&page(&connection, &Query::of(filter, Order::default()))),
            expected,
            "{words}"
        );
    }
}

#[test]
fn a_list_is_walked_forwards_and_backwards_without_gaps() {
    let rows = (0..230).map(|number| match number % 10 {
        0 => error(&format!("{number:03}"), number / 3),
        part => scored(&format!("{number:03}"), number / 3, part as f64 / 10.0),
    });
    let (folder, ..) = index(rows.collect());
    let connection = open(&folder);
    for (sort, descending) in Sort::ALL.into_iter().flat_map(|sort| [(sort, true), (sort, false)]) {
        let list = Query::of(Filter::default(), Order::by(sort, descending));
        let (all, ..) = search::groups(&connection, &list, 1000).unwrap();
        assert_eq!(all.len(), 230);
        assert!(all.is_sorted_by_key(|group| group.rank));
        let mut forwards: Vec<Rank> = vec![];
        let mut here = page(&connection, &list);
        loop {
            forwards.extend(here.rows.iter().map(|row| row.rank));
            if !here.has_next {
                break;
            }
            here = page(&connection, &list.at(Place::After(here.rows[49].rank)));
            assert!(here.has_previous);
        }
        let ranks: Vec<Rank> = all.iter().map(|group| group.rank).collect();
        assert_eq!(forwards, ranks);
        let last = page(&connection, &list.at(Place::Last));
        assert_eq!(
            (last.rows.last().map(|row| row.rank), last.has_next),
            (ranks.last().copied(), false)
        );
        let before = page(&connection, &list.at(Place::Before(ranks[60])));
        assert_eq!(
            before.rows.iter().map(|row| row.rank).collect::<Vec<_>>(),
            ranks[10..60]
        );
    }
}

#[test]
fn a_pinned_list_does_not_move_and_counts_what_is_newer() {
    let (folder, _, mut writer) = index(vec![row("a", 0), row("b", 1)]);
    let pinned = Query {
        until: Some(START + 1),
        ..Query::default()
    };
    writer.add(vec![row("c", 2), error("d", 3)], Learnt::Topic).unwrap();
    let here = page(&open(&folder), &pinned);
    assert_eq!((ids(&here), here.counts.newer), (vec!["b", "a"], 2));
    assert_eq!((here.counts.matching, here.counts.of), (2, 2));
}

#[test]
fn equal_answers_share_a_row_that_shows_the_newest() {
    let same = |id: &str, after, score| Row {
        answer_id: Some(answer_id("q", "same")),
        ..scored(id, after, score)
    };
    let (folder, ..) = index(vec![
        same("a", 0, 0.1),
        same("b", 1, 0.1),
        row("c", 2),
        error("e", 3),
        error("f", 4),
        same("g", 5, 0.1),
    ]);
    let connection = open(&folder);
    let worst = parsed("sort=score&order=asc&distinct=yes");
    let here = page(&connection, &worst);
    let shown: Vec<_> = here
        .rows
        .iter()
        .map(|row| (row.shown.message_id.as_str(), row.times))
        .collect();
    assert_eq!(shown, [("g", 3), ("c", 1), ("e", 1), ("f", 1)]);
    let neighbours = search::neighbours(&connection, &worst, row("c", 2).key)
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            neighbours.previous.as_deref(),
            neighbours.next.as_deref(),
            neighbours.place
        ),
        (Some("g"), Some("e"), None)
    );
}

#[test]
fn neighbours_are_those_of_the_list() {
    let (folder, ..) = index(vec![
        scored("a", 0, 0.5),
        scored("b", 1, 0.9),
        scored("c", 2, 0.7),
        error("e", 3),
    ]);
    let connection = open(&folder);
    let around = |text: &str, id: &str| {
        let key = search::key_of(&connection, id).unwrap().unwrap();
        let found = search::neighbours(&connection, &parsed(text), key).unwrap().unwrap();
        (found.previous, found.next, found.place, found.of)
    };
    let some = |id: &str| Some(id.to_owned());
    assert_eq!(around("sort=score", "c"), (some("b"), some("a"), Some(2), 4));
    assert_eq!(around("", "e"), (None, some("c"), Some(1), 4));
    assert_eq!(around("verdict=accepted", "a"), (some("b"), None, Some(3), 3));
    assert_eq!(search::neighbours(&connection, &Query::default(), 1).unwrap(), None);
    assert_eq!(search::key_of(&connection, "nobody").unwrap(), None);
}

#[test]
fn times_that_no_clock_has_do_no_harm() {
    let strange = |id: &str, decided_at| Row {
        key: key(decided_at, id),
        decided_at,
        ..row(id, 0)
    };
    let (folder, ..) = index(vec![strange("past", -5), strange("future", i64::MAX), row("now", 0)]);
    assert_eq!(
        ids(&page(
            &open(&folder),
            &Query::of(
                Filter {
                    run: Run::Any,
                    ..Filter::default()
                },
                Order::default()
            )
        )),
        ["future", "now", "past"]
    );
}
