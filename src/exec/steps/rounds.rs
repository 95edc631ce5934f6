//! The rounds of a loop, as the journal has them: an attempt to come goes on in the round where this one ends.

use crate::exec::context::StepContext;
use crate::exec::run::Run;
use crate::exec::scope::Scope;
use crate::state::Entry;

/// How far a loop is.
pub struct Rounds<'c> {
    run: &'c Run,
    context: &'c StepContext,
    /// The loop's name in the journal.
    key: String,
    /// How many rounds are over.
    pub over: u64,
    /// The round that an earlier attempt began and did not end.
    begun: Option<u64>,
}

impl<'c> Rounds<'c> {
    /// Returns those of a loop where an earlier attempt left them.
    pub fn of(context: &'c StepContext) -> Rounds<'c> {
        let key = context.scope.key(context.id());
        let journal = &context.run.journal;
        let number = |entry| journal.decided(&key, entry).and_then(|text| text.parse().ok());
        Rounds {
            over: number(Entry::Rounds).unwrap_or(0),
            begun: number(Entry::Branch),
            run: &context.run,
            context,
            key,
        }
    }

    /// Tells whether no earlier attempt began any round.
    pub fn is_fresh(&self) -> bool {
        self.over == 0 && self.begun.is_none()
    }

    /// Tells whether an earlier attempt began the round that is next.
    pub fn is_begun(&self) -> bool {
        self.begun == Some(self.over)
    }

    fn part(&self) -> String {
        format!("{}[{}]", self.context.id(), self.over)
    }

    /// Begins a round. The scope of its steps.
    pub fn begin(&mut self, scope: &Scope) -> Scope {
        let mut notes = self.run.journal.notes();
        notes.note(&self.key, Entry::Branch, &self.over.to_string());
        self.run.journal.add(notes);
        scope.round(&self.part())
    }

    /// Ends the round.
    pub fn end(&mut self) {
        let mut notes = self.run.journal.notes();
        notes.forget(&self.context.scope.keys_inside(&self.part()));
        self.over += 1;
        notes.note(&self.key, Entry::Rounds, &self.over.to_string());
        self.run.journal.add(notes);
    }
}
