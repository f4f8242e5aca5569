//! What calls cost, and whether there is money for another.

use std::sync::Arc;

use crate::budget::{Amount, Budget, Reservation};
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, Tokens};
use crate::money::dollars;
use crate::prices::Prices;

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

    /// Reserves the most that a call can cost, if there is a budget; waits for MongoDB.
    ///
    /// # Errors
    /// The budget is spent, or could never pay for this call.
    pub async fn reserve<M: LanguageModel>(&self, model: &M, ask: &Ask<'_>) -> Result<Option<Reservation>, ModelError> {
        let Some(budget) = &self.budget else { return Ok(None) };
        let most = model.most_tokens(ask);
        let largest = self.amount(model.name(ask.attempt), most.input, most.output);
        if !budget.could_ever_pay(largest) {
            let (price, tokens) = (dollars(largest.nanodollars), largest.tokens);
            let detail = format!("one call could cost more than the whole budget: {price}, {tokens} tokens");
            return Err(ModelError::new(ErrorKind::OverBudget, &detail));
        }
        // In a box: few questions wait for the budget, but each would carry the room for it.
        let reserved = Box::pin(budget.reserve(largest)).await;
        reserved
            .map(Some)
            .map_err(|exhausted| ModelError::new(ErrorKind::BudgetSpent, &exhausted.to_string()))
    }

    fn amount(&self, model: &str, input: u64, output: u64) -> Amount {
        Amount {
            nanodollars: self.price(model, input, output),
            tokens: input + output,
        }
    }

    /// Books what a call did cost.
    pub fn settle(&self, reservation: Reservation, model: &str, result: &Result<Completion, ModelError>) {
        let used = match result {
            Ok(completion) => Some(completion.tokens),
            Err(error) => error.tokens.or_else(|| costs_nothing(error).then(Tokens::default)),
        };
        // What nobody can tell counts as the most that it can have been: the reservation is dropped.
        if let Some(tokens) = used.filter(|tokens| !tokens.estimated) {
            reservation.settle(self.amount(model, tokens.input.into(), tokens.output.into()));
        }
    }
}

/// Whether a server that says this has made nothing that it could charge for.
fn costs_nothing(error: &ModelError) -> bool {
    match error.kind {
        ErrorKind::Timeout | ErrorKind::InvalidResponse | ErrorKind::EmptyAnswer | ErrorKind::TooLarge => false,
        ErrorKind::Unavailable => !error.broke_off(),
        _ => true,
    }
}
