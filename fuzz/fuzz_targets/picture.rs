#![no_main]

// The decoders are other people's code: a panic there is caught and the file refused, as in the service. libFuzzer's own hook would
// end the run at once; without it the run ends at a panic that nobody catches.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| kahao_reader::fuzzing::picture(bytes)
);
