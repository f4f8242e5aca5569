//! The gate: who may call, who waits, and what an outage costs: time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::gate::{Gate, GateLimits, Next, Pass, Visit};
use crate::model::{ErrorKind, ModelError};
use crate::test_support::GATE;
use contracts::value::Id;
use futures::future::join_all;
use tokio::time::{Instant, timeout};

fn gate(concurrency: usize) -> Arc<Gate> {
    Arc::new(Gate::new(GateLimits { concurrency, ..GATE }))
}

fn id(name: &str) -> Id {
    name.to_owned().try_into().unwrap()
}

fn error(kind: ErrorKind) -> Result<(), ModelError> {
    Err(ModelError::new(kind, "no"))
}

/// What a server says that is up, and cannot.
fn busy() -> Result<(), ModelError> {
    Err(ModelError {
        status: Some(503),
        ..ModelError::new(ErrorKind::Unavailable, "busy")
    })
}

async fn enter<'a>(gate: &'a Gate, visit: &mut Visit) -> Pass<'a> {
    timeout(Duration::from_secs(3600), gate.enter(visit, 1))
        .await
        .unwrap()
        .unwrap()
}

/// One call of a question of that name.
async fn call(gate: &Gate, name: &str, result: &Result<(), ModelError>) {
    let pass = enter(gate, &mut gate.visit()).await;
    pass.finish(&id(name), result);
}

/// Asks a question until the gate says that it ends, or there is an answer; gives the calls that took.
async fn ask(gate: &Gate, name: &str, retries: u32, server: impl Fn() -> Result<(), ModelError>) -> (bool, u32) {
    let mut visit = gate.visit();
    for calls in 1.. {
        let pass = enter(gate, &mut visit).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let result = server();
        pass.finish(&id(name), &result);
        let Err(error) = result else { return (true, calls) };
        match gate.after(&mut visit, &error, retries).await {
            Next::End => return (false, calls),
            Next::Again { .. } => {}
        }
    }
    unreachable!()
}

