//! A new migration file alone must rebuild the crate that compiles the migrations in.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
