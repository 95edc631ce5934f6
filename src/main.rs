//! The `sequor` program.

// Requests and rows are many small allocations made by one thread and freed by another, where the system's allocator
// holds a lock.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    sequor::cli::main()
}
