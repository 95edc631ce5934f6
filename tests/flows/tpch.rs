//! The queries of TPC-H: a dry run gives what PostgreSQL gives, to the value.

use std::fmt::Display;

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

use crate::support::postgres;
use crate::support::program::Project;

const TABLES: &str = "
    create table region (r_regionkey int, r_name varchar(25), r_comment varchar(152));
    create table nation (n_nationkey int, n_name varchar(25), n_regionkey int, n_comment varchar(152));
    create table part (p_partkey int, p_name varchar(55), p_mfgr varchar(25), p_brand varchar(10), p_type varchar(25), p_size int, p_container varchar(10), p_retailprice numeric(15,2), p_comment varchar(23));
    create table supplier (s_suppkey int, s_name varchar(25), s_address varchar(40), s_nationkey int, s_phone varchar(15), s_acctbal numeric(15,2), s_comment varchar(101));
    create table partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2), ps_comment varchar(199));
    create table customer (c_custkey int, c_name varchar(25), c_address varchar(40), c_nationkey int, c_phone varchar(15), c_acctbal numeric(15,2), c_mktsegment varchar(10), c_comment varchar(117));
    create table orders (o_orderkey int, o_custkey int, o_orderstatus varchar(1), o_totalprice numeric(15,2), o_orderdate date, o_orderpriority varchar(15), o_clerk varchar(15), o_shippriority int, o_comment varchar(79));
    create table lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag varchar(1), l_linestatus varchar(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25), l_shipmode varchar(10), l_comment varchar(44));
";

/// 15,000 orders.
const SCALE: f64 = 0.01;

/// Fills a table; a row shows itself as its columns with `|` behind each.
fn fill(database: &postgres::Database, table: &str, rows: impl Iterator<Item = impl Display>) {
    let rows: Vec<String> = rows
        .map(|row| {
            let text = row.to_string();
            let cells = text.trim_end_matches('|').split('|');
            let cells: Vec<String> = cells
                .map(|cell| format!("'{}'", cell.replace('\'', "''")))
                .collect();
            format!("({})", cells.join(","))
        })
        .collect();
    for some in rows.chunks(5000) {
        database.execute(&format!("insert into {table} values {}", some.join(",")));
    }
}

#[test]
fn all_queries_give_what_postgresql_gives() {
    let database = postgres::Database::new();
    database.execute(TABLES);
    fill(&database, "region", RegionGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "nation", NationGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "part", PartGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "supplier", SupplierGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "partsupp", PartSuppGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "customer", CustomerGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "orders", OrderGenerator::new(SCALE, 1, 1).iter());
    fill(&database, "lineitem", LineItemGenerator::new(SCALE, 1, 1).iter());
    database.execute("create index on lineitem (l_partkey, l_suppkey); create index on lineitem (l_orderkey); create index on orders (o_custkey); analyze");
    let project = Project::new()
        .file("sources/wh.yaml", &database.source())
        .file("flows/main.yaml", include_str!("tpch.yaml"));
    let ran = project.sequor(&["run", "main"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    // Now the tables of the queries are there: a dry run compares its own with them.
    let ran = project.sequor(&["run", "main", "--dry-run", "--diff", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let last = ran.stdout.lines().last().unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(last).unwrap();
    let tables = report["report"]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 22, "{last}");
    let mut rows = 0;
    for table in tables {
        let diff = &table["diff"];
        assert_eq!(
            (&diff["added"], &diff["removed"]),
            (&0.into(), &0.into()),
            "{table}"
        );
        assert_eq!(diff["new_columns"], serde_json::json!([]), "{table}");
        rows += table["rows"].as_u64().unwrap();
    }
    assert!(rows > 500, "{rows} rows of results");
}
