//! Queries over tables of several databases, run here by DataFusion: each table is read from its own database, with only
//! the columns and rows that the query needs, as far as the database can tell them.

mod filters;
mod names;
mod remote;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::ResolvedTableReference;
use datafusion::sql::parser::Statement as PlannerStatement;
use datafusion::sql::resolve::resolve_table_references;

use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Database, Rows, TableName};
use crate::sources::naming::Naming;
pub use crate::staging::Memory;
use crate::staging::{parse_query, plan_over, session, sql_error};
use names::Capitals;
use remote::Remote;

/// Databases by the names of their sources.
#[async_trait]
pub trait Sources: Sync {
    /// The source that a name means, in any case.
    fn find(&self, name: &str) -> Option<&str>;

    /// Its database.
    async fn open(&self, source: &str) -> Result<Arc<dyn Database>>;

    /// What queries may take.
    fn memory(&self) -> &Memory;
}

/// Runs a query. `own`: the source that tables are in which name none.
pub async fn query(sql: &str, own: &str, sources: &dyn Sources) -> Result<Rows> {
    let session = session(sources.memory())?;
    let mut statement = parse_query(sql)?;
    let spelled = names::tables(&statement);
    let named = PlannerStatement::Statement(Box::new(statement.clone()));
    let (tables, _) = resolve_table_references(&named, true).map_err(sql_error)?;
    let options = session.config_options();
    let (catalog, schema) = (
        options.catalog.default_catalog.clone(),
        options.catalog.default_schema.clone(),
    );
    let known = MemoryCatalogProviderList::new();
    let mut capitals = Capitals::default();
    for reference in tables {
        let parts = (
            reference.catalog().map(str::to_string),
            reference.schema().map(str::to_string),
            reference.table().to_string(),
        );
        let (source, mut name) = home(parts, own, sources);
        let Some(found) = sources.find(&source) else {
            let message = format!("no database source is named `{source}`");
            return Err(Error::new(ErrorKind::Project, message)
                .help("tables of other sources are named `source.table`, or `source.schema.table`"));
        };
        let database = sources.open(found).await?;
        if let (Naming::AnyCase, Some(spelled)) = (database.naming(), spelled.get(&name.table)) {
            name.table.clone_from(spelled);
        }
        let remote = Remote::open(database, &source, name).await?;
        remote.name_columns(&mut capitals);
        let place = reference.resolve(&catalog, &schema);
        register(&known, &place, Arc::new(remote))?;
    }
    capitals.restore(&mut statement);
    plan_over(session, Arc::new(known), statement).await?.rows()
}

/// The source and the name of a table: its first part names the source, where there is one of that name.
fn home(
    (catalog, schema, table): (Option<String>, Option<String>, String),
    own: &str,
    sources: &dyn Sources,
) -> (String, TableName) {
    let is_source = |name: &Option<String>| {
        name.as_deref()
            .filter(|name| sources.find(name).is_some())
            .map(str::to_string)
    };
    let (source, database, namespace) = match (is_source(&catalog), &catalog, is_source(&schema)) {
        (Some(source), _, _) => (source, None, schema),
        (None, None, Some(source)) => (source, None, None),
        _ => (own.to_string(), catalog, schema),
    };
    let name = TableName {
        database,
        namespace,
        table,
    };
    (source, name)
}

/// Puts a table where the query looks for it.
fn register(
    known: &MemoryCatalogProviderList,
    place: &ResolvedTableReference,
    remote: Arc<Remote>,
) -> Result<()> {
    let catalog = match known.catalog(&place.catalog) {
        Some(catalog) => catalog,
        None => {
            let catalog: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
            known.register_catalog(place.catalog.to_string(), catalog.clone());
            catalog
        }
    };
    let schema = match catalog.schema(&place.schema) {
        Some(schema) => schema,
        None => {
            let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
            catalog
                .register_schema(&place.schema, schema.clone())
                .map_err(sql_error)?;
            schema
        }
    };
    schema
        .register_table(place.table.to_string(), remote)
        .map(|_| ())
        .map_err(sql_error)
}
