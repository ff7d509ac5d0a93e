//! One thing to measure.

use std::error::Error;

/// What a case makes of its input.
pub(crate) type Verdict = Result<(), Box<dyn Error>>;

/// Something that accepts or refuses an input `I`, and what its cost is compared with.
pub(crate) struct Case<'a, I> {
    pub(crate) name: String,
    /// The case, of the same group, that does only what cannot be avoided.
    pub(crate) floor: Option<String>,
    judge: Box<dyn Fn(&I) -> Verdict + 'a>,
}

impl<'a, I> Case<'a, I> {
    pub(crate) fn new(name: String, floor: Option<&str>, judge: impl Fn(&I) -> Verdict + 'a) -> Self {
        Self { name, floor: floor.map(str::to_owned), judge: Box::new(judge) }
    }

    pub(crate) fn judge(&self, input: &I) -> Verdict {
        (self.judge)(input)
    }
}

/// A figure must never stand for a failure: every case has to tell the genuine input from the forged one.
pub(crate) fn check<I>(cases: &[Case<'_, I>], genuine: &I, forged: &I) -> Result<(), String> {
    for case in cases {
        if let Err(error) = case.judge(genuine) {
            return Err(format!("nothing was measured: {} refuses the genuine input: {error}", case.name));
        }
        if case.judge(forged).is_ok() {
            return Err(format!("nothing was measured: {} accepts a forged input", case.name));
        }
    }
    Ok(())
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
}
