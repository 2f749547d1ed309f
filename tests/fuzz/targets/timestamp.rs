//! An instant as sources write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(read) = reconciler::contract::instant(text) {
        // What is read is written so that it is read as the same.
        let again = reconciler::contract::instant(&read.to_string());
        assert_eq!(again.ok(), Some(read));
    }
});
