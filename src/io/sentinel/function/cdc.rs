//! The functions of change data capture: `sys.fn_cdc_get_max_lsn` and its like.

use super::super::error::SqlResult;
use super::super::lsn::Lsn;
use super::super::value::{Type, Value};
use super::{Call, Function, int};

const fn strict(
    name: &'static str,
    arguments: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least: arguments, most: arguments, strict: true, result, call }
}

fn position(_: &[Type]) -> Type {
    Type::Binary(10)
}

pub(super) const FUNCTIONS: &[Function] = &[
    strict("FN_CDC_GET_MAX_LSN", 0, position, |c| Ok(c.engine.history.last().map_or(Value::Null, Lsn::to_value))),
    strict("FN_CDC_GET_MIN_LSN", 1, position, |c| {
        let instance = c.engine.instance(c.engine.current_database(), &c.text(0)?);
        // as SQL Server has it for an instance that is not there
        Ok(instance.map_or_else(|| Value::Binary([0; 10].as_slice().into()), |instance| instance.start.to_value()))
    }),
    strict("FN_CDC_INCREMENT_LSN", 1, position, |c| Ok(lsn(c, 0)?.map_or(Value::Null, |lsn| lsn.moved(1).to_value()))),
    strict("FN_CDC_DECREMENT_LSN", 1, position, |c| Ok(lsn(c, 0)?.map_or(Value::Null, |lsn| lsn.moved(-1).to_value()))),
    strict(
        "FN_CDC_MAP_LSN_TO_TIME",
        1,
        |_| Type::DateTime,
        |c| {
            let time = lsn(c, 0)?.and_then(|lsn| c.engine.history.time_of(lsn));
            Ok(time.map_or(Value::Null, Value::DateTime))
        },
    ),
    strict("FN_CDC_MAP_TIME_TO_LSN", 2, position, |c| {
        let Value::DateTime(at) = c.get(1, Type::DateTime)? else { return Ok(Value::Null) };
        Ok(c.engine.history.commit_near(&c.text(0)?, at).map_or(Value::Null, Lsn::to_value))
    }),
    strict("FN_CDC_GET_COLUMN_ORDINAL", 2, int, |c| {
        let place = column(c, &c.text(0)?, &c.text(1)?);
        Ok(place.and_then(|place| i64::try_from(place + 1).ok()).map_or(Value::Null, Value::Int))
    }),
    strict(
        "FN_CDC_IS_BIT_SET",
        2,
        |_| Type::Bit,
        |c| {
            let place = usize::try_from(c.int(0)?).ok().and_then(|place| place.checked_sub(1));
            Ok(Value::Bit(place.is_some_and(|place| is_set(&c.values[1], place))))
        },
    ),
    strict(
        "FN_CDC_HAS_COLUMN_CHANGED",
        3,
        |_| Type::Bit,
        |c| Ok(Value::Bit(column(c, &c.text(0)?, &c.text(1)?).is_some_and(|place| is_set(&c.values[2], place)))),
    ),
];

fn lsn(call: &Call<'_>, at: usize) -> SqlResult<Option<Lsn>> {
    Ok(Lsn::of(&call.get(at, Type::Binary(10))?))
}

fn column(call: &Call<'_>, instance: &str, name: &str) -> Option<usize> {
    let instance = call.engine.instance(call.engine.current_database(), instance)?;
    instance.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
}

/// Whether a column's bit is set; the first column's is in the last byte.
fn is_set(mask: &Value, place: usize) -> bool {
    let Value::Binary(bytes) = mask else { return false };
    let byte = bytes.len().checked_sub(1 + place / 8).and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte >> (place % 8) & 1 == 1)
}
