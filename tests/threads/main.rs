//! Threads: memory that others write, and files that others stop.

mod files;
mod shared_memory;
