//! A stored cursor.
#![no_main]

static MODULES: std::sync::LazyLock<Vec<fetcher::Module>> =
    std::sync::LazyLock::new(|| fetcher::load_modules(&[]).expect("the modules that are compiled in"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fetcher::fuzzing::cursor(&MODULES, bytes));
