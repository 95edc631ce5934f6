//! `execute`: SQL statements that a database runs.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::common::{COMMON, FlowAction};
use super::plain::{Plain, PlainOperation};
use crate::effects::{Effects, FlowScope};
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Shape};

/// `execute`: statements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execute {
    pub source: String,
    pub statement: Prop,
    #[serde(skip)]
    pub place: Place,
    /// Where the statement stands.
    #[serde(skip)]
    pub statement_place: Place,
}

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "an execute",
        doc: "Runs one or more SQL statements. A line `go`, or `;`, ends a statement.",
        with: &[&COMMON],
        keys: &[
            Key::new("source", Form::Name, "The database source.")
                .required()
                .deferred(),
            Key::new("statement", Form::Text, "The statements.")
                .required()
                .filled(),
        ],
    },
    read: |keys, d| {
        let statement = keys.prop("statement", d);
        let (source, place) = keys.name("source", d)?;
        let statement_place = keys.place_of("statement").unwrap_or(&place).clone();
        Some(FlowAction::plain(Plain::Execute(Execute {
            source,
            statement: statement?,
            place,
            statement_place,
        })))
    },
};

impl PlainOperation for Execute {
    fn databases(&self) -> Vec<(&str, &Place)> {
        vec![(&self.source, &self.place)]
    }

    fn statements(&self) -> Option<(&str, &Prop)> {
        Some((&self.source, &self.statement))
    }

    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)> {
        effects.sql_prop(&self.source, &self.statement, scope, true);
        effects.at_once(format!("runs statements in {}", self.source));
        Vec::new()
    }

    fn summary(&self) -> String {
        self.statement.in_short()
    }

    fn notes(&self) -> Vec<String> {
        vec![format!("SQL runs in {}", self.source)]
    }
}
