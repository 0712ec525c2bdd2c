//! A virtio block device in a process of its own.

fn main() {}
