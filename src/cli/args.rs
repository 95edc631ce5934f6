//! Commands and options.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use super::run_args::{InDoubtArg, LogFormat, Run, RunDebug, RunFormat};
pub use super::test_args::{Test, TestCommand, TestFormat, TestNew};

/// Connects databases and APIs with flows in YAML, Jinja, Python and SQL.
#[derive(Debug, Parser)]
#[command(
    name = "sequor",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, ClapArgs)]
pub struct Global {
    /// The project's folder
    #[arg(long, short, global = true, default_value = ".", value_name = "DIR")]
    pub project_dir: PathBuf,
    /// Where environments and the state of projects are kept [default: ~/.sequor]
    #[arg(long, global = true, value_name = "DIR")]
    pub home_dir: Option<PathBuf>,
    /// The environment whose variables are used
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// Show only what the flow prints, and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new project, with a flow and tests that pass
    #[command(
        after_help = "Examples:\n  sequor init my_project && cd my_project && sequor test\n  sequor init crm_sync --template postgres-to-api"
    )]
    Init {
        /// The folder to make
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// What to begin with: shopify-to-mailchimp, postgres-to-api or api-to-duckdb
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
    },
    /// Environments: named sets of variables
    Env {
        #[command(subcommand)]
        command: EnvCommand,
    },
    /// Print the version
    Version,
    /// Print what a shell completes words by
    #[command(
        after_help = "Examples:\n  sequor completions bash > ~/.local/share/bash-completion/completions/sequor\n  sequor completions zsh > \"${fpath[1]}/_sequor\"\n  sequor completions fish > ~/.config/fish/completions/sequor.fish\n  sequor completions powershell >> $PROFILE"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command
    #[command(after_help = "Example:\n  sequor man ~/.local/share/man/man1 && man sequor-run")]
    Man {
        /// The folder for them
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Check the project, or one flow, without running it: all mistakes at once
    #[command(
        after_help = "Examples:\n  sequor validate\n  sequor validate salesforce/account_sync --format json"
    )]
    Validate(Validate),
    /// Show what `run` would do: stages, reasons, and which requests change something outside
    #[command(
        after_help = "Examples:\n  sequor plan orders\n  sequor plan orders --format svg > plan.svg\n  sequor plan orders --format mermaid > plan.mmd\n  sequor plan orders --estimate"
    )]
    Plan(Plan),
    /// Run a flow
    #[command(
        after_help = "Examples:\n  sequor run orders --env prod\n  sequor run orders --var day=2024-05-01\n  sequor run orders --record recordings/   # keep every request and response\n  sequor run orders --replay recordings/   # answer from them, without the network\n  sequor run orders --resume               # go on with the run that failed, was interrupted or crashed\n\nExit codes: 0 done, 1 the flow failed, 2 the project or the command line is wrong, 130 interrupted."
    )]
    Run(Box<Run>),
    /// Run the tests of the project's flows, in its folder tests/
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  sequor test                       # all tests\n  sequor test orders -k upsert      # those of tests/orders.yaml with upsert in their names\n  sequor test --update              # write what came out into the tests that failed\n  sequor test --coverage --junit junit.xml\n  sequor test new orders --from recordings --flow orders\n\nExit codes: 0 all passed, 1 some failed, 2 the tests, the project or the command line are wrong."
    )]
    Test(Box<Test>),
    /// Check what the project needs: files, environment, sources, Python, state, clock; nothing is changed
    #[command(
        after_help = "Examples:\n  sequor doctor --env prod\n  sequor doctor --format json | jq 'select(.status != \"ok\")'\n\nExit codes: 0 nothing failed, 1 something did."
    )]
    Doctor {
        /// How results are told: text, or one JSON object per check
        #[arg(long, value_enum, default_value_t = RunFormat::Text)]
        format: RunFormat,
    },
    /// Explain the code of a finding: what it means, with an example
    #[command(after_help = "Examples:\n  sequor explain SQ0102\n  sequor explain          # all codes")]
    Explain {
        /// The code, as `validate` shows it; all of them when not given
        code: Option<String>,
    },
    /// Print the JSON Schema of a project's files, for editors
    #[command(
        after_help = "Example:\n  sequor schema > sequor.schema.json\n\nVS Code uses it with this line in .vscode/settings.json:\n  \"yaml.schemas\": {\"sequor.schema.json\": [\"flows/**/*.yaml\", \"sources/*.yaml\", \"tests/**/*.yaml\", \"project.yaml\"]}"
    )]
    Schema {
        /// The kind of file
        #[arg(value_enum, default_value_t = SchemaFile::Any)]
        file: SchemaFile,
    },
    /// List the runs of the project, the latest first
    #[command(
        after_help = "Examples:\n  sequor runs\n  sequor runs --flow orders --status failed --since 2d\n  sequor runs --format json | jq -r .run"
    )]
    Runs(Runs),
    /// Show what a run did, step by step, and what `run --resume` would do
    #[command(
        after_help = "Examples:\n  sequor show            # the latest run\n  sequor show 019a2b3c-4d5e --format json"
    )]
    Show(Show),
    /// Print what a run told
    #[command(
        after_help = "Examples:\n  sequor logs            # the latest run\n  sequor logs 019a2b3c-4d5e --format json"
    )]
    Logs(Show),
    /// Send rows again that a run rejected, from what it kept of them
    #[command(
        after_help = "Examples:\n  sequor retry 019a2b3c-4d5e\n  sequor retry 019a2b3c-4d5e push   # only those of one step"
    )]
    Retry(Retry),
    /// Run a query on a database source and print its rows
    #[command(
        after_help = "Examples:\n  sequor query stage 'select * from customer_metrics'\n  sequor query _sequor 'select flow, status, started from runs'   # the project's own history"
    )]
    Query(Query),
    /// How far incremental steps got: look at it, or forget it
    #[command(
        after_help = "Examples:\n  sequor state list orders\n  sequor state reset orders fetch     # the next run begins at `initial`"
    )]
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// Make an environment: a file for variables in the home folder
    Init {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, ClapArgs)]
