//! Functions on numbers.

#![expect(clippy::float_arithmetic, reason = "FLOAT is a type of T-SQL; money and decimals never pass through it")]

use super::super::error::{SqlError, SqlResult};
use super::super::value::ty::Class;
use super::super::value::{Numeric, Type, Value};
use super::{Call, Function, float, int};

const fn strict(
    name: &'static str,
    least: usize,
    most: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least, most, strict: true, result, call }
}

/// The first argument's type, small integers widened to int, everything else to float.
fn number(types: &[Type]) -> Type {
    match types.first() {
        Some(Type::Bit | Type::TinyInt | Type::SmallInt) => Type::Int,
        Some(Type::SmallMoney) => Type::Money,
        Some(ty) if ty.is_number() => *ty,
        _ => Type::Float,
    }
}

/// A decimal without its fraction.
fn whole(types: &[Type]) -> Type {
    match number(types) {
        Type::Decimal { precision, .. } => Type::decimal(precision, 0),
        other => other,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    strict("ABS", 1, 1, number, |c| match c.get(0, number(c.types))? {
        Value::Int(n) => Ok(Value::Int(n.saturating_abs())),
        Value::Numeric(n) => Ok(Value::Numeric(if n.signum() < 0 { n.negate() } else { n })),
        Value::Float(f) => Ok(Value::Float(f.abs())),
        other => Ok(other),
    }),
    strict("SIGN", 1, 1, number, |c| match c.get(0, number(c.types))? {
        Value::Int(n) => Ok(Value::Int(n.signum())),
        Value::Numeric(n) => {
            let sign = if n.is_zero() { 0 } else { i64::from(n.signum() > 0) * 2 - 1 };
            Ok(Numeric::from(sign).round_to(n.scale()).map_or(Value::Null, Value::Numeric))
        }
        Value::Float(f) => Ok(Value::Float(if f == 0.0 { 0.0 } else { f.signum() })),
        other => Ok(other),
    }),
    strict("FLOOR", 1, 1, whole, |c| step(c, f64::floor, Numeric::floor)),
    strict("CEILING", 1, 1, whole, |c| step(c, f64::ceil, |n| -n.negate().floor())),
    strict("ROUND", 2, 3, number, round),
    strict("POWER", 2, 2, number, power),
    strict("SQUARE", 1, 1, float, |c| finite(c.float(0)?.powi(2))),
    strict("SQRT", 1, 1, float, |c| finite(c.float(0)?.sqrt())),
    strict("EXP", 1, 1, float, |c| finite(c.float(0)?.exp())),
    strict("LOG", 1, 2, float, |c| {
        let x = c.float(0)?;
        finite(if c.has(1) { x.log(c.float(1)?) } else { x.ln() })
    }),
    strict("LOG10", 1, 1, float, |c| finite(c.float(0)?.log10())),
    strict("PI", 0, 0, float, |_| Ok(Value::Float(std::f64::consts::PI))),
    strict("SIN", 1, 1, float, |c| finite(c.float(0)?.sin())),
    strict("COS", 1, 1, float, |c| finite(c.float(0)?.cos())),
    strict("TAN", 1, 1, float, |c| finite(c.float(0)?.tan())),
    Function {
        name: "RAND",
        least: 0,
        most: 1,
        strict: false,
        result: float,
        call: |c| {
            if c.has(0) && !c.is_null(0) {
                c.engine.seed_random(c.int(0)?.unsigned_abs());
            }
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
            let fraction = (c.engine.random() >> 11) as f64 / (1u64 << 53) as f64;
            Ok(Value::Float(fraction))
        },
    },
    Function { name: "CHECKSUM", least: 1, most: 64, strict: false, result: int, call: checksum },
    Function { name: "BINARY_CHECKSUM", least: 1, most: 64, strict: false, result: int, call: checksum },
    Function {
        name: "ISNUMERIC",
        least: 1,
        most: 1,
        strict: false,
        result: int,
        call: |c| {
            let is = match &c.values[0] {
                Value::Text(text) => {
                    let text = text.trim().trim_start_matches(['$', '£', '€']).replace(',', "");
                    !text.is_empty() && (Numeric::parse(&text).is_some() || text.parse::<f64>().is_ok_and(f64::is_finite))
                }
                Value::Bit(_) | Value::Int(_) | Value::Numeric(_) | Value::Float(_) => true,
                _ => false,
            };
            Ok(Value::Int(i64::from(is)))
        },
    },
];

fn finite(value: f64) -> SqlResult<Value> {
    if value.is_finite() {
        return Ok(Value::Float(value));
    }
    Err(SqlError::new(3623, "An invalid floating point operation occurred."))
}

fn step(call: &Call<'_>, on_float: fn(f64) -> f64, on_numeric: fn(Numeric) -> i128) -> SqlResult<Value> {
    let ty = number(call.types);
    match call.get(0, ty)? {
        Value::Numeric(n) => {
            let whole = Numeric::new(on_numeric(n), 0);
            // MONEY keeps its scale.
            let whole = if ty.is_money() { whole.and_then(|n| n.round_to(4)) } else { whole };
            whole.map(Value::Numeric).ok_or_else(|| SqlError::overflow("numeric"))
        }
        Value::Float(f) => Ok(Value::Float(on_float(f))),
        other => Ok(other),
    }
}

/// ROUND(number, places, cut): halves away from zero; the type stays.
fn round(call: &Call<'_>) -> SqlResult<Value> {
    let ty = number(call.types);
    let places = call.int(1)?.clamp(-40, 40);
    let cut = call.has(2) && call.int(2)? != 0;
    let exact = match call.get(0, ty)? {
        Value::Int(n) => Numeric::from(n),
        Value::Numeric(n) => n,
        Value::Float(f) => {
            let factor = 10f64.powi(i32::try_from(places).unwrap_or(0));
            let scaled = f * factor;
            return finite((if cut { scaled.trunc() } else { scaled.round() }) / factor);
        }
        other => return Ok(other),
    };
    let rounded = if let Ok(places) = u8::try_from(places) {
        let places = places.min(exact.scale());
        if cut { exact.truncate_to(places) } else { exact.round_to(places) }
    } else {
        // Places before the point: as if the number were so much smaller, then back.
        let shift = u8::try_from(-places).unwrap_or(38);
        let scale = exact.scale().saturating_add(shift);
        let small = Numeric::new(exact.mantissa(), scale.min(38)).filter(|_| scale <= 38);
        let whole = small.and_then(|n| if cut { n.truncate_to(0) } else { n.round_to(0) });
        match whole {
            Some(n) => n.multiply(Numeric::from(10i64.checked_pow(u32::from(shift)).unwrap_or(i64::MAX)), 0),
            None => Some(Numeric::from(0)),
        }
    };
    let rounded = rounded.ok_or_else(|| SqlError::overflow(ty.family()))?;
    match ty.class() {
        Class::Integer => {
            let whole = i64::try_from(rounded.trunc()).ok();
            let fits = whole.filter(|n| ty == Type::BigInt || i32::try_from(*n).is_ok());
            fits.map(Value::Int).ok_or_else(|| SqlError::overflow(ty.family()))
        }
        _ => rounded.round_to(exact.scale()).map(Value::Numeric).ok_or_else(|| SqlError::overflow(ty.family())),
    }
}

fn power(call: &Call<'_>) -> SqlResult<Value> {
    let ty = number(call.types);
    let base = call.get(0, ty)?;
    let exponent = call.values[1].clone();
    if let (Value::Int(base), Value::Int(exponent)) = (&base, &exponent) {
        let Ok(exponent) = u32::try_from(*exponent) else { return Ok(Value::Int(i64::from(*base == 1))) };
        let result = base.checked_pow(exponent).filter(|n| ty == Type::BigInt || i32::try_from(*n).is_ok());
        return result.map(Value::Int).ok_or_else(|| SqlError::overflow(ty.family()));
    }
    if let (Value::Numeric(base), Value::Int(exponent @ 0..=64)) = (&base, &exponent) {
        let mut result = Some(Numeric::from(1));
        for _ in 0..*exponent {
            result = result.and_then(|n| n.multiply(*base, (n.scale() + base.scale()).min(20)));
        }
        let result = result.and_then(|n| n.round_to(base.scale()));
        return result.map(Value::Numeric).ok_or_else(|| SqlError::overflow(ty.family()));
    }
    let result = call.float(0)?.powf(call.float(1)?);
    let conversion = call.engine.conversion();
    conversion.convert(&finite(result)?, Type::Float, ty)
}

/// A hash of 32 bits over the arguments' text: FNV-1a, equal for equal values.
fn checksum(call: &Call<'_>) -> SqlResult<Value> {
    let mut hash: u32 = 0x811c_9dc5;
    for at in 0..call.values.len() {
        for byte in call.text(at)?.to_lowercase().bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    Ok(Value::Int(i64::from(hash.cast_signed())))
}
