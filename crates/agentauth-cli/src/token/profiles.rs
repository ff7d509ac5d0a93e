use std::sync::LazyLock;

use agentauth_core::token::profile::NamedProfile;
use clap::ValueEnum;
use clap::builder::PossibleValue;

/// A profile, by its name on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProfileName(pub(crate) NamedProfile);

impl ValueEnum for ProfileName {
    fn value_variants<'a>() -> &'a [Self] {
        static VARIANTS: LazyLock<Vec<ProfileName>> =
            LazyLock::new(|| NamedProfile::ALL.iter().copied().map(ProfileName).collect());
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}
