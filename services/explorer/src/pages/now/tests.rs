//! The page of given states, and its stream.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::condition::{Condition, troubles};
use super::view;
use crate::filler::Reading;
use crate::language::Language::{self, English, Spanish};
use crate::sampler::{Backlog, Decided, Flink, Job, Kafka, Point, Run, Sampler, Share, State, Stored, WORK};
use crate::test_support;
use crate::web::{App, routes};

const NOW_S: i64 = 1_700_000_000;

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW_S - seconds).unwrap()
}

/// A stack that works: 412 questions a second, of which two are errors.
fn working() -> State {
    let mut state = State::default();
    state.decided.note(ago(0), Ok(decided()));
    state.kafka.note(ago(0), Ok(kafka(0, None)));
    state.flink.note(ago(0), Ok(flink()));
    let newest = Some(Run {
        name: "a&b <i>".into(),
        decided: 12_000,
        accepted: 8520,
    });
    state.stored.note(
        ago(0),
        Ok(Stored {
            decided: 12_000,
            newest,
        }),
    );
    state
}

fn decided() -> Decided {
    Decided {
        last: Some(ago(2)),
        per_second: 412.0,
        window_s: 60.0,
        p50_p99: Some((22, 1082)),
        newest_p99: Some(900),
        errors: Share { count: 2, of: 24_720 },
        hits: Share {
            count: 9394,
            of: 24_720,
        },
    }
}

/// With so many records that wait for the model, and one copy of each service.
fn kafka(waiting: u64, oldest: Option<i64>) -> Kafka {
    let backlog = |topic, group| Backlog {
        topic,
        group,
        waiting: 0,
        a_minute_ago: Some(0),
        oldest: None,
    };
    let mut backlogs: Vec<_> = WORK
        .iter()
        .flat_map(|work| work.topics.iter().map(|topic| backlog(topic, work.group)))
        .collect();
    let model = backlogs
        .iter_mut()
        .find(|backlog| backlog.topic == "llm_requests")
        .unwrap();
    (model.waiting, model.oldest) = (waiting, oldest);
    let members = [
        "cache-service",
        "cache-service-regenerations",
        "llm-consumer",
        "storage-service",
    ];
    Kafka {
        backlogs,
        members: BTreeMap::from(members.map(|group| (group, 1))),
    }
}

fn flink() -> Flink {
    let job = Job {
        state: "RUNNING".into(),
        started: ago(10_800),
        works: true,
        saved: Some(ago(4)),
        save_every: Duration::from_secs(10),
        failures: 0,
        failure: None,
    };
    Flink {
        taskmanagers: 1,
        job: Some(job),
    }
}

fn html(state: &State, l: Language) -> String {
    view::content(state, None, ago(0), l)
        .into_string()
        .replace('\u{a0}', " ")
}

/// What is wrong, in both languages.
fn wrong(state: &State) -> [Vec<String>; 2] {
    Language::ALL.map(|l| {
        troubles(state, None, ago(0), l)
            .into_iter()
            .map(|trouble| format!("{} [{}]", trouble.what.replace('\u{a0}', " "), trouble.command))
            .collect()
    })
}

/// A change to the job of a stack that works otherwise.
fn with_job(change: impl FnOnce(&mut Job)) -> State {
    let mut state = working();
    let mut flink = flink();
    change(flink.job.as_mut().unwrap());
    state.flink.note(ago(0), Ok(flink));
    state
}

#[test]
fn a_stack_that_works_says_so_with_its_figures() {
    let mut state = working();
    state.kafka.note(ago(0), Ok(kafka(83, Some(1000 * NOW_S - 1200))));
    let english = html(&state, English);
    for said in [
        r#"<strong aria-live="polite">Working.</strong> <span>412 questions/s decided; the oldest one waiting is 1.2 s old.</span>"#,
        "22 ms · 1.1 s",
        "<span class=\"value\">0.0 %</span><span class=\"quiet small\">2 of 24,720</span>",
        "38.0 %",
        "71.0 % (8,520 of 12,000) accepted",
        "answers; 12,000 decided",
        "llm_requests 83 (1.2 s)",
        "up 3 h; checkpoint 4 s ago; 1 TaskManager",
    ] {
        assert!(english.contains(said), "{said} is not in {english}");
    }
    let spanish = html(&state, Spanish);
    for said in [
        ">Funciona.<",
        "la más antigua en espera tiene 1,2 s",
        "71,0 % (8\u{202f}520 de 12\u{202f}000) aceptadas",
        "1 copia",
    ] {
        assert!(spanish.contains(said), "{said} is not in {spanish}");
    }
    assert!(!english.contains("What is wrong") && !spanish.contains("Qué va mal"));
}

