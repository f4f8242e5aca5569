//! Everything that matches, as a file: streamed, with full texts.
//!
//! What matches is found in the index, some thousand at a time; the outcomes are read from MongoDB, some hundred at a
//! time. If that fails midway the stream is cut, so that the download fails too: half a file must not look whole.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use contracts::value::now;
use futures::{Stream, StreamExt as _, stream};
use messaging::result_document::ResultDocument;

use super::export_row::{Row, csv_lines};
use super::parse;
use crate::index::query::{Order, Place, Query, Run};
use crate::index::{Index, ReadError, search};
use crate::pages::layout::{Problem, Visit};
use crate::store::{Store, StoreError};
use crate::web::App;

/// Keys that are found by one look at the index.
const FOUND: usize = 20_000;
/// Outcomes that are read from MongoDB together.
const READ: usize = 200;
/// How long an export waits for an index that is behind.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an export breaks off.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Index(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// All as CSV.
pub async fn csv(visit: Visit, State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let write = |outcomes: &[ResultDocument], is_first| Ok(csv_lines(outcomes, is_first)?);
    export(
        &visit,
        app,
        text,
        ("csv", "text/csv; charset=utf-8; header=present"),
        write,
    )
    .await
}

/// All as JSON Lines.
pub async fn json_lines(visit: Visit, State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let write = |outcomes: &[ResultDocument], _| {
        let mut lines = vec![];
        for outcome in outcomes {
            serde_json::to_writer(&mut lines, &Row::of(outcome))?;
            lines.push(b'\n');
        }
        Ok(lines)
    };
    export(&visit, app, text, ("jsonl", "application/jsonl"), write).await
}

async fn export(
    visit: &Visit,
    app: App,
    text: Option<String>,
    (ending, kind): (&str, &'static str),
    write: impl Fn(&[ResultDocument], bool) -> Result<Vec<u8>, ExportError> + Send + 'static,
) -> Result<Response, Problem> {
    let mut query = parse(visit, text)?;
    if !app.index.sleep().catches_up_within(PATIENCE).await || app.reading().is_some() {
        return Err(filling(visit));
    }
    query.until.get_or_insert(now().as_millisecond());
    // Every outcome, also where the list has one row for several.
    query.order = Order {
        distinct: false,
        ..query.order
    };
    let settle = app.index.read(move |index| search::settle(index, query)).await;
    let (query, _) = settle.map_err(|error| visit.unread(&error))?;
    let name = file_name(&query.filter.run, ending);
    let reader = Reader {
        index: app.index,
        store: app.store,
        place: Some(Place::First),
        query,
        found: VecDeque::new(),
    };
    // What fails at once can still be said on a page.
    let (first, reader) = reader.next().await.map_err(|error| refused(visit, &error))?;
    let first = write(&first, true).map_err(|error| refused(visit, &error))?;
    let rest = reader.rest().map(move |outcomes| write(&outcomes?, false));
    let body = Body::from_stream(stream::once(async { Ok(first) }).chain(rest));
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, body).into_response())
}

/// Half a file must not look whole.
fn filling(visit: &Visit) -> Problem {
    let l = visit.language;
    visit.problem(
        StatusCode::SERVICE_UNAVAILABLE,
        l.say("The list is being filled", "La lista se está llenando"),
        l.say(
            "Not all outcomes are in it yet. Try again soon.",
            "Aún no tiene todos los resultados. Reintente pronto.",
        ),
    )
}

fn refused(visit: &Visit, error: &ExportError) -> Problem {
    match error {
        ExportError::Index(error) => visit.unread(error),
        ExportError::Store(error) => visit.unreachable(error),
        ExportError::Json(_) | ExportError::Csv(_) => visit.refused(error),
    }
}

fn file_name(run: &Run, ending: &str) -> String {
    let run = match run {
        Run::Named(run) => run.as_str(),
        Run::Newest | Run::Any => "all",
    };
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '-' {
            letter
        } else {
            '_'
        }
    };
    format!("questions-{}.{ending}", run.chars().map(plain).collect::<String>())
}

/// Reads what matches, in the order of the list.
struct Reader {
    index: Index,
    store: Store,
    query: Query,
    /// Where the next keys begin; `None` once there are no more.
    place: Option<Place>,
    /// Ids of outcomes that are yet to be read.
    found: VecDeque<String>,
}

impl Reader {
    /// The next outcomes; none at the end.
    async fn next(mut self) -> Result<(Vec<ResultDocument>, Self), ExportError> {
        if let Some(place) = self.place.filter(|_| self.found.is_empty()) {
            let query = self.query.at(place);
            let find = move |index: &rusqlite::Connection| {
                let snapshot = index.unchecked_transaction()?;
                let (groups, _, is_more) = search::groups(&snapshot, &query, FOUND)?;
                let ids = groups
                    .iter()
                    .filter_map(|group| search::message_id(&snapshot, group.newest).transpose());
                let ids = ids.collect::<rusqlite::Result<_>>()?;
                Ok((
                    ids,
                    groups.last().filter(|_| is_more).map(|last| Place::After(last.rank)),
                ))
            };
            (self.found, self.place) = self.index.read(find).await?;
        }
        let ids: Vec<String> = self.found.drain(..READ.min(self.found.len())).collect();
        if ids.is_empty() {
            return Ok((vec![], self));
        }
        let outcomes = self.store.results(&ids).await?;
        let mut by_id: HashMap<String, ResultDocument> = outcomes
            .into_iter()
            .map(|outcome| (outcome.id.to_string(), outcome))
            .collect();
        // What is not there was removed since it was found.
        Ok((ids.iter().filter_map(|id| by_id.remove(id)).collect(), self))
    }

    fn is_done(&self) -> bool {
        self.found.is_empty() && self.place.is_none()
    }

    /// All that follow.
    fn rest(self) -> impl Stream<Item = Result<Vec<ResultDocument>, ExportError>> {
        stream::try_unfold(self, async |reader| {
            if reader.is_done() {
                return Ok(None);
            }
            reader.next().await.map(Some)
        })
    }
}
