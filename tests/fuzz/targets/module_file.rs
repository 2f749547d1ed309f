//! `module.yaml` and `query.graphql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fetcher::fuzzing::module_file(bytes));
