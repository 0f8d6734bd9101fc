//! How fast text is cut into lines and escaped.
//!
//! `cargo bench --manifest-path tools/Cargo.toml -p host-tests`

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use host_tests::text::Lines;

/// The kinds of text, by what they repeat.
const KINDS: [(&str, &str); 4] = [
    ("plain", "compiler --option=value 0123456789 "),
    ("paths", r"C:\Program Files\Vendor\tool.exe "),
    ("Chinese", "监控进程创建"),
    ("escaped", "\n"),
];

/// A line's part, a whole line, and the most that there is.
const LENGTHS: [usize; 3] = [47, 264, 32_767];

fn on(kinds: &[(&str, &str)], group: &mut BenchmarkGroup<'_, WallTime>, run: impl Fn(&[u16])) {
    for (kind, pattern) in kinds {
        for length in LENGTHS {
            let text: Vec<u16> = pattern.encode_utf16().cycle().take(length).collect();
            group.throughput(Throughput::Elements(length as u64));
            group.bench_with_input(
                BenchmarkId::new(*kind, length),
                &text[..],
                |bencher, text| {
                    bencher.iter(|| run(black_box(text)));
                },
            );
        }
    }
}

/// The lines as they are printed.
fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Lines");
    on(&KINDS, &mut group, |text| {
        let mut lines = Lines::of(text);
        while let Some(units) = lines.next_line() {
            black_box(units);
        }
    });
}

criterion_group!(benches, lines);
criterion_main!(benches);
