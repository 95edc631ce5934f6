//! What one statement sees of the tables: each at its newest version, the same for the whole statement.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;

use super::error;
use super::names::{CATALOG, TableId};
use super::tables::{Pin, Tables};

/// The catalog of one statement. It looks a table up when the planner asks for it, and pins what it found, so that
/// its files stay while the statement reads them.
pub struct Catalog {
    tables: Arc<Tables>,
    session: Arc<SessionState>,
    pins: Arc<Mutex<Vec<Pin>>>,
}

impl Catalog {
    /// Creates a catalog over `tables`; scans are configured like `session`.
    pub fn new(tables: Arc<Tables>, session: Arc<SessionState>) -> Self {
        Catalog {
            tables,
            session,
            pins: Arc::default(),
        }
    }

    /// Returns the pins of what has been looked up until now.
    pub fn pins(&self) -> Vec<Pin> {
        match self.pins.lock() {
            Ok(mut pins) => std::mem::take(&mut *pins),
            Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
        }
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Catalog")
    }
}

impl CatalogProviderList for Catalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_string()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        Some(Arc::new(Namespaces {
            database: name.to_string(),
            tables: self.tables.clone(),
            session: self.session.clone(),
            pins: self.pins.clone(),
        }))
    }
}

/// Every namespace exists: the folder is made when a table is.
#[derive(Clone)]
struct Namespaces {
    database: String,
    tables: Arc<Tables>,
    session: Arc<SessionState>,
    pins: Arc<Mutex<Vec<Pin>>>,
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Namespaces")
    }
}

impl CatalogProvider for Namespaces {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(Namespace {
            name: name.to_string(),
            of: self.clone(),
        }))
    }
}

struct Namespace {
    name: String,
    of: Namespaces,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name)
    }
}

fn external(error: crate::error::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[async_trait]
impl SchemaProvider for Namespace {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let id = TableId::new(Some(&self.of.database), Some(&self.name), table).map_err(external)?;
        // Pinned before it is opened: what is opened then can't be cleaned up in between.
        let pin = self.of.tables.pin(&id);
        let opened = match self.of.tables.open(&id).await.map_err(external)? {
            Some(opened) => opened,
            // The planner asks for the name of a table function here as well.
            None if self.of.session.table_functions().contains_key(table) => return Ok(None),
            None => return Err(external(self.of.tables.missing(&id).await)),
        };
        let provider = opened
            .table_provider()
            .with_session(self.of.session.clone())
            .await
            .map_err(|e| external(error::sql(e)))?;
        match self.of.pins.lock() {
            Ok(mut pins) => pins.push(pin),
            Err(poisoned) => poisoned.into_inner().push(pin),
        }
        Ok(Some(provider))
    }

    fn table_exist(&self, _: &str) -> bool {
        true
    }
}
