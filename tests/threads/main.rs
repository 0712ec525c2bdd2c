//! Threads: memory that others write, chains that grow, and files that others stop.

mod chain;
mod files;
mod shared_memory;
