#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| yufu_fuzz::login_body::run(data));
