//! Reading a text column of Parquet files as codes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::basic::Encoding;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, StreamExt, TryStreamExt};

/// How many footers are read at the same time.
const FOOTERS: usize = 8;

/// Returns the same scan with the text column `name` as codes, only its first `width` columns, and `filter` for its
/// own; none where a file does not store the column as a dictionary throughout.
pub async fn coded(
    config: &FileScanConfig,
    filter: Option<Arc<dyn PhysicalExpr>>,
    name: &str,
    width: usize,
    session: &SessionState,
) -> PlanResult<Option<Arc<dyn ExecutionPlan>>> {
    let Some(parquet) = config.file_source.downcast_ref::<ParquetSource>() else {
        return Ok(None);
    };
    let Some(schemas) = schemas(config, name, session).await? else {
        return Ok(None);
    };
    let table = config.file_source.table_schema();
    let (Some(factory), Some(projection)) = (
        parquet.parquet_file_reader_factory(),
        config.file_source.projection(),
    ) else {
        return Ok(None);
    };
    let schema = TableSchema::builder(with_codes(table.file_schema(), name))
        .with_table_partition_cols(table.table_partition_cols().clone())
        .build();
    let mut source = ParquetSource::new(schema)
        .with_table_parquet_options(parquet.table_parquet_options().clone())
        .with_parquet_file_reader_factory(factory.clone());
    if let Some(filter) = filter {
        source = source.with_predicate(filter);
    }
    let wanted = projection.iter().take(width).cloned().collect::<Vec<_>>();
    let source = source.try_pushdown_projection(&wanted.into())?;
    let Some(source) = source else {
        return Ok(None);
    };
    let groups = config.file_groups.iter().map(|group| {
        let files = group.iter().cloned().map(|mut file| {
            file.arrow_schema = schemas.get(&file.object_meta.location).cloned();
            file
        });
        FileGroup::new(files.collect())
    });
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(source)
        .with_file_groups(groups.collect())
        .build();
    Ok(Some(DataSourceExec::from_data_source(config)))
}

/// The schemas to read the files with.
async fn schemas(
    config: &FileScanConfig,
    name: &str,
    session: &SessionState,
) -> PlanResult<Option<HashMap<Path, SchemaRef>>> {
    let store = session.runtime_env().object_store(&config.object_store_url)?;
    let mut files: HashMap<&Path, &PartitionedFile> = HashMap::new();
    for file in config.file_groups.iter().flat_map(FileGroup::iter) {
        files.insert(&file.object_meta.location, file);
    }
    let footers: Vec<_> = files
        .into_values()
        .map(|file| footer(&store, file, session).boxed())
        .collect();
    let mut footers = futures::stream::iter(footers).buffer_unordered(FOOTERS);
    let mut schemas = HashMap::new();
    while let Some((path, footer)) = footers.try_next().await? {
        match coded_schema(&footer, name)? {
            Some(schema) => schemas.insert(path, schema),
            None => return Ok(None),
        };
    }
    Ok(Some(schemas))
}

/// What a file says of itself; the scan finds it where this leaves it.
async fn footer(
    store: &Arc<dyn ObjectStore>,
    file: &PartitionedFile,
    session: &SessionState,
) -> PlanResult<(Path, Arc<ParquetMetaData>)> {
    let cache = session.runtime_env().cache_manager.get_file_metadata_cache();
    let metadata = DFParquetMetadata::new(store.as_ref(), &file.object_meta)
        .with_file_metadata_cache(Some(cache))
        .with_page_index_policy(Some(PageIndexPolicy::Skip))
        .fetch_metadata()
        .await?;
    Ok((file.object_meta.location.clone(), metadata))
}

/// The schema of a file with the column as codes; none where it is not stored as such.
fn coded_schema(footer: &ParquetMetaData, name: &str) -> PlanResult<Option<SchemaRef>> {
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let text = |field: &Field| *field.data_type() == DataType::Utf8;
    if !schema.field_with_name(name).is_ok_and(text) {
        return Ok(None);
    }
    let encoded = footer.row_groups().iter().all(|group| encoded(group, name));
    Ok(encoded.then(|| with_codes(&schema, name)))
}

/// Whether all pages of a column have codes.
fn encoded(group: &RowGroupMetaData, name: &str) -> bool {
    let of_column = |path: &[String]| matches!(path, [only] if only == name);
    let mut columns = group.columns().iter();
    let column = columns.find(|column| of_column(column.column_path().parts()));
    let pages = column.and_then(|column| column.page_encoding_stats_mask());
    pages.is_some_and(|pages| {
        pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY)
    })
}

fn with_codes(schema: &Schema, name: &str) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.name() == name {
        true => coded_field(field),
        false => field.clone(),
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

fn coded_field(field: &FieldRef) -> FieldRef {
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(field.as_ref().clone().with_data_type(codes))
}
