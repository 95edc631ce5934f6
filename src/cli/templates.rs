//! Projects to begin with: those of `examples`, each a flow, its sources and tests that pass.

/// A project to begin with.
pub struct Template {
    pub name: &'static str,
    /// What it does, in one line.
    pub what: &'static str,
    /// A flow to try, and what answers its requests.
    pub flow: &'static str,
    pub recording: Option<&'static str>,
    /// Paths with texts.
    pub files: &'static [(&'static str, &'static str)],
}

/// Files of a project in `examples`.
macro_rules! files {
    ($project:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../examples/", $project, "/", $path)))),*]
    };
}

/// The project that `init` makes where nothing else is said.
pub const STARTER: Template = Template {
    name: "starter",
    what: "orders of an API added up in the embedded database",
    flow: "orders",
    recording: Some("recordings/orders"),
    files: files!("starter":
        "project.yaml",
        "flows/orders.yaml",
        "sources/shop.yaml",
        "sources/stage.yaml",
        "recordings/orders/fetch_orders/0001.yaml",
        "tests/orders.yaml",
    ),
};

/// The others.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "shopify-to-mailchimp",
        what: "Shopify's orders to customer metrics in SQL to Mailchimp",
        flow: "shopify_mailchimp",
        recording: Some("recordings"),
        files: files!("shopify_mailchimp":
            "project.yaml",
            "flows/shopify_mailchimp.yaml",
            "sources/shopify.yaml",
            "sources/mailchimp.yaml",
            "sources/snowflake.yaml",
            "recordings/fetch_orders/0001.yaml",
            "recordings/update_members/0001.yaml",
            "recordings/update_members/0002.yaml",
            "recordings/update_members/0003.yaml",
            "recordings/update_members/0004.yaml",
            "tests/shopify_mailchimp.yaml",
        ),
    },
    Template {
        name: "postgres-to-api",
        what: "rows of PostgreSQL to an API, what it refuses kept apart",
        flow: "contacts",
        recording: None,
        files: files!("postgres_to_api":
            "project.yaml",
            "flows/contacts.yaml",
            "sources/warehouse.yaml",
            "sources/crm.yaml",
            "tests/contacts.yaml",
        ),
    },
    Template {
        name: "api-to-duckdb",
        what: "pages of an API into a file of DuckDB's, counted by day",
        flow: "orders",
        recording: None,
        files: files!("api_to_duckdb":
            "project.yaml",
            "flows/orders.yaml",
            "sources/api.yaml",
            "sources/lake.yaml",
            "tests/orders.yaml",
        ),
    },
];
