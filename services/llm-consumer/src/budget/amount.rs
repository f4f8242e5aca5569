//! Money and tokens, counted side by side.

use contracts::value::MAX_WHOLE;
use serde::{Deserialize, Serialize};

/// How many blocks a limit has.
const BLOCKS: u64 = 100;
/// How many calls a block is for where there is no limit.
const CALLS: u64 = 16;

/// What something costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Billionths of a US dollar.
    pub nanodollars: u64,
    /// Tokens, sent and received.
    pub tokens: u64,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self {
        nanodollars: 0,
        tokens: 0,
    };

    /// Both together; never more than MongoDB can hold.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |one, other| one.saturating_add(other).min(MAX_WHOLE))
    }

    /// What is left of it.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The smaller of each.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        self.zip(other, u64::min)
    }

    /// Whether it is enough for `other`.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.nanodollars >= other.nanodollars && self.tokens >= other.tokens
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            nanodollars: combine(self.nanodollars, other.nanodollars),
            tokens: combine(self.tokens, other.tokens),
        }
    }
}

/// What may be spent; `None` is any amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `LLM_BUDGET_USD`, in billionths of a dollar.
    pub nanodollars: Option<u64>,
    /// `LLM_BUDGET_TOKENS`.
    pub tokens: Option<u64>,
}

impl Limits {
    /// What is left when so much is taken.
    pub(super) fn minus(self, taken: Amount) -> Amount {
        let left = |limit: Option<u64>, taken| limit.map_or(MAX_WHOLE, |limit| limit.saturating_sub(taken));
        Amount {
            nanodollars: left(self.nanodollars, taken.nanodollars),
            tokens: left(self.tokens, taken.tokens),
        }
    }

    /// How much to lease when a call can cost `largest`.
    pub(super) fn block(self, largest: Amount) -> Amount {
        let block = |limit: Option<u64>, largest: u64| {
            let usual = limit.map_or_else(|| largest.saturating_mul(CALLS), |limit| limit / BLOCKS);
            usual.max(largest)
        };
        Amount {
            nanodollars: block(self.nanodollars, largest.nanodollars),
            tokens: block(self.tokens, largest.tokens),
        }
    }
}