#[test]
fn the_name_of_a_run_is_text_and_its_link_is_encoded() {
    let page = html(&working(), English);
    assert!(page.contains("<bdi>a&amp;b &lt;i&gt;</bdi>"), "{page}");
    assert!(
        page.contains(r#"href="/en/questions?run=a%26b+%3Ci%3E&amp;sort=score&amp;order=asc&amp;distinct=yes""#),
        "{page}"
    );
}

#[test]
fn without_traffic_the_page_says_how_to_start_some_or_since_when_all_is_decided() {
    let mut state = working();
    state.decided.note(ago(0), Ok(Decided::default()));
    state.stored.note(ago(0), Ok(Stored::default()));
    assert!(
        html(&state, English).contains("Nothing decided yet.")
            && html(&state, Spanish).contains("<code>make traffic</code> envía")
    );
    state.decided.note(
        ago(0),
        Ok(Decided {
            last: Some(ago(240)),
            ..Decided::default()
        }),
    );
    let page = html(&state, English);
    assert!(
        page.contains("At rest") && page.contains("The last verdict was 4 min ago."),
        "{page}"
    );
    assert!(html(&State::default(), Spanish).contains("Mirando cada parte…"));
}

#[test]
fn a_source_that_is_away_is_named_with_its_time_and_what_it_said_grows_old() {
    let mut state = working();
    state.kafka.note(ago(12), Ok(kafka(83, None)));
    state.kafka.note(ago(9), Err(anyhow::anyhow!("<refused>")));
    let page = html(&state, English);
    assert!(
        page.contains("Kafka does not answer, since 22:13:11 UTC (9 s): &lt;refused&gt;."),
        "{page}"
    );
    assert!(
        page.contains(
            "<div class=\"old\"><dt>Waiting</dt><dd><span class=\"value\">83</span><span class=\"quiet small\">12 s old"
        ),
        "{page}"
    );
    assert!(
        page.contains("not known: Kafka does not answer") && page.contains("questions_in –"),
        "{page}"
    );
    assert_eq!(page.matches("make logs SERVICE=kafka").count(), 1);
    assert!(html(&state, Spanish).contains("Kafka no responde, desde las 22:13:11 UTC (9 s)"));
    // What depends on it is not said to be wrong as well.
    assert_eq!(wrong(&state)[0].len(), 1);
}

#[test]
fn a_part_without_a_copy_is_wrong_and_the_more_so_while_records_wait_for_it() {
    let mut state = working();
    let mut kafka = kafka(1234, Some(1000 * (NOW_S - 10)));
    kafka.members.extend([("llm-consumer", 0), ("storage-service", 0)]);
    state.kafka.note(ago(0), Ok(kafka));
    let [english, spanish] = wrong(&state);
    assert_eq!(
        english,
        [
            "llm-consumer does not run, and 1,234 records wait for it in llm_requests. [make logs SERVICE=llm-consumer]",
            "storage-service does not run: nobody reads validated_responses, llm_errors. [make logs SERVICE=storage-service]",
        ]
    );
    assert!(
        spanish[0].starts_with("llm-consumer no está en marcha, y 1\u{202f}234 registros"),
        "{spanish:?}"
    );
    let page = html(&state, English);
    assert!(
        page.contains("2 things are wrong") && page.contains("does not run</td>"),
        "{page}"
    );
}

#[test]
fn what_keeps_the_job_from_its_work_is_said() {
    let mut none = working();
    none.flink.note(ago(0), Ok(Flink::default()));
    assert_eq!(wrong(&none).map(|found| found.len()), [2, 2]);
    let cases = [
        (
            with_job(|job| (job.works, job.state) = (false, "FAILED".into())),
            "is FAILED",
            "está FAILED",
        ),
        (
            with_job(|job| job.works = false),
            "Not every task",
            "No se ejecutan todas",
        ),
        (
            with_job(|job| (job.failures, job.failure) = (3, Some("disk full".into()))),
            "The newest 3 checkpoints of the Flink job failed; the last was 4 s ago: disk full.",
            "Los últimos 3 puntos de control",
        ),
        (
            with_job(|job| job.saved = Some(ago(240))),
            "saves no checkpoint: the last was 4 min ago",
            "el último fue hace 4 min",
        ),
        (
            with_job(|job| job.saved = None),
            "there is none yet",
            "aún no hay ninguno",
        ),
    ];
    for (state, english, spanish) in cases {
        let found = wrong(&state);
        assert!(
            found[0].len() == 1 && found[0][0].contains(english),
            "{english}: {found:?}"
        );
        assert!(found[1][0].contains(spanish), "{spanish}: {found:?}");
    }
    let young = with_job(|job| (job.saved, job.started, job.failures) = (None, ago(30), 1));
    assert_eq!(wrong(&young)[0], [""; 0]);
    let seldom = with_job(|job| (job.saved, job.save_every) = (Some(ago(1000)), Duration::from_secs(600)));
    assert_eq!(wrong(&seldom)[0], [""; 0]);
}

#[test]
fn a_backlog_is_wrong_when_it_is_old_and_grows() {
    let behind = |age, before| {
        let mut kafka = kafka(500, Some(1000 * (NOW_S - age)));
        kafka
            .backlogs
            .iter_mut()
            .for_each(|backlog| backlog.a_minute_ago = before);
        let mut state = working();
        state.kafka.note(ago(0), Ok(kafka));
        wrong(&state)
    };
    let [english, spanish] = behind(180, Some(400));
    let said = "llm-consumer falls behind: 500 records wait in llm_requests, 100 more than a minute ago, the oldest for 3 min.";
    assert_eq!(english, [format!("{said} [make logs SERVICE=llm-consumer]")]);
    assert!(spanish[0].contains("100 más que hace un minuto"), "{spanish:?}");
    for (age, before) in [(180, Some(600)), (180, None), (20, Some(400))] {
        assert_eq!(behind(age, before)[0], [""; 0]);
    }
}

#[test]
fn an_index_that_is_read_anew_is_said_and_is_nothing_wrong() {
    let reading = Some(Reading { done: 340, of: 1000 });
    let found = troubles(&working(), reading, ago(0), English);
    assert_eq!(Condition::of(&working(), &found), Condition::Working);
    let page = view::content(&working(), reading, ago(0), English).into_string();
    assert!(
        page.contains("it covers 34.0\u{a0}% so far (340 of 1,000 results)") && page.contains("Good to know"),
        "{page}"
    );
}

#[test]
fn the_last_hour_is_drawn_with_what_is_seen_on_it() {
    let mut state = working();
    for (seconds, per_second) in [(1200, 980.0), (600, 100.0), (0, 412.0)] {
        state.history.add(Point {
            at: ago(seconds),
            per_second: Some(per_second),
            waiting: Some(3.0),
            p99: None,
        });
    }
    let page = html(&state, English);
    assert!(
        page.contains("<title>Decided/s: 412 now; at most 980, at 21:53:20 UTC</title>"),
        "{page}"
    );
    assert!(
        page.contains("Latency p99 (log): no figures yet") && page.contains(">−60 min<"),
        "{page}"
    );
    assert!(html(&state, Spanish).contains("412 ahora; como mucho 980, a las 21:53:20 UTC"));
    // Nothing that the policy of contents forbids.
    assert!(!page.contains("style=") && !page.contains("onclick"));
    assert!(page.len() < 20_000, "{} bytes a second", page.len());
}

/// The service without its servers.
async fn app(folder: &TempDir, shutdown: CancellationToken) -> App {
    App {
        sampler: Sampler::new(shutdown),
        ..test_support::app(folder.path()).await.0
    }
}

#[tokio::test]
async fn the_page_has_its_address_with_and_without_a_slash() {
    let folder = TempDir::new().unwrap();
    let routes = routes(app(&folder, CancellationToken::new()).await);
    for (address, title) in [("/en", "Now"), ("/en/", "Now"), ("/es", "Ahora"), ("/es/", "Ahora")] {
        let request = Request::get(address)
            .header("host", "localhost")
            .body(Body::empty())
            .unwrap();
        let response = routes.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        let page = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{address}: {page}");
    }
}

#[tokio::test]
async fn the_stream_sends_the_whole_page_each_second_and_ends_when_the_service_stops() {
    let folder = TempDir::new().unwrap();
    let shutdown = CancellationToken::new();
    let app = app(&folder, shutdown.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut stream = http
        .get(format!("http://{address}/es/now/events"))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while text.matches("\n\n").count() < 2 {
        text.push_str(str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    for event in text.split_terminator("\n\n") {
        assert!(
            event.contains("retry: 3000") && event.contains("data: <p class=\"summary\">"),
            "{event}"
        );
        assert!(
            event.contains("Mirando cada parte…") && event.contains("</table>"),
            "{event}"
        );
    }

    shutdown.cancel();
    while stream.chunk().await.unwrap().is_some() {}
    server.await.unwrap().unwrap();
}
