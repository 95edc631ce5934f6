//! The `sequor` program.

fn main() -> std::process::ExitCode {
    sequor::cli::main()
}
