//! What MongoDB says of today, read again and again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Shorter than [`messaging::model_settings::NOTICED_WITHIN`], for so long llm-consumer waits after a change.
const EVERY: Duration = Duration::from_secs(2);

/// Repeats `refresh` until `shutdown`.
pub async fn keep_fresh(refresh: impl AsyncFn(), shutdown: CancellationToken) {
    let keep_fresh = async {
        loop {
            tokio::time::sleep(EVERY).await;
            refresh().await;
        }
    };
    shutdown.run_until_cancelled(keep_fresh).await;
}
