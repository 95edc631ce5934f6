//! Names of databases that keep them as they are given. DataFusion reads a name without quotes as lower case: those that
//! mean a column with capitals are written as the table has them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, Statement, VisitMut, VisitorMut, visit_relations,
};

/// Returns the last parts of the names of tables without quotes, as the statement writes them, by their lower case.
pub fn tables(statement: &Statement) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let _ = visit_relations(statement, |name| {
        let last = name.0.last().and_then(|part| part.as_ident());
        if let Some(last) = last.filter(|last| last.quote_style.is_none()) {
            found.insert(last.value.to_lowercase(), last.value.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The columns whose names hold capitals, by their names in lower case.
#[derive(Default)]
pub struct Capitals {
    names: HashMap<String, String>,
    /// Names that are found as they are, or that several spellings have.
    taken: Vec<String>,
}

impl Capitals {
    /// Adds a column of a table that the query names.
    pub fn add(&mut self, name: &str, any_case: bool) {
        let lower = name.to_lowercase();
        match self.names.get(&lower) {
            _ if !any_case || lower == name => self.taken.push(lower),
            Some(known) if known != name => self.taken.push(lower),
            Some(_) => {}
            None => {
                self.names.insert(lower, name.to_string());
            }
        }
    }

    /// Gives the names in a statement their capitals.
    pub fn restore(mut self, statement: &mut Statement) {
        for name in &self.taken {
            self.names.remove(name);
        }
        if !self.names.is_empty() {
            let _ = statement.visit(&mut self);
        }
    }

    fn name(&self, ident: &mut Ident) {
        if ident.quote_style.is_none()
            && let Some(name) = self.names.get(&ident.value.to_lowercase())
        {
            *ident = Ident::with_quote('"', name);
        }
    }

    /// The names that a query gives its columns: other parts of the statement use them.
    fn aliases(&self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => {
                for item in &mut select.projection {
                    if let SelectItem::ExprWithAlias { alias, .. } = item {
                        self.name(alias);
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.aliases(left);
                self.aliases(right);
            }
            _ => {}
        }
    }
}

impl VisitorMut for Capitals {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            cte.alias
                .columns
                .iter_mut()
                .for_each(|column| self.name(&mut column.name));
        }
        self.aliases(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => self.name(name),
            Expr::CompoundIdentifier(parts) => {
                if let Some(last) = parts.last_mut() {
                    self.name(last);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
