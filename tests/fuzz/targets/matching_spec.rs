//! `matching.yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| matching::fuzzing::spec_file(text));
