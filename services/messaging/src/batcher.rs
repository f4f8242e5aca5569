//! Looks many things up in one round trip: whoever asks while a look-up is under way joins
//! the next one. When many ask, that one waits for a moment until there are more.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Most keys in one look-up.
const MOST: usize = 512;
/// So many keys at once mean that more are coming: a look-up of 8 costs the server four times as
/// much a key as one of 64.
const MANY: usize = 4;
/// How long it then waits for them.
const GATHER: Duration = Duration::from_millis(3);

type Request<K, V> = (K, oneshot::Sender<V>);

/// A look-up by key that many share.
#[derive(Clone)]
pub struct Batcher<K, V>(mpsc::Sender<Request<K, V>>);

impl<K, V> Batcher<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Default + Send + 'static,
{
    /// A batcher over `look_up`, which gives the values of the keys that have one.
    pub fn new<F>(look_up: impl Fn(Arc<[K]>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = HashMap<K, V>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel::<Request<K, V>>(4 * MOST);
        tokio::spawn(async move {
            let mut requests = Vec::with_capacity(MOST);
            // Ends when the last batcher is dropped.
            while receiver.recv_many(&mut requests, MOST).await > 0 {
                if (MANY..MOST).contains(&requests.len()) {
                    tokio::time::sleep(GATHER).await;
                    while requests.len() < MOST
                        && let Ok(request) = receiver.try_recv()
                    {
                        requests.push(request);
                    }
                }
                let keys: Arc<[K]> = requests.iter().map(|(key, _)| key.clone()).collect();
                let found = look_up(keys).await;
                for (key, reply) in requests.drain(..) {
                    // Whoever does not wait any more does not need it.
                    let _ = reply.send(found.get(&key).cloned().unwrap_or_default());
                }
            }
        });
        Self(sender)
    }

    /// The value of `key`, or the default where there is none.
    pub async fn get(&self, key: K) -> V {
        let (reply, value) = oneshot::channel();
        if self.0.send((key, reply)).await.is_err() {
            return V::default();
        }
        value.await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_during_a_look_up_shares_the_next_one() {
        let sizes = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&sizes);
        let batcher = Batcher::new(move |keys: Arc<[u32]>| {
            seen.lock().unwrap().push(keys.len());
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                keys.iter()
                    .filter(|key| *key % 2 == 0)
                    .map(|key| (*key, key * 10))
                    .collect()
            }
        });
        let values = join_all((0..1000).map(|key| batcher.get(key))).await;
        assert_eq!(values[4], 40);
        assert_eq!(values[5], 0, "a key without a value has the default");
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert!(sizes.len() <= 5, "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_looked_up_at_once_and_of_many_those_that_come_soon_after_share_the_look_up() {
        let sizes = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&sizes);
        let batcher = Batcher::new(move |keys: Arc<[u32]>| {
            seen.lock().unwrap().push(keys.len());
            async { HashMap::<u32, u32>::new() }
        });
        let started = tokio::time::Instant::now();
        batcher.get(0).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        join_all((0..2 * MANY as u32).map(|key| {
            let batcher = batcher.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(key) / MANY as u64)).await;
                batcher.get(key).await
            }
        }))
        .await;
        assert_eq!(*sizes.lock().unwrap(), [1, 2 * MANY]);
    }
}