#[tokio::test(start_paused = true)]
async fn no_more_than_allowed_are_in_and_the_rest_follow_in_their_order() {
    let (gate, order) = (gate(2), Arc::new(Mutex::new(vec![])));
    let calls = (0..10).map(|number| {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        async move {
            let pass = enter(&gate, &mut gate.visit()).await;
            order.lock().unwrap().push(number);
            assert!(gate.report().in_flight <= 2);
            tokio::time::sleep(Duration::from_millis(10)).await;
            pass.finish(&id("q"), &Ok::<_, ModelError>(()));
        }
    });
    join_all(calls).await;
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_retry_does_not_go_behind_those_who_came_later() {
    let gate = gate(1);
    let mut first = gate.visit();
    let pass = enter(&gate, &mut first).await;
    let mut later: Vec<_> = (0..3).map(|_| gate.visit()).collect();
    let others = join_all(later.iter_mut().map(|visit| enter(&gate, visit)));
    let retry = async {
        tokio::task::yield_now().await;
        let waiting = enter(&gate, &mut first);
        pass.finish(&id("q"), &error(ErrorKind::Unavailable));
        drop(waiting.await);
    };
    tokio::select! {
        biased;
        _ = others => panic!("all of them came first"),
        () = retry => {}
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_gate_is_closed_one_at_a_time_tries_and_each_time_another() {
    let gate = gate(8);
    call(&gate, "q", &error(ErrorKind::Unreachable)).await;
    let tried = Arc::new(Mutex::new(vec![]));
    let visits = (0..5).map(|number| {
        let (gate, tried) = (Arc::clone(&gate), Arc::clone(&tried));
        async move {
            let mut visit = gate.visit();
            loop {
                let pass = enter(&gate, &mut visit).await;
                assert!(gate.report().in_flight == 1 || gate.report().gate == "open");
                tokio::time::sleep(Duration::from_millis(10)).await;
                let count = {
                    let mut tried = tried.lock().unwrap();
                    tried.push(number);
                    tried.len()
                };
                if count > 7 {
                    return pass.finish(&id("q"), &Ok::<_, ModelError>(()));
                }
                pass.finish(&id("q"), &error(ErrorKind::Unreachable));
            }
        }
    });
    let report = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        gate.report()
    };
    let (_, report) = tokio::join!(join_all(visits), report);
    assert_eq!(
        (report.gate, report.cause, report.waiting),
        ("closed", Some("unreachable"), 5)
    );
    assert_eq!(gate.report().gate, "open");
    assert_eq!(tried.lock().unwrap()[..8], [0, 1, 2, 3, 4, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_poisonous_question_cannot_keep_the_gate_shut_and_ends_alone() {
    let gate = gate(4);
    for number in 0..5 {
        call(&gate, &format!("q{number}"), &error(ErrorKind::Unavailable)).await;
    }
    assert_eq!(gate.report().gate, "closed");
    let poison = ask(&gate, "poison", 4, || error(ErrorKind::Unavailable));
    let others = join_all((0..20).map(|_| ask(&gate, "other", 4, || Ok(()))));
    let (poison, others) = tokio::join!(poison, others);
    let (answered, calls) = poison;
    assert!(!answered && (2..=7).contains(&calls), "{calls} calls");
    assert!(others.iter().all(|&(answered, calls)| answered && calls == 1));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_kind_makes_no_question_an_error() {
    for kind in [
        ErrorKind::Unreachable,
        ErrorKind::Unauthorized,
        ErrorKind::QuotaExhausted,
        ErrorKind::RateLimited,
        ErrorKind::Unavailable,
        ErrorKind::Refused,
        ErrorKind::Timeout,
        ErrorKind::InvalidResponse,
    ] {
        let gate = gate(64);
        let over = Instant::now() + Duration::from_secs(600);
        let server = move || {
            if Instant::now() < over { error(kind) } else { Ok(()) }
        };
        let names: Vec<_> = (0..200).map(|number| format!("q{number}")).collect();
        let asked = join_all(names.iter().map(|name| ask(&gate, name, 4, server))).await;
        assert!(asked.iter().all(|(answered, _)| *answered), "{kind:?}");
        let calls: u32 = asked.iter().map(|(_, calls)| calls).sum();
        assert!(calls < 200 + 2 * 64 + 30, "{kind:?}: {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_makes_no_error_of_a_question_that_is_alone_however_few_its_retries() {
    for retries in [0, 1, 4] {
        let gate = gate(64);
        let over = Instant::now() + Duration::from_secs(600);
        let server = move || {
            if Instant::now() < over { busy() } else { Ok(()) }
        };
        let (answered, calls) = ask(&gate, "alone", retries, server).await;
        assert!(answered && calls < 40, "{retries} retries: {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_no_server_can_answer_waits_alone_and_ends_once_others_are_answered() {
    let gate = gate(4);
    let later = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(gate.report().gate, "closed");
        join_all((0..20).map(|_| ask(&gate, "other", 4, || Ok(())))).await
    };
    let poison = ask(&gate, "poison", 1, busy);
    let ((answered, _), others) = tokio::join!(poison, later);
    assert!(!answered && others.iter().all(|(answered, _)| *answered));
    assert_eq!(gate.report().gate, "open");
}

#[tokio::test(start_paused = true)]
async fn questions_that_come_one_after_the_other_are_compared_before_any_ends() {
    let comparison = Duration::from_secs(5);
    let gate = Gate::new(GateLimits { comparison, ..GATE });
    let over = Instant::now() + Duration::from_secs(60);
    let server = move || {
        if Instant::now() < over {
            error(ErrorKind::Refused)
        } else {
            Ok(())
        }
    };
    let names = ["q1", "q2", "q3", "q4"];
    let asked = join_all(names.iter().enumerate().map(|(number, name)| {
        let gate = &gate;
        async move {
            tokio::time::sleep(Duration::from_secs(number as u64)).await;
            ask(gate, name, 0, server).await.0
        }
    }));
    assert_eq!(asked.await, [true; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_refused_while_others_are_answered_ends_with_one_call() {
    let gate = gate(4);
    let refused = ask(&gate, "refused", 0, || error(ErrorKind::Refused));
    let others = join_all((0..5).map(|_| ask(&gate, "other", 4, || Ok(()))));
    assert_eq!(tokio::join!(refused, others).0, (false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_refused_for_its_size_again_and_again_while_others_are_answered_ends() {
    let gate = gate(4);
    let large = ask(&gate, "large", 0, || error(ErrorKind::RateLimited));
    let others = async {
        loop {
            ask(&gate, "other", 0, || Ok(())).await;
        }
    };
    tokio::select! {
        (answered, calls) = large => assert!(!answered && (10..=11).contains(&calls), "{calls} calls"),
        () = others => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_began_before_the_gate_closed_does_not_open_it() {
    let gate = gate(4);
    let earlier = enter(&gate, &mut gate.visit()).await;
    call(&gate, "q", &error(ErrorKind::RateLimited)).await;
    earlier.finish(&id("q"), &Ok::<_, ModelError>(()));
    assert_eq!(gate.report().gate, "closed");
    call(&gate, "q", &Ok(())).await;
    assert_eq!(gate.report().gate, "open");
}

#[tokio::test(start_paused = true)]
async fn after_a_deadline_of_ones_own_choice_what_waits_becomes_an_error() {
    let outage_deadline = Some(Duration::from_secs(60));
    let gate = Gate::new(GateLimits {
        outage_deadline,
        ..GATE
    });
    let started = Instant::now();
    call(&gate, "q", &error(ErrorKind::Unreachable)).await;
    let waiting = join_all((0..3).map(|_| async {
        let mut visit = gate.visit();
        loop {
            match gate.enter(&mut visit, 1).await {
                Ok(pass) => pass.finish(&id("q"), &error(ErrorKind::Unreachable)),
                Err(error) => return error.kind,
            }
        }
    }));
    assert_eq!(waiting.await, [ErrorKind::Unreachable; 3]);
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_its_place() {
    let gate = gate(1);
    let pass = enter(&gate, &mut gate.visit()).await;
    {
        let mut visit = gate.visit();
        assert!(
            timeout(Duration::from_millis(1), gate.enter(&mut visit, 1))
                .await
                .is_err()
        );
    }
    assert_eq!(gate.report().waiting, 0);
    drop(pass);
    enter(&gate, &mut gate.visit()).await;
}

#[tokio::test(start_paused = true)]
async fn refusals_for_too_many_calls_halve_the_concurrency_and_answers_raise_it_again() {
    let gate = gate(64);
    for expected in [32, 16, 8] {
        call(&gate, "q", &error(ErrorKind::RateLimited)).await;
        assert_eq!(gate.report().concurrency, expected);
        call(&gate, "q", &Ok(())).await;
    }
    for _ in 0..3000 {
        call(&gate, "q", &Ok(())).await;
    }
    assert_eq!(gate.report().concurrency, 64);
}
