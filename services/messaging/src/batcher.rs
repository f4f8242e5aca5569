//! Looks many things up in one round trip: whoever asks while a look-up is under way joins the next one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::gatherer::Gatherer;

/// A look-up by key that many share.
#[derive(Clone)]
pub struct Batcher<K, V>(Gatherer<K, V>);

impl<K, V> Batcher<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Default + Send + 'static,
{
    /// A batcher over `look_up`, which gives the values of the keys that have one.
    pub fn new<F>(look_up: impl Fn(Arc<[K]>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = HashMap<K, V>> + Send,
    {
        Self(Gatherer::new(move |keys: Vec<K>| {
            let keys: Arc<[K]> = keys.into();
            let found = look_up(Arc::clone(&keys));
            async move {
                let found = found.await;
                keys.iter()
                    .map(|key| found.get(key).cloned().unwrap_or_default())
                    .collect()
            }
        }))
    }

    /// The value of `key`, or the default where there is none.
    pub async fn get(&self, key: K) -> V {
        self.0.submit(key).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_key_without_a_value_has_the_default() {
        let batcher = Batcher::new(async |keys: Arc<[u32]>| {
            let even = keys.iter().filter(|key| *key % 2 == 0);
            even.map(|key| (*key, key * 10)).collect::<HashMap<_, _>>()
        });
        let values = join_all([4, 5, 4].map(|key| batcher.get(key))).await;
        assert_eq!(values, [40, 0, 40]);
    }
}
