//! A value in every normal form.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| matching::fuzzing::forms(text));
