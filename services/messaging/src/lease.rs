//! The right to work on a record, and its end.

use tokio_util::sync::CancellationToken;

use crate::handler::Failure;

/// The right to work on a record. It ends when the record's partition is given to another member of the group, which
/// then works on it, or when the service stops.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    partition: CancellationToken,
    service: CancellationToken,
}

impl Lease {
    /// A lease that ends with either of these.
    #[must_use]
    pub fn new(partition: CancellationToken, service: CancellationToken) -> Self {
        Self { partition, service }
    }

    /// Does `work` while the lease lasts.
    ///
    /// # Errors
    /// [`Failure::GiveBack`] when it ends first: the work is dropped where it stands.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.partition.cancelled() => Err(Failure::GiveBack),
            () = self.service.cancelled() => Err(Failure::GiveBack),
            done = work => Ok(done),
        }
    }
}
