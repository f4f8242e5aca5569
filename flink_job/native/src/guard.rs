//! No panic ends the job: in Python it would be a `BaseException`, which handlers of errors let through.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` gives; a panic in it is an error of its own.
///
/// # Errors
/// Those of `work`, or what it said in its panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // Nothing that is shared is ever changed, so nothing can be left half done.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(format!("internal: panic: {}", words_of(&*panic))))
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_happened() {
        let number = 7;
        assert_eq!(
            guarded::<()>(|| panic!("number {number}")),
            Err("internal: panic: number 7".into())
        );
        assert_eq!(
            guarded::<()>(|| panic!("plainly")),
            Err("internal: panic: plainly".into())
        );
        assert_eq!(
            guarded::<()>(|| std::panic::panic_any(number)),
            Err("internal: panic: without words".into())
        );
    }

    #[test]
    fn what_does_not_panic_is_handed_on() {
        assert_eq!(guarded(|| Ok(1)), Ok(1));
        assert_eq!(guarded::<()>(|| Err("schema: no".into())), Err("schema: no".into()));
    }
}
