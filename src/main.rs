//! The `sequor` program.

// Requests and rows are many small allocations made by one thread and freed by another, where the system's allocator
// holds a lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    sequor::cli::main()
}
