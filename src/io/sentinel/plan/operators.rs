//! Operators: the types that their operands are taken as, and the type of what comes out.

use super::super::error::{SqlError, SqlResult};
use super::super::syntax::ast::Arithmetic;
use super::super::value::numeric::MAX_PRECISION;
use super::super::value::ty::Class;
use super::super::value::{Type, Value};
use super::expr::Bound;

/// The value in another type, where that makes a difference.
pub(crate) fn convert(value: Bound, from: Type, to: Type) -> Bound {
    let needless = from == to
        || to == Type::Null
        || from.is_text() && to.is_text()
        || from.class() == Class::Integer && to.class() == Class::Integer && from != Type::Bit && to != Type::Bit;
    if needless {
        return value;
    }
    Bound::Convert { value: Box::new(value), from, to, style: None, explicit: false, forgiving: false }
}

/// The value in exactly this type, cut to its length.
pub(crate) fn cast(value: Bound, from: Type, to: Type) -> Bound {
    if from == to || to == Type::Null {
        return value;
    }
    Bound::Convert { value: Box::new(value), from, to, style: None, explicit: true, forgiving: false }
}

/// Both sides such that they can be compared. Exact numbers, and text with text, need no conversion, which leaves
/// columns bare for look-ups.
pub(super) fn comparable(left: Bound, left_type: Type, right: Bound, right_type: Type) -> SqlResult<(Bound, Bound)> {
    let common = left_type.common(right_type);
    if left_type != Type::Null && right_type != Type::Null {
        let clash = (left_type.class() == Class::Date || matches!(left_type, Type::Time(_))) && right_type.is_number()
            || (right_type.class() == Class::Date || matches!(right_type, Type::Time(_))) && left_type.is_number();
        if clash {
            let (a, b) = (left_type.family(), right_type.family());
            return Err(SqlError::new(206, format!("Operand type clash: {a} is incompatible with {b}")));
        }
    }
    Ok((for_comparison(left, left_type, common), for_comparison(right, right_type, common)))
}

pub(super) fn for_comparison(value: Bound, from: Type, common: Type) -> Bound {
    let exact = |ty: Type| matches!(ty.class(), Class::Integer | Class::Decimal);
    if exact(from) && exact(common) || from.class() == common.class() {
        return value;
    }
    // Text is compared as the other side's type, but a decimal keeps all its digits.
    let to = match common {
        Type::Decimal { .. } if from.is_text() => Type::decimal(MAX_PRECISION, common.digits().1),
        other => other,
    };
    convert(value, from, to)
}

/// The digits that an operand takes: a whole-number constant only as many as it has.
fn operand_digits(value: &Bound, ty: Type) -> (u8, u8) {
    match value {
        Bound::Constant(Value::Int(n)) => {
            let digits = n.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
            (u8::try_from(digits).unwrap_or(19), 0)
        }
        _ => ty.digits(),
    }
}

pub(crate) fn arithmetic(operator: Arithmetic, left: (Bound, Type), right: (Bound, Type)) -> SqlResult<(Bound, Type)> {
    let ((left, left_type), (right, right_type)) = (left, right);
    let common = left_type.common(right_type);
    let ty = match common.class() {
        Class::Null => Type::Null,
        Class::Text if operator == Arithmetic::Add => {
            let length = left_type.text_length().zip(right_type.text_length()).map(|(a, b)| a.saturating_add(b));
            match common {
                Type::NChar(_) | Type::NVarChar(_) => Type::NVarChar(length.filter(|n| *n <= 4000)),
                _ => Type::VarChar(length.filter(|n| *n <= 8000)),
            }
        }
        Class::Decimal if common.is_money() => Type::Money,
        Class::Decimal => {
            let (a, b) = (operand_digits(&left, left_type), operand_digits(&right, right_type));
            // Text counts as the other side's type.
            let a = if left_type.is_text() { b } else { a };
            let b = if right_type.is_text() { a } else { b };
            decimal_result(operator, a, b)
        }
        Class::Integer if common == Type::Bit => Type::Int,
        Class::Integer | Class::Float | Class::Binary => common,
        Class::DateTime if matches!(common, Type::DateTime | Type::SmallDateTime) => Type::DateTime,
        _ => {
            let (a, b) = (left_type.family(), right_type.family());
            let error = if common.is_text() {
                let word = format!("{operator:?}").to_lowercase();
                SqlError::new(402, format!("The data types {a} and {b} are incompatible in the {word} operator."))
            } else {
                SqlError::new(206, format!("Operand type clash: {a} is incompatible with {b}"))
            };
            return Err(error.with_hint("DATEADD moves dates; CAST makes numbers of text"));
        }
    };
    if common.class() == Class::Null {
        return Ok((Bound::Constant(Value::Null), Type::Int));
    }
    let operand = |value: Bound, from: Type| match ty.class() {
        // A number added to a DATETIME counts days.
        Class::DateTime if from.is_number() => value,
        Class::Decimal if from.is_text() => convert(value, from, if ty.is_money() { ty } else { common }),
        Class::Decimal | Class::Integer if from.class() <= Class::Decimal && !from.is_text() => value,
        _ => convert(value, from, ty),
    };
    let pair = (operand(left, left_type), operand(right, right_type));
    Ok((Bound::Arithmetic(operator, Box::new(pair), ty, (left_type, right_type)), ty))
}

/// Precision and scale of a decimal result, by SQL Server's rules.
fn decimal_result(operator: Arithmetic, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Type {
    let [p1, s1, p2, s2] = [p1, s1, p2, s2].map(i32::from);
    let most = i32::from(MAX_PRECISION);
    let (precision, scale) = match operator {
        Arithmetic::Multiply => (p1 + p2 + 1, s1 + s2),
        Arithmetic::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Arithmetic::Modulo => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let scale = if precision <= most {
        scale
    } else if matches!(operator, Arithmetic::Multiply | Arithmetic::Divide) {
        let whole = precision - scale;
        scale.min((most - whole).max(6))
    } else {
        scale.min((most - (p1 - s1).max(p2 - s2)).max(0))
    };
    let digit = |n: i32| u8::try_from(n.clamp(0, most)).unwrap_or(MAX_PRECISION);
    Type::decimal(digit(precision).max(1), digit(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_results_have_the_documented_digits() {
        for (operator, a, b, expected) in [
            (Arithmetic::Add, (18, 2), (18, 2), (19, 2)),
            (Arithmetic::Multiply, (18, 2), (5, 4), (24, 6)),
            (Arithmetic::Divide, (18, 2), (3, 0), (22, 6)),
            (Arithmetic::Divide, (18, 2), (10, 0), (29, 13)),
            (Arithmetic::Divide, (38, 10), (38, 10), (38, 6)),
            (Arithmetic::Multiply, (38, 10), (38, 10), (38, 6)),
            (Arithmetic::Modulo, (5, 2), (3, 0), (5, 2)),
        ] {
            let (precision, scale) = expected;
            assert_eq!(decimal_result(operator, a, b), Type::decimal(precision, scale), "{operator:?} {a:?} {b:?}");
        }
    }
}
