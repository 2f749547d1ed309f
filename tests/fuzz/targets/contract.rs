//! `contract.yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = reconciler::contract::Contract::parse("contract.yaml", text);
});
