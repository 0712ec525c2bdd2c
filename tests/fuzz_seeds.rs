//! Stub.
mod fuzz_bodies;
#[test]
fn stub() {
    for (name, body) in fuzz_bodies::BODIES {
        println!("{name}");
        body(&[]);
        body(&[1; 50]);
    }
}
