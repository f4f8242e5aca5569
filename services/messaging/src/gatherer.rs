//! Does together what is asked for one by one: what comes while some of it is under way waits for the
//! next time. When much comes, that waits for a moment until there is more.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Most items at once.
const MOST: usize = 512;
/// So many items at once mean that more are coming: a look-up of 8 costs the server four times as
/// much a key as one of 64.
const MANY: usize = 4;
/// How long it then waits for them.
const GATHER: Duration = Duration::from_millis(3);

type Request<T, R> = (T, oneshot::Sender<R>);

/// Work that many share; one lot of it is done at a time.
pub struct Gatherer<T, R>(mpsc::Sender<Request<T, R>>);

// Not derived: that would ask it of T and R.
impl<T, R> Clone for Gatherer<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static, R: Send + 'static> Gatherer<T, R> {
    /// A gatherer for `work`, which gives one result for each item, in their order.
    pub fn new<F>(work: impl Fn(Vec<T>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Vec<R>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel::<Request<T, R>>(4 * MOST);
        tokio::spawn(async move {
            let mut requests = Vec::with_capacity(MOST);
            // Ends when the last gatherer is dropped.
            while receiver.recv_many(&mut requests, MOST).await > 0 {
                if (MANY..MOST).contains(&requests.len()) {
                    tokio::time::sleep(GATHER).await;
                    while requests.len() < MOST
                        && let Ok(request) = receiver.try_recv()
                    {
                        requests.push(request);
                    }
                }
                let (items, replies): (Vec<T>, Vec<_>) = requests.drain(..).unzip();
                for (reply, result) in replies.into_iter().zip(work(items).await) {
                    // Whoever does not wait any more does not need it.
                    let _ = reply.send(result);
                }
            }
        });
        Self(sender)
    }

    /// The result for `item`; `None` when the work broke off. It is done even if nobody waits for it.
    pub async fn submit(&self, item: T) -> Option<R> {
        let (reply, result) = oneshot::channel();
        self.0.send((item, reply)).await.ok()?;
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::join_all;

    use super::*;

    /// A gatherer that doubles numbers, and how many it was given each time.
    fn doubling(takes: Duration) -> (Gatherer<u32, u32>, Arc<Mutex<Vec<usize>>>) {
        let sizes = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&sizes);
        let gatherer = Gatherer::new(move |items: Vec<u32>| {
            seen.lock().unwrap().push(items.len());
            async move {
                tokio::time::sleep(takes).await;
                items.into_iter().map(|item| 2 * item).collect()
            }
        });
        (gatherer, sizes)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_work_is_under_way_is_done_together_and_each_hears_of_its_own() {
        let (gatherer, sizes) = doubling(Duration::from_millis(10));
        let results = join_all((0..1000).map(|item| gatherer.submit(item))).await;
        assert!(
            results
                .into_iter()
                .enumerate()
                .all(|(item, result)| result == Some(2 * item as u32))
        );
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert!(sizes.len() <= 5, "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_done_at_once_and_of_many_those_that_come_soon_after_are_done_with_them() {
        let (gatherer, sizes) = doubling(Duration::ZERO);
        let started = tokio::time::Instant::now();
        gatherer.submit(0).await;
        assert!(started.elapsed() < GATHER);
        join_all((0..2 * MANY as u32).map(|item| {
            let gatherer = gatherer.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(item) / MANY as u64)).await;
                gatherer.submit(item).await
            }
        }))
        .await;
        assert_eq!(*sizes.lock().unwrap(), [1, 2 * MANY]);
    }

    #[tokio::test]
    async fn whoever_waits_for_work_that_broke_off_is_told() {
        let gatherer = Gatherer::new(async |_: Vec<u32>| Vec::<u32>::new());
        assert_eq!(gatherer.submit(1).await, None);
    }
}
