//! What others put on a table stays when its rows are replaced.

use indoc::{formatdoc, indoc};

use crate::support::program::Project;
use crate::support::server::{Asked, Server, json};
use crate::support::{mysql, postgres};

/// A project that replaces `orders`: by a load, by one with other columns, and by a query.
fn project(server: &Server, source: &str) -> Project {
    let load = |path: &str, columns: &str| {
        formatdoc!(
            "
            - op: http_request
              request: {{source: api, url: {path}}}
              response:
                source: db
                tables:
                  - {{table: orders, data_path: $, columns: {{{columns}}}}}
            "
        )
    };
    Project::new()
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", server.url),
        )
        .file("sources/db.yaml", source)
        .file(
            "flows/same.yaml",
            &load("/same", "id: integer, total: integer, note: \"varchar(20)\""),
        )
        .file(
            "flows/other.yaml",
            &load("/other", "id: integer, total: bigint, made: date"),
        )
        .file(
            "flows/query.yaml",
            indoc! {"
                - op: transform
                  source: db
                  target_table: orders
                  query: select 9 as id, 90 as total, cast('q' as char(1)) as note
            "},
        )
}

fn server() -> Server {
    Server::start(|asked: &Asked| match asked.path.as_str() {
        "/same" => json(r#"[{"id": 1, "total": 10, "note": "a"}, {"id": 2, "total": 20, "note": "b"}]"#),
        _ => json(r#"[{"id": 3, "total": 5000000000, "made": "2024-05-01"}]"#),
    })
}

/// What stands on the table, by the catalog.
const ON_IT: &str = "select string_agg(thing, ' ' order by thing) as things from (
    select 'grant' as thing from information_schema.role_table_grants where table_name = 'orders' and grantee = 'PUBLIC'
    union all select 'comment' where obj_description('orders'::regclass) = 'ours'
    union all select 'column_comment' where col_description('orders'::regclass, 1) = 'the key'
    union all select 'index_' || indexname from pg_indexes where tablename = 'orders'
    union all select 'constraint_' || conname from pg_constraint where conrelid = 'orders'::regclass and contype <> 'n'
    union all select 'policy' from pg_policies where tablename = 'orders'
    union all select 'trigger' from pg_trigger where tgrelid = 'orders'::regclass
    union all select 'replica' from pg_class where oid = 'orders'::regclass and relreplident = 'f'
    union all select 'publication' from pg_publication_tables where tablename = 'orders'
    union all select 'owner' from pg_tables where tablename = 'orders' and tableowner = 'kept_owner'
    union all select 'view' from pg_views where viewname = 'big') as all_things";

#[test]
fn a_replaced_table_of_postgresql_keeps_what_is_on_it() {
    let server = server();
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    database.execute(indoc! {"
        do $$ begin create role kept_owner; exception when duplicate_object then null; end $$;
        create table orders (id integer primary key, total integer check (total > 0), note varchar(20));
        insert into orders values (7, 70, 'old');
        grant select on orders to public;
        comment on table orders is 'ours';
        comment on column orders.id is 'the key';
        create index by_total on orders (total);
        create policy own on orders using (true);
        alter table orders replica identity full;
        create publication changes for table orders;
        create view big as select id from orders where id > 1;
        create function nothing() returns trigger language plpgsql as 'begin return new; end';
        create trigger looks before insert on orders for each row execute function nothing();
        alter table orders owner to kept_owner;
    "});
    let before = database.rows(ON_IT);
    assert_eq!(before[0].split(' ').count(), 13, "{before:?}");

    project.run("same");
    assert_eq!(database.rows(ON_IT), before);
    assert_eq!(
        database.rows("select * from orders order by id"),
        ["1|10|a", "2|20|b"]
    );
    assert_eq!(database.rows("select * from big"), ["2"]);

    // Its columns change: what does not hang on those that go stays.
    project.run("other");
    assert_eq!(database.rows(ON_IT), before);
    assert_eq!(database.rows("select * from orders"), ["3|5000000000|2024-05-01"]);

    project.run("query");
    assert_eq!(database.rows(ON_IT), before);
    assert_eq!(database.rows("select id, total from orders"), ["9|90"]);
    assert_eq!(database.rows("select * from big"), ["9"]);
}

#[test]
fn a_load_that_breaks_a_constraint_of_the_table_leaves_its_rows() {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1, "total": -1, "note": "a"}]"#));
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    database.execute(
        "create table orders (id integer, total integer check (total > 0), note varchar(20)); insert into orders values (7, 70, 'old')",
    );
    project.sequor(&["run", "same"]).fails(1, &["orders_total_check"]);
    assert_eq!(database.rows("select * from orders"), ["7|70|old"]);
}

#[test]
fn a_table_without_anything_on_it_is_exchanged() {
    let server = server();
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    project.run("same");
    let first = database.rows("select 'orders'::regclass::oid::text as o");
    project.run("other");
    assert_ne!(database.rows("select 'orders'::regclass::oid::text as o"), first);
    assert_eq!(database.rows("select * from orders"), ["3|5000000000|2024-05-01"]);
}

#[test]
fn a_replaced_table_of_mysql_keeps_what_is_on_it() {
    let server = server();
    let database = mysql::Database::new();
    let project = project(&server, &database.source()).file(
        "flows/make.yaml",
        indoc! {"
            - op: execute
              source: db
              statement: |
                create table orders (id integer primary key comment 'the key', total integer, note varchar(20), index by_total (total)) comment 'ours';
                insert into orders values (7, 70, 'old');
                create view big as select id from orders where id > 1
            - op: execute
              source: db
              statement: create trigger doubles before insert on orders for each row set new.total = new.total * 2
        "},
    );
    let on_it = "select concat(t.table_comment, ' ', c.column_comment, ' ', \
        (select group_concat(lower(index_name) order by lower(index_name)) from information_schema.statistics \
         where table_schema = database() and table_name = 'orders')) as things \
        from information_schema.tables t join information_schema.columns c using (table_schema, table_name) \
        where t.table_schema = database() and t.table_name = 'orders' and c.column_name = 'id'";
    project.run("make");
    let before = project.rows("db", on_it);
    assert_eq!(before, ["ours the key by_total,primary"]);
    project.run("same");
    assert_eq!(project.rows("db", on_it), before);
    assert_eq!(
        project.rows("db", "select id, total, note from orders order by id"),
        ["1|20|a", "2|40|b"]
    );
    project.run("other");
    assert_eq!(project.rows("db", on_it), before);
    assert_eq!(
        project.rows("db", "select id, total, cast(made as char) as made from orders"),
        ["3|10000000000|2024-05-01"]
    );
    assert_eq!(project.rows("db", "select id from big"), ["3"]);
}

#[test]
fn a_replaced_table_of_sqlite_keeps_its_indexes_and_constraints() {
    let server = server();
    let project = project(&server, "type: sqlite\nconn_str: sqlite:///kept.db\n").file(
        "flows/make.yaml",
        indoc! {"
            - op: execute
              source: db
              statement: |
                create table orders (id integer primary key, total integer check (total > 0), note varchar(20));
                insert into orders values (7, 70, 'old');
                create index by_total on orders (total);
                create index by_note on orders (note)
        "},
    );
    let indexes = "select group_concat(name, ' ') as names from (select name from sqlite_master where type = 'index' order by name)";
    project.run("make");
    project.run("same");
    assert_eq!(project.rows("db", indexes), ["by_note by_total"]);
    let sql = "select sql like '%check (total > 0)%' as checked from sqlite_master where name = 'orders'";
    assert_eq!(project.rows("db", sql), ["1"]);
    assert_eq!(
        project.rows("db", "select id, note from orders order by id"),
        ["1|a", "2|b"]
    );
    // The index on a column that is gone goes with it.
    project.run("other");
    assert_eq!(project.rows("db", indexes), ["by_total"]);
    assert_eq!(
        project.rows("db", "select id, total from orders"),
        ["3|5000000000"]
    );
    assert_eq!(project.rows("db", sql), ["1"]);
}

#[test]
fn rows_of_other_tables_do_not_go_with_those_that_are_replaced() {
    let server = server();
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    database.execute(indoc! {"
        create table orders (id integer primary key, total integer, note varchar(20));
        insert into orders values (1, 1, 'old');
        create table lines (order_id integer references orders (id) on delete cascade);
        insert into lines values (1)
    "});
    project
        .sequor(&["run", "same"])
        .fails(1, &["foreign key", "on delete", "write_mode: upsert"]);
    assert_eq!(database.rows("select count(*) as n from lines"), ["1"]);
    assert_eq!(database.rows("select note from orders"), ["old"]);
    // Nor do those of tables that inherit.
    database.execute(indoc! {"
        drop table lines;
        create table kids () inherits (orders);
        insert into kids values (5, 5, 'kid')
    "});
    project.run("same");
    assert_eq!(database.rows("select note from kids"), ["kid"]);
}

#[test]
fn a_column_that_views_hold_at_its_type_does_not_round_the_rows() {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1, "total": 10.25, "note": "a"}]"#));
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    project.replace("flows/same.yaml", "total: integer", "total: \"numeric(10,2)\"");
    database.execute(indoc! {"
        create table orders (id integer, total integer, note varchar(20));
        create view totals as select total from orders
    "});
    project
        .sequor(&["run", "same"])
        .fails(1, &["column \"total\"", "stays integer", "views"]);
    assert_eq!(database.rows("select count(*) as n from orders"), ["0"]);
}

#[test]
fn a_column_that_is_narrower_than_the_flow_says_is_warned_of() {
    let server = Server::start(|_: &Asked| json(r#"[{"id": 1, "total": 10.25, "note": "a"}]"#));
    let database = postgres::Database::new();
    let project = project(&server, &database.source());
    project.replace("flows/same.yaml", "total: integer", "total: \"numeric(10,2)\"");
    project.replace(
        "flows/same.yaml",
        "data_path: $,",
        "data_path: $, write_mode: append,",
    );
    database.execute("create table orders (id integer, total integer, note varchar(20))");
    let ran = project.run("same");
    assert!(
        ran.stderr
            .contains("column `total` is integer there and numeric(10,2) in the flow"),
        "{}",
        ran.stderr
    );
}
