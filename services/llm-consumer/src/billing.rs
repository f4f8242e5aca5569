//! What calls cost, and whether there is money for another.

use std::sync::Arc;

use crate::budget::{Amount, Budget, Exhausted, Reservation};
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, Tokens};
use crate::prices::Prices;

/// What a server adds to the texts of a request, in tokens, at most.
const OVERHEAD_TOKENS: u64 = 100;

/// The price list, and the budget if there is one.
pub struct Billing {
    prices: Prices,
    budget: Option<Arc<Budget>>,
}

impl Billing {
    /// Bills by these prices, within this budget.
    #[must_use]
    pub fn new(prices: Prices, budget: Option<Arc<Budget>>) -> Self {
        Self { prices, budget }
    }

    /// What tokens of a model cost; nothing where no price is known.
    #[must_use]
    pub fn price(&self, model: &str, input: u64, output: u64) -> u64 {
        self.prices.of(model).map_or(0, |price| price.cost(input, output))
    }

    /// Makes one call within the budget.
    ///
    /// # Errors
    /// Those of the call; or that the budget is spent, and nothing was sent.
    pub async fn within_budget<M: LanguageModel>(
        &self,
        model: &M,
        ask: &Ask<'_>,
        call: impl Future<Output = Result<Completion, ModelError>>,
    ) -> Result<Completion, ModelError> {
        let Some(budget) = &self.budget else {
            return call.await;
        };
        let name = model.name(ask.attempt);
        let reservation = budget.reserve(self.largest(model, ask)).await.map_err(spent)?;
        let result = call.await;
        self.settle(reservation, name, &result);
        result
    }

    /// The most that a call can cost: a text has no more tokens than bytes.
    fn largest<M: LanguageModel>(&self, model: &M, ask: &Ask<'_>) -> Amount {
        let input = (ask.prompt.system.len() + ask.prompt.user.len()) as u64 + OVERHEAD_TOKENS;
        let output = u64::from(model.most_output_tokens(ask).unwrap_or(u32::MAX));
        self.amount(model.name(ask.attempt), input, output)
    }

    fn amount(&self, model: &str, input: u64, output: u64) -> Amount {
        Amount {
            nanodollars: self.price(model, input, output),
            tokens: input + output,
        }
    }

    fn settle(&self, reservation: Reservation, model: &str, result: &Result<Completion, ModelError>) {
        let used = match result {
            Ok(completion) => Some(completion.tokens),
            Err(error) => error.tokens.or_else(|| costs_nothing(error).then(Tokens::default)),
        };
        // What nobody can tell counts as the most that it can have been: the reservation is dropped.
        if let Some(tokens) = used {
            reservation.settle(self.amount(model, tokens.input.into(), tokens.output.into()));
        }
    }
}

/// Whether a server that says this has made nothing that it could charge for.
fn costs_nothing(error: &ModelError) -> bool {
    match error.kind {
        ErrorKind::Timeout | ErrorKind::InvalidResponse | ErrorKind::EmptyAnswer | ErrorKind::TooLarge => false,
        // With a status it is a refusal; without one the connection broke while it worked.
        ErrorKind::Unavailable => error.status.is_some(),
        _ => true,
    }
}

fn spent(exhausted: Exhausted) -> ModelError {
    ModelError::new(ErrorKind::BudgetSpent, &exhausted.to_string())
}
