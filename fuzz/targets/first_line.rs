#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| yufu_fuzz::first_line::run(data));
