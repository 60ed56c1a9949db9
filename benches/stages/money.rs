//! Representations of an amount: what it takes to read three from their text, and to say whether two differ by the third.

use std::hint::black_box;

use rust_decimal::Decimal;
use tidewaiter::event::money::Exact;

use super::cpu_time::CpuCriterion;

/// Balances before and after, and what was paid: as text, in pounds with two decimals.
fn amounts() -> Vec<[String; 3]> {
    let text = |pence: u64| format!("{}.{:02}", pence / 100, pence % 100);
    (1..=1_000_u64)
        .map(|n| (3_600_000 - n * 31, 10_050 + n * 7))
        .map(|(before, paid)| [before, before - paid, paid].map(text))
        .collect()
}

pub(crate) fn money(criterion: &mut CpuCriterion) {
    let amounts = amounts();
    let mut group = criterion.benchmark_group("money");
    group.throughput(criterion::Throughput::Elements(amounts.len() as u64));
    let mut read_and_compare = |name: &str, agree: fn(&[String; 3]) -> bool| {
        assert!(amounts.iter().all(agree), "{name}");
        group.bench_function(format!("{name}/{}_bytes", size_of_amount(name)), |bencher| {
            bencher.iter(|| black_box(&amounts).iter().filter(|amounts| agree(amounts)).count());
        });
    };
    read_and_compare("decimal_compared_in_256_bits", |amounts| {
        let [before, after, paid] = decimals(amounts).map(Exact::from);
        before - after == paid
    });
    // rounds in silence where 28 digits do not hold the difference
    read_and_compare("decimal", |amounts| {
        let [before, after, paid] = decimals(amounts);
        before - after == paid
    });
    // knows one scale, and no amount of another
    read_and_compare("pence_in_64_bits", |amounts| {
        let [before, after, paid] = amounts.each_ref().map(|amount| pence(amount));
        before.zip(after).map(|(before, after)| before - after) == paid
    });
    group.finish();
}

fn size_of_amount(name: &str) -> usize {
    if name.starts_with("decimal") { size_of::<Decimal>() } else { size_of::<i64>() }
}

fn decimals(amounts: &[String; 3]) -> [Decimal; 3] {
    amounts.each_ref().map(|amount| Decimal::from_str_exact(amount).expect("an amount"))
}

fn pence(amount: &str) -> Option<i64> {
    let (pounds, pence) = amount.split_once('.').filter(|(_, pence)| pence.len() == 2)?;
    Some(pounds.parse::<i64>().ok()?.checked_mul(100)? + pence.parse::<i64>().ok()?)
}
