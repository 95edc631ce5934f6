//! The example: the seed's flow, on every database, checked at the wire.

use base64::Engine as _;

use crate::support::databases;
use crate::support::postgres::Database;
use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};

const EXAMPLE: &str = "examples/shopify_mailchimp";
const FLOW: &str = "flows/shopify_mailchimp.yaml";
const QUERY: &str = "SELECT email, total_spent::numeric(20,2) AS total_spent, order_count FROM customer_metrics ORDER BY email";

const ORDERS: &str = r#"{"orders": [
  {"id": 1, "customer_id": 7, "email": "Ada@example.com", "created_at": "2024-05-01", "total_price": "19.90", "total_items": 2},
  {"id": 2, "customer_id": 8, "email": null, "created_at": "2024-05-01", "total_price": 5, "total_items": null},
  {"id": 3, "customer_id": 7, "email": "Ada@example.com", "created_at": "2024-05-02", "total_price": 42.10, "total_items": 4},
  {"id": 4, "customer_id": 9, "email": "grace@example.com", "created_at": "2024-05-02", "total_price": "0.1", "total_items": 1}
]}"#;

fn shop() -> Server {
    Server::start(|asked| match asked.path.ends_with("orders.json") {
        true => json(ORDERS),
        false => json("{}"),
    })
}

/// The example with its requests going to `server`.
fn project(server: &Server) -> Project {
    let project = Project::copy(EXAMPLE);
    project.replace(
        FLOW,
        "https://{{ var('store_name') }}.myshopify.com",
        &format!("{}/{{{{ var('store_name') }}}}", server.url),
    );
    project.replace(
        FLOW,
        "https://{{ var('dc') }}.api.mailchimp.com",
        &format!("{}/{{{{ var('dc') }}}}", server.url),
    );
    project
}

fn patches(server: &Server) -> Vec<(String, String)> {
    let mut patches: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|a| a.method == "PATCH")
        .map(|a| (a.path, a.body))
        .collect();
    patches.sort();
    patches
}

#[test]
fn runs_from_its_recordings() {
    let project = Project::copy(EXAMPLE);
    let ran = project.sequor(&[
        "run",
        "shopify_mailchimp",
        "--replay",
        "recordings",
        "--record",
        "sent",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = project.rows("snowflake", QUERY);
    assert_eq!(
        rows,
        [
            "Ada@example.com|62.10|3",
            "grace@example.com|20.00|2",
            "linus@example.com|88.00|1",
            "margaret@example.com|150.45|1"
        ]
    );
    assert!(
        project
            .read("sent/fetch_orders/0001.yaml")
            .contains("orders.json?status=any")
    );
}

#[test]
fn gives_the_same_on_every_database() {
    let staging = shop();
    let on_staging = project(&staging);
    on_staging.run("shopify_mailchimp");

    let postgres = shop();
    let on_postgres = project(&postgres);
    let database = Database::new();
    on_postgres.write("sources/snowflake.yaml", &database.source());
    on_postgres.run("shopify_mailchimp");

    let expected = ["Ada@example.com|62.00|2", "grace@example.com|0.10|1"];
    assert_eq!(on_staging.rows("snowflake", QUERY), expected);
    assert_eq!(on_postgres.rows("snowflake", QUERY), expected);
    assert_eq!(database.rows(QUERY), expected);
    let orders =
        "SELECT id, customer_id, email, created_at, total_price, total_items FROM shopify_orders ORDER BY id";
    assert_eq!(
        on_staging.rows("snowflake", orders),
        on_postgres.rows("snowflake", orders)
    );
    // Numbers become text as the JSON writes them.
    assert_eq!(
        database.rows("SELECT total_price FROM shopify_orders ORDER BY id"),
        ["19.90", "5", "42.10", "0.1"]
    );

    assert_eq!(patches(&staging), patches(&postgres));
    for (name, source) in databases::all() {
        let rounded = match name {
            "sqlite" => "printf('%.2f', total_spent)",
            _ => "CAST(total_spent AS decimal(20,2))",
        };
        let server = shop();
        let on_other = project(&server);
        on_other.write("sources/snowflake.yaml", &source);
        if name == "snowflake" {
            // A bare decimal of Snowflake's has no fraction, and SQL means there what it means there.
            on_other.replace(FLOW, "::decimal", "::decimal(20,2)");
        }
        on_other.run("shopify_mailchimp");
        let query = format!(
            "SELECT email, {rounded} AS total_spent, order_count FROM customer_metrics ORDER BY email"
        );
        assert_eq!(on_other.rows("snowflake", &query), expected, "{name}");
        assert_eq!(
            on_other.rows("snowflake", orders),
            on_postgres.rows("snowflake", orders),
            "{name}"
        );
        assert_eq!(patches(&server), patches(&postgres), "{name}");
    }

    let ada = "/us21/3.0/lists/a1b2c3d4e5/members/7a17f83823e567dd29b9f9ce1f19f7bd";
    let sent = patches(&staging);
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter()
            .any(|(_, body)| body == r#"{"merge_fields":{"TOTALSPENT":62.0,"ORDERCOUNT":2}}"#),
        "{sent:?} ({ada})"
    );

    let asked: Vec<Asked> = staging.asked();
    let get = asked
        .iter()
        .find(|a| a.method == "GET")
        .expect("orders were asked for");
    assert_eq!(get.path, "/acme-coffee/admin/api/2024-01/orders.json");
    assert_eq!(get.query, "status=any");
    assert_eq!(get.header("x-shopify-access-token"), "shpat_0123456789abcdef");
    assert_eq!(get.header("accept"), "application/json");
    let patch = asked
        .iter()
        .find(|a| a.method == "PATCH")
        .expect("a member was updated");
    let basic =
        base64::engine::general_purpose::STANDARD.encode("sequor:0123456789abcdef0123456789abcdef-us21");
    assert_eq!(patch.header("authorization"), format!("Basic {basic}"));
    assert_eq!(patch.header("content-type"), "application/json");
}
