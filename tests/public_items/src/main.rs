//! Prints the public items of a crate, one a line, from the JSON that rustdoc wrote about it.
//!
//! What every type gets from the compiler, or from traits that are implemented for all types, is left out.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: public-items FILE.json")?;
    let items = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    print!("{items}");
    Ok(())
}
