#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| yufu_fuzz::recipe::run(data));
