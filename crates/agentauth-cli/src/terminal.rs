use std::fmt;
use std::io::{self, IsTerminal as _, Read, Write};
use std::process::ExitCode;

use agentauth_core::{Clock, SystemClock, Timestamp};
use clap::error::ErrorKind;

use crate::CliError;
use crate::look::{Look, Mark};
use crate::text::shown;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; the token, if one was judged, is good. Status 0.
    Good,
    /// The token is refused, or not well-formed; what was looked for is not there. Status 1.
    Refused,
    /// The command line, a file or a fetch is the problem; no token was judged. Status 2.
    Problem,
    /// A log is whole but for its last bytes, which are no entry. Status 3.
    Torn,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Refused => 1,
            Exit::Problem => 2,
            Exit::Torn => 3,
        })
    }
}

/// Where a command reads and writes, how its output looks, and what time it is.
pub struct Terminal<'t> {
    input: Box<dyn Read + 't>,
    output: Box<dyn Write + 't>,
    errors: Box<dyn Write + 't>,
    look: Look,
    error_look: Look,
    clock: Box<dyn Clock + 't>,
    /// Someone would have to type the token.
    is_typed: bool,
    /// Someone sees how far a command is.
    is_watched: bool,
    /// Nobody reads the output any more.
    is_closed: bool,
}

/// How far a command is, where someone sees it.
#[derive(Debug)]
pub(crate) struct Bar(Option<indicatif::ProgressBar>);

impl Bar {
    /// Shows that `done` bytes of `all` are done.
    pub(crate) fn show(&self, done: u64, all: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(all);
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl<'t> Terminal<'t> {
    /// A terminal that is none: without colours, and in ASCII.
    pub fn new(
        input: impl Read + 't,
        output: impl Write + 't,
        errors: impl Write + 't,
        clock: impl Clock + 't,
    ) -> Self {
        Self {
            input: Box::new(input),
            output: Box::new(output),
            errors: Box::new(errors),
            look: Look::PLAIN,
            error_look: Look::PLAIN,
            clock: Box::new(clock),
            is_typed: false,
            is_watched: false,
            is_closed: false,
        }
    }

    /// The standard streams, the system's clock, and the look that the environment asks for.
    #[must_use]
    pub fn of_this_process() -> Terminal<'static> {
        let look = |is_terminal| Look::from_environment(is_terminal, |name| std::env::var(name).ok());
        Terminal {
            input: Box::new(io::stdin().lock()),
            look: look(io::stdout().is_terminal()),
            output: Box::new(io::stdout().lock()),
            error_look: look(io::stderr().is_terminal()),
            errors: Box::new(io::stderr().lock()),
            clock: Box::new(SystemClock),
            is_typed: io::stdin().is_terminal(),
            is_watched: io::stderr().is_terminal(),
            is_closed: false,
        }
    }

    pub(crate) const fn look(&self) -> Look {
        self.look
    }

    pub(crate) fn use_ascii(&mut self) {
        self.look = self.look.in_ascii();
        self.error_look = self.error_look.in_ascii();
    }

    /// `at` in seconds, or else the present.
    pub(crate) fn time(&self, at: Option<u64>) -> Timestamp {
        at.map_or_else(|| self.clock.now(), Timestamp::from_secs)
    }

    /// Standard input. Says what it waits for, if someone has to type it.
    pub(crate) fn input(&mut self) -> &mut dyn Read {
        if self.is_typed {
            self.remark("reading the token from the keyboard: paste it, press Enter, then Ctrl-D");
        }
        &mut *self.input
    }

    /// Writes what was asked for, in one piece.
    pub(crate) fn write(&mut self, output: &[u8]) -> Result<(), CliError> {
        match self.output.write_all(output).and_then(|()| self.output.flush()) {
            // Whoever was reading has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(CliError::Output(error)),
            Ok(()) => Ok(()),
        }
    }

    /// A bar on standard error, which is taken away at the end; none if that is no terminal.
    pub(crate) fn bar(&self) -> Bar {
        let template = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        let style = indicatif::ProgressStyle::with_template(template).map(|style| style.progress_chars("=> "));
        Bar(style.ok().filter(|_| self.is_watched).map(|style| indicatif::ProgressBar::new(0).with_style(style)))
    }

    /// Whether whoever was reading the output has gone: there is nobody left to write for.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Says something beside the output.
    pub(crate) fn remark(&mut self, remark: &str) {
        // There is nowhere left to report to.
        let _ = writeln!(self.errors, "{}: {}", self.error_look.dim("note"), shown(remark));
    }

    pub(crate) fn show_error(&mut self, error: &CliError) -> Exit {
        let label = self.error_look.coloured(Mark::Failed, "error");
        let _ = writeln!(self.errors, "{label}: {}", shown(&error.to_string()));
        Exit::Problem
    }

    /// Help, the version, or what is wrong with the command line.
    pub(crate) fn show_usage(&mut self, answer: &clap::Error) -> Exit {
        let is_answer = matches!(answer.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        let (to, look) = if is_answer { (&mut self.output, self.look) } else { (&mut self.errors, self.error_look) };
        let text = answer.render();
        let _ = if look.has_colour() { write!(to, "{}", text.ansi()) } else { write!(to, "{text}") };
        if is_answer { Exit::Good } else { Exit::Problem }
    }
}

impl fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("look", &self.look).finish_non_exhaustive()
    }
}