pub struct Validate {
    /// The flow to check; all of them when not given
    pub flow: Option<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = DiagnosticFormat::Text)]
    pub format: DiagnosticFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticFormat {
    Text,
    /// A list of objects, for editors and scripts
    Json,
    /// Annotations of GitHub Actions
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// Whichever it is
    Any,
    Flow,
    Source,
    Project,
    /// env.yaml
    Env,
    /// envs/NAME.yaml in the home folder
    Environment,
    /// tests/NAME.yaml
    Tests,
}

#[derive(Debug, ClapArgs)]
pub struct Plan {
    /// The flow, as its path below flows/ without .yaml
    pub flow: String,
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Count the rows of for_each tables, to tell how many requests there will be
    #[arg(long)]
    pub estimate: bool,
    /// Say which SQL `sequor run --dry-run` can't try here, and why, before anything runs
    #[arg(long)]
    pub dry_run: bool,
    /// Plan steps and requests one by one, in the order of the flow
    #[arg(long)]
    pub in_order: bool,
    /// Show the plan as the compiler makes it: behind its first stage as a whole, then what each further stage changes
    #[arg(long, conflicts_with_all = ["estimate", "out", "dry_run"])]
    pub stages: bool,
    /// Write the plan to a file, to be reviewed and then run: sequor run --plan FILE
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub selection: Selection,
    /// A variable, winning over every other place it is set
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    Text,
    Json,
    /// A picture
    Svg,
    /// For Graphviz
    Dot,
    Mermaid,
}

/// Which steps of the flow.
#[derive(Debug, Default, ClapArgs)]
pub struct Selection {
    /// Only the step with this id
    #[arg(long, value_name = "ID", conflicts_with_all = ["select", "exclude"])]
    pub op_id: Option<String>,
    /// Only the steps with these ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Not the steps with these ids
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub exclude: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Runs {
    /// Only those of a flow
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<String>,
    /// Only those that are so
    #[arg(long, value_enum)]
    pub status: Option<RunStatusArg>,
    /// Only those that began since then: how long ago (`2d`, `12h`), or a date or time in UTC (`2026-05-01`)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,
    /// How they are written: a table, or one JSON object a line
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunStatusArg {
    Running,
    Done,
    Failed,
    Interrupted,
    /// Its process is gone, and did not say how it ended
    Crashed,
}

#[derive(Debug, ClapArgs)]
pub struct Show {
    /// The run: its id, or the beginning of it; the latest when not given
    pub run: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
}

#[derive(Debug, ClapArgs)]
pub struct Retry {
    /// The run: its id, or the beginning of it
    pub run: String,
    /// Only this step
    pub step: Option<String>,
    /// A variable that the run was given, where it is a secret
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Send them although the flow, the environment or variables changed
    #[arg(long)]
    pub force: bool,
    /// What becomes of rows that may have been sent again when a retry ended, and must not be sent twice [default: stop]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub in_doubt: Option<InDoubtArg>,
    /// How the run is told: text, or one JSON object per event on standard output
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
}

#[derive(Debug, ClapArgs)]
pub struct Query {
    /// The database source
    pub source: String,
    /// The query
    #[arg(allow_hyphen_values = true)]
    pub sql: String,
}

#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Show what each step has covered, by table and partition
    List {
        /// The flow
        flow: String,
        /// How it is written: a table, or one JSON object a line
        #[arg(long, value_enum, default_value_t = RunFormat::Text)]
        format: RunFormat,
    },
    /// Show what one step has covered
    Show {
        /// The flow
        flow: String,
        /// The step
        step: String,
        /// Only this partition, as `list` shows it
        #[arg(long, value_name = "PARTITION")]
        partition: Option<String>,
        /// How it is written: a table, or one JSON object a line
        #[arg(long, value_enum, default_value_t = RunFormat::Text)]
        format: RunFormat,
    },
    /// Say what is covered: the next run goes on behind it, as after a migration from another tool
    Set {
        /// The flow
        flow: String,
        /// The step
        step: String,
        /// Up to where the table has all rows, written as the cursor has it
        #[arg(long, value_name = "POSITION")]
        until: String,
        /// From where on [default: from the first row]
        #[arg(long, value_name = "POSITION")]
        from: Option<String>,
        /// Of this partition, as `list` shows it
        #[arg(long, value_name = "PARTITION")]
        partition: Option<String>,
    },
    /// Forget it: the next run begins at `initial`; rows that are there stay
    Reset {
        /// The flow
        flow: String,
        /// Only this step
        step: Option<String>,
        /// Only this partition, as `list` shows it
        #[arg(long, value_name = "PARTITION", requires = "step")]
        partition: Option<String>,
    },
}
