//! The options of `sequor test`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

#[derive(Debug, ClapArgs)]
pub struct Test {
    #[command(subcommand)]
    pub command: Option<TestCommand>,
    /// Files and folders of tests, as their paths below tests/ without .yaml; all of them when not given
    pub files: Vec<String>,
    /// Only tests with this text in their names; given more than once: with one of them
    #[arg(long = "keyword", short = 'k', value_name = "TEXT")]
    pub keywords: Vec<String>,
    /// How many tests run at the same time [default: as many as the machine has processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Write what came out into the tests that failed
    #[arg(long)]
    pub update: bool,
    /// Tell which steps no test reaches
    #[arg(long)]
    pub coverage: bool,
    /// Run the tests again whenever a file of the project changes
    #[arg(long, conflicts_with = "update")]
    pub watch: bool,
    /// How long one test may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// How results are told: text, one JSON object per test, or annotations of GitHub Actions
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub format: TestFormat,
    /// Write the results to a file in the form of JUnit, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    Text,
    Json,
    Github,
}

#[derive(Debug, Subcommand)]
pub enum TestCommand {
    /// Make a test of a recording: tests/NAME.yaml, with the tables that the flow reads
    #[command(
        after_help = "Example:\n  sequor run orders --record recordings/orders\n  sequor test new orders --from recordings/orders --flow orders"
    )]
    New(TestNew),
}

#[derive(Debug, ClapArgs)]
pub struct TestNew {
    /// The name of its file below tests/
    pub name: String,
    /// The folder that `sequor run --record` wrote
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The flow that was recorded [default: the only one of the project]
    #[arg(long)]
    pub flow: Option<String>,
    /// A variable that the flow needs
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// The time that the test sees [default: when the recording was made]
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Rows of each table that are kept of those that the flow reads
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub sample: u64,
}
