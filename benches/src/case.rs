//! One thing to measure.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a case makes of its input.
pub type Verdict = Result<(), Box<dyn Error>>;

/// Something that accepts or refuses an input `I`, and what its cost is compared with.
pub struct Case<'a, I> {
    /// Its name.
    pub name: String,
    /// The case, of the same group, that does only what cannot be avoided.
    pub floor: Option<String>,
    /// It accepts everything, as it has nothing to tell inputs apart with.
    takes_all: bool,
    judge: Box<dyn Fn(&I) -> Verdict + 'a>,
}

impl<I> fmt::Debug for Case<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("floor", &self.floor).finish_non_exhaustive()
    }
}

impl<'a, I> Case<'a, I> {
    /// A case that `judge` is all of.
    pub fn new(name: String, floor: Option<&str>, judge: impl Fn(&I) -> Verdict + 'a) -> Self {
        Self { name, floor: floor.map(str::to_owned), takes_all: false, judge: Box::new(judge) }
    }

    /// A case that cannot tell a forged input.
    #[must_use]
    pub fn taking_all(self) -> Self {
        Self { takes_all: true, ..self }
    }

    /// Runs it once.
    ///
    /// # Errors
    /// Why it refuses `input`.
    pub fn judge(&self, input: &I) -> Verdict {
        (self.judge)(input)
    }
}

/// The cases whose names begin with `prefix`, and their floors.
#[must_use]
pub fn named<'a, I>(prefix: &str, mut cases: Vec<Case<'a, I>>) -> Vec<Case<'a, I>> {
    let is_named = |case: &Case<'_, I>| case.name.starts_with(prefix);
    let floors: Vec<_> = cases.iter().filter(|case| is_named(case)).filter_map(|case| case.floor.clone()).collect();
    cases.retain(|case| is_named(case) || floors.contains(&case.name));
    cases
}

/// A figure must never stand for a failure: every case has to tell the genuine input from the forged one, unless it is
/// one that takes all.
///
/// # Errors
/// Which case does not.
pub fn check<I>(cases: &[Case<'_, I>], genuine: &I, forged: &I) -> Result<(), String> {
    for case in cases {
        if let Err(error) = case.judge(genuine) {
            return Err(format!("nothing was measured: {} refuses the genuine input: {error}", case.name));
        }
        if case.judge(forged).is_ok() != case.takes_all {
            if case.takes_all {
                return Err(format!("nothing was measured: {} refuses a forged input, and was to take all", case.name));
            }
            return Err(format!("nothing was measured: {} accepts a forged input", case.name));
        }
    }
    Ok(())
}

/// The place of each call in a list of inputs that is gone through again and again.
#[derive(Debug)]
pub struct Lap {
    at: Cell<usize>,
    stride: usize,
}

impl Lap {
    /// Takes each `stride`-th input. A stride that has no divisor in common with the number of inputs reaches all.
    #[must_use]
    pub const fn new(stride: usize) -> Self {
        Self { at: Cell::new(0), stride }
    }

    /// The next of `inputs`, and its index.
    ///
    /// # Errors
    /// There is none.
    pub fn next<'i, T>(&self, inputs: &'i [T]) -> Result<(usize, &'i T), &'static str> {
        let at = self.at.get();
        self.at.set((at + self.stride) % inputs.len().max(1));
        inputs.get(at).map(|input| (at, input)).ok_or("there is no input")
    }
}

/// The output of a `future` that has nothing to wait for. One poll: what a runtime costs is not the case's.
///
/// # Errors
/// It waits for something.
pub fn at_once<T>(future: impl Future<Output = T>) -> Result<T, &'static str> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err("the case waits for something"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_accepts_all_or_nothing_is_not_measured() {
        let outcome = |judge: fn(&bool) -> Verdict| check(&[Case::new("c".into(), None, judge)], &true, &false);
        assert_eq!(outcome(|genuine| if *genuine { Ok(()) } else { Err("forged".into()) }), Ok(()));
        assert!(outcome(|_| Ok(())).unwrap_err().ends_with("c accepts a forged input"));
        assert!(outcome(|_| Err("no".into())).unwrap_err().ends_with("c refuses the genuine input: no"));
    }

    #[test]
    fn a_case_that_takes_all_must_do_so() {
        let outcome =
            |judge: fn(&bool) -> Verdict| check(&[Case::new("c".into(), None, judge).taking_all()], &true, &false);
        assert_eq!(outcome(|_| Ok(())), Ok(()));
        let refusal = outcome(|genuine| if *genuine { Ok(()) } else { Err("forged".into()) }).unwrap_err();
        assert!(refusal.ends_with("c refuses a forged input, and was to take all"));
    }

    #[test]
    fn a_case_is_chosen_with_its_floor() {
        let case = |name: &str| Case::new(name.into(), Some("raw"), |(): &()| Ok(()));
        let chosen = |prefix| named(prefix, vec![case("raw"), case("a/x"), case("b/x")]);
        let names = |prefix| chosen(prefix).into_iter().map(|case| case.name).collect::<Vec<_>>();
        assert_eq!(names("a"), ["raw", "a/x"]);
        assert_eq!(names(""), ["raw", "a/x", "b/x"]);
        assert!(names("c").is_empty());
    }

    #[test]
    fn a_stride_reaches_every_input() {
        let lap = Lap::new(3);
        let mut seen: Vec<usize> = (0..10).map(|_| lap.next(&[(); 10]).unwrap().0).collect();
        assert_eq!(seen, [0, 3, 6, 9, 2, 5, 8, 1, 4, 7]);
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}
