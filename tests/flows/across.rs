//! Transforms over tables of several sources.

use crate::support::databases;
use crate::support::postgres::Database;
use crate::support::program::Project;
use indoc::formatdoc;

const FILL: &str = r#"
- op: execute
  source: shop
  statement: |
    create table orders (id integer, email varchar(40), total numeric(10,2), day date);
    insert into orders values (1, 'ada@x', 19.90, '2024-05-01'), (2, 'grace@x', 0.10, '2024-05-02'),
      (3, 'ada@x', 42.10, '2024-05-03'), (4, null, 5, '2024-05-04')
- op: execute
  source: stage
  statement: |
    create table events as select 'ada@x' as email, 3 as clicks union all select 'grace@x', 1 union all select 'linus@x', 9
"#;

const QUERY: &str = "select e.email, e.clicks, sum(o.total) as total, count(*) as n from shop.orders o join events e on e.email = o.email where o.id < 4 and o.day >= date '2024-05-01' group by e.email, e.clicks";

fn flow(target: &str, keys: &str, query: &str) -> String {
    formatdoc!(
        "
            - op: transform
              id: join
              source: {target}
              target_table: metrics
            {keys}  query: |
                {query}
        "
    )
}

#[test]
fn a_join_of_two_databases_goes_to_either() {
    for (name, source) in databases::all()
        .into_iter()
        .filter(|(name, _)| *name != "staging")
    {
        let project = Project::new()
            .file("sources/stage.yaml", "type: staging\n")
            .file("sources/shop.yaml", &source)
            .file("flows/fill.yaml", FILL)
            .file("flows/here.yaml", &flow("stage", "", QUERY))
            .file(
                "flows/there.yaml",
                &flow(
                    "shop",
                    "",
                    &QUERY
                        .replace("events e", "stage.events e")
                        .replace("shop.orders", "orders"),
                ),
            );
        project.run("fill");
        project.run("here");
        let rows = ["ada@x|3|62.00|2", "grace@x|1|0.10|1"];
        let seen = project.rows(
            "stage",
            "select email, clicks, round(total, 2) as total, n from metrics order by email",
        );
        assert_eq!(seen, rows, "{name}");
        project.run("there");
        let total = match name {
            "sqlite" => "printf('%.2f', total)",
            _ => "cast(total as decimal(20,2))",
        };
        let seen = project.rows(
            "shop",
            &format!("select email, clicks, {total} as total, n from metrics order by email"),
        );
        assert_eq!(seen, rows, "{name}");
    }
}

#[test]
fn modes_and_what_the_plan_says() {
    let database = Database::new();
    let keys = "  write_mode: upsert\n  primary_key: [email]\n";
    let project = Project::new()
        .file("sources/stage.yaml", "type: staging\n")
        .file("sources/shop.yaml", &database.source())
        .file("flows/fill.yaml", FILL)
        .file(
            "flows/main.yaml",
            &flow("shop", keys, &QUERY.replace("events e", "stage.events e")),
        );
    let plan = project.sequor(&["plan", "main"]);
    assert!(
        plan.stdout.contains("SQL runs here, in DataFusion"),
        "{}",
        plan.stdout
    );
    for read in ["table shop.orders", "table stage.events"] {
        assert!(plan.stdout.contains(read), "{}", plan.stdout);
    }
    project.run("fill");
    project.run("main");
    database.execute("update metrics set clicks = 100");
    project.run("main");
    assert_eq!(
        database.rows("select email, clicks from metrics order by 1"),
        ["ada@x|3", "grace@x|1"]
    );
    let duplicates =
        "select o.email, e.clicks from shop.orders o cross join stage.events e where o.email is not null";
    project.write("flows/main.yaml", &flow("shop", keys, duplicates));
    project
        .sequor(&["run", "main"])
        .fails(1, &["several rows with the same `email`"]);
    assert_eq!(database.rows("select count(*) from metrics"), ["2"]);
}

#[test]
fn the_engine_can_be_told() {
    let database = Database::new();
    database.execute(
        "create schema stage; create table stage.t as select 5 as n; create table t as select 7 as n",
    );
    let project = Project::new()
        .file("sources/stage.yaml", "type: staging\n")
        .file("sources/shop.yaml", &database.source())
        .file(
            "flows/fill.yaml",
            "- {op: execute, source: stage, statement: create table t as select 6 as n}\n",
        )
        .file(
            "flows/main.yaml",
            &flow("shop", "  engine: warehouse\n", "select n from stage.t"),
        );
    project.run("fill");
    // A schema of the warehouse has the name of a source.
    project.run("main");
    assert_eq!(database.rows("select n from metrics"), ["5"]);
    project.write("flows/main.yaml", &flow("shop", "", "select n from stage.t"));
    let ran = project.run("main");
    assert_eq!(database.rows("select n from metrics"), ["5"]);
    assert!(
        ran.stderr.contains("`stage.t` is taken as a table of shop"),
        "{}",
        ran.all()
    );
    let local = flow("shop", "  engine: local\n", "select n from stage.t");
    project.write("flows/main.yaml", &local);
    project.run("main");
    assert_eq!(database.rows("select n from metrics"), ["6"]);
    // DataFusion's own functions, over a table of the target's database.
    project.write(
        "flows/main.yaml",
        &flow(
            "shop",
            "  engine: local\n",
            "select array_to_string(make_array(n, 1), '-') as n from t",
        ),
    );
    project.run("main");
    assert_eq!(database.rows("select n from metrics"), ["7-1"]);
}

#[test]
fn what_is_wrong_is_told() {
    let database = Database::new();
    let project = Project::new()
        .file("sources/stage.yaml", "type: staging\n")
        .file("sources/shop.yaml", &database.source())
        .file("sources/api.yaml", "type: http\n")
        .file(
            "flows/main.yaml",
            &flow("shop", "", "select * from stage.nowhere"),
        );
    project.sequor(&["run", "main"]).fails(
        1,
        &[
            "table `nowhere` does not exist in source `stage`",
            "flows/main.yaml",
        ],
    );
    database.execute("create table t as select 1 as n");
    project.write("flows/main.yaml", &flow("stage", "", "select wrong from shop.t"));
    project.sequor(&["run", "main"]).fails(1, &["wrong"]);
    project.write(
        "flows/main.yaml",
        &flow("stage", "", "select [n, 2] as l from shop.t"),
    );
    project
        .sequor(&["run", "main"])
        .fails(1, &["column `l` is a", "cast it"]);
    project.write("flows/main.yaml", &flow("stage", "  engine: cloud\n", "select 1"));
    project.sequor(&["validate"]).fails(2, &["engine", "local"]);
}
