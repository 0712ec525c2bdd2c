//! The repository: what its pages say is so.

mod c_names;
