//! Statements of one step, on one connection, which is not used by others then: they may change what it is set to.

use std::sync::Arc;

use async_trait::async_trait;

use super::connections::{Connection, Connections};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::blocking::blocking;
use crate::sources::database::Session;
use crate::sources::reading::gives_rows;

/// A connection for statements.
pub struct Statements {
    connections: Arc<Connections>,
    connection: Option<Connection>,
}

impl Statements {
    /// Takes a connection.
    pub async fn new(connections: &Arc<Connections>) -> Result<Statements> {
        let taken = connections.clone();
        Ok(Statements {
            connections: connections.clone(),
            connection: Some(blocking(move || taken.take()).await?),
        })
    }
}

#[async_trait]
impl Session for Statements {
    async fn execute(&mut self, statement: &str) -> Result<Option<u64>> {
        let over = || Error::new(ErrorKind::Internal, "the session is over");
        let mut connection = self.connection.take().ok_or_else(over)?;
        let (connections, statement) = (self.connections.clone(), statement.to_string());
        let work = blocking(move || {
            let done = match gives_rows(&statement) {
                true => connections.run(&mut connection, &statement).map(Some),
                false => connections.execute(&mut connection, &statement),
            };
            Ok((connection, done))
        });
        let (connection, done) = work.await?;
        self.connection = Some(connection);
        done
    }
}
