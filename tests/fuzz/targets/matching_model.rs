//! A trained model.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| matching::fuzzing::model_file(text));
