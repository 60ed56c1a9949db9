//! Functions that ask the server about itself, its objects and the current error.

use super::super::error::SqlResult;
use super::super::value::{Type, Value};
use super::{Call, Function, int, long_text};

const fn lenient(
    name: &'static str,
    least: usize,
    most: usize,
    result: fn(&[Type]) -> Type,
    call: fn(&Call<'_>) -> SqlResult<Value>,
) -> Function {
    Function { name, least, most, strict: false, result, call }
}

fn name_type(_: &[Type]) -> Type {
    Type::NVarChar(Some(128))
}

fn identity_type(_: &[Type]) -> Type {
    Type::decimal(38, 0)
}

#[expect(clippy::unnecessary_wraps, reason = "has the form of the functions in the table")]
fn optional_text(text: Option<String>) -> SqlResult<Value> {
    Ok(text.map_or(Value::Null, Value::text))
}

pub(super) const FUNCTIONS: &[Function] = &[
    lenient("NEWID", 0, 0, |_| Type::UniqueIdentifier, |c| Ok(Value::Guid(c.engine.new_guid()))),
    lenient("NEWSEQUENTIALID", 0, 0, |_| Type::UniqueIdentifier, |c| Ok(Value::Guid(c.engine.new_guid()))),
    lenient("SCOPE_IDENTITY", 0, 0, identity_type, |c| Ok(c.engine.scope_identity())),
    lenient("IDENT_CURRENT", 1, 1, identity_type, |c| Ok(c.engine.identity_of(&c.text(0)?))),
    lenient("IDENT_SEED", 1, 1, identity_type, |c| {
        Ok(c.engine.identity_rule(&c.text(0)?).map_or(Value::Null, |r| Value::Int(r.0)))
    }),
    lenient("IDENT_INCR", 1, 1, identity_type, |c| {
        Ok(c.engine.identity_rule(&c.text(0)?).map_or(Value::Null, |r| Value::Int(r.1)))
    }),
    lenient("ROWCOUNT_BIG", 0, 0, |_| Type::BigInt, |c| Ok(Value::Int(c.engine.row_count()))),
    lenient("XACT_STATE", 0, 0, |_| Type::SmallInt, |c| Ok(Value::Int(c.engine.transaction_state()))),
    lenient("ERROR_NUMBER", 0, 0, int, |c| Ok(c.engine.caught().map_or(Value::Null, |e| Value::Int(i64::from(e.error.number))))),
    lenient("ERROR_SEVERITY", 0, 0, int, |c| {
        Ok(c.engine.caught().map_or(Value::Null, |e| Value::Int(i64::from(e.error.severity))))
    }),
    lenient("ERROR_STATE", 0, 0, int, |c| Ok(c.engine.caught().map_or(Value::Null, |e| Value::Int(i64::from(e.error.state))))),
    lenient("ERROR_LINE", 0, 0, int, |c| Ok(c.engine.caught().map_or(Value::Null, |e| Value::Int(i64::from(e.line))))),
    lenient("ERROR_MESSAGE", 0, 0, long_text, |c| optional_text(c.engine.caught().map(|e| e.error.message.clone()))),
    lenient("ERROR_PROCEDURE", 0, 0, name_type, |c| optional_text(c.engine.caught().and_then(|e| e.procedure.clone()))),
    lenient("DB_NAME", 0, 1, name_type, |c| {
        let id = if c.has(0) { Some(c.int(0)?) } else { None };
        optional_text(c.engine.database_name(id))
    }),
    lenient(
        "DB_ID",
        0,
        1,
        |_| Type::SmallInt,
        |c| {
            let name = if c.has(0) { Some(c.text(0)?) } else { None };
            Ok(c.engine.database_id(name.as_deref()).map_or(Value::Null, Value::Int))
        },
    ),
    lenient("OBJECT_ID", 1, 2, int, |c| {
        if c.is_null(0) {
            return Ok(Value::Null);
        }
        let kind = if c.has(1) { Some(c.text(1)?) } else { None };
        Ok(c.engine.object_id(&c.text(0)?, kind.as_deref()).map_or(Value::Null, Value::Int))
    }),
    lenient("OBJECT_NAME", 1, 2, name_type, |c| optional_text(c.engine.object_name(c.int(0)?).map(|(_, name)| name))),
    lenient("OBJECT_SCHEMA_NAME", 1, 2, name_type, |c| optional_text(c.engine.object_name(c.int(0)?).map(|(schema, _)| schema))),
    lenient("SCHEMA_ID", 0, 1, int, |c| {
        let name = if c.has(0) { c.text(0)? } else { "dbo".to_owned() };
        Ok(c.engine.schema_id(&name).map_or(Value::Null, Value::Int))
    }),
    lenient("SCHEMA_NAME", 0, 1, name_type, |c| {
        let id = if c.has(0) { c.int(0)? } else { 1 };
        optional_text(c.engine.schema_name(id))
    }),
    lenient(
        "COL_LENGTH",
        2,
        2,
        |_| Type::SmallInt,
        |c| Ok(c.engine.column_length(&c.text(0)?, &c.text(1)?).map_or(Value::Null, Value::Int)),
    ),
    lenient("OBJECTPROPERTY", 2, 2, int, |c| Ok(c.engine.object_property(c.int(0)?, &c.text(1)?))),
    lenient("OBJECTPROPERTYEX", 2, 2, int, |c| Ok(c.engine.object_property(c.int(0)?, &c.text(1)?))),
    lenient("DATABASEPROPERTYEX", 2, 2, name_type, |c| {
        let online = c.engine.database_id(Some(&c.text(0)?)).is_some();
        optional_text(online.then(|| "ONLINE".to_owned()))
    }),
    lenient("SERVERPROPERTY", 1, 1, name_type, |c| {
        Ok(match c.text(0)?.to_ascii_uppercase().as_str() {
            "PRODUCTVERSION" => Value::text("16.0.0.0"),
            "EDITION" => Value::text("Embedded Sentinel"),
            "SERVERNAME" | "MACHINENAME" => Value::text("SENTINEL"),
            "COLLATION" => Value::text("SQL_Latin1_General_CP1_CI_AS"),
            "ENGINEEDITION" => Value::text("3"),
            _ => Value::Null,
        })
    }),
    lenient("UPDATE", 1, 1, |_| Type::Bit, |c| Ok(Value::Bit(c.engine.sets(&c.text(0)?)))),
    lenient("TRIGGER_NESTLEVEL", 0, 3, int, |c| Ok(Value::Int(c.engine.trigger_level()))),
    lenient("FULLTEXTSERVICEPROPERTY", 1, 1, int, |_| Ok(Value::Int(0))),
    lenient("CURRENT_USER", 0, 0, name_type, |_| Ok(Value::text("dbo"))),
    lenient("SESSION_USER", 0, 0, name_type, |_| Ok(Value::text("dbo"))),
    lenient("USER", 0, 0, name_type, |_| Ok(Value::text("dbo"))),
    lenient("USER_NAME", 0, 1, name_type, |_| Ok(Value::text("dbo"))),
    lenient("SYSTEM_USER", 0, 0, name_type, |_| Ok(Value::text("sa"))),
    lenient("SUSER_SNAME", 0, 1, name_type, |_| Ok(Value::text("sa"))),
    lenient("SUSER_NAME", 0, 1, name_type, |_| Ok(Value::text("sa"))),
    lenient("ORIGINAL_LOGIN", 0, 0, name_type, |_| Ok(Value::text("sa"))),
    lenient("SUSER_ID", 0, 1, int, |_| Ok(Value::Int(1))),
    lenient("IS_SRVROLEMEMBER", 1, 2, int, |_| Ok(Value::Int(1))),
    lenient("IS_MEMBER", 1, 1, int, |_| Ok(Value::Int(1))),
    lenient("HOST_NAME", 0, 0, name_type, |_| Ok(Value::text("tidewaiter"))),
    lenient("APP_NAME", 0, 0, name_type, |_| Ok(Value::text("sqlcmd"))),
    lenient("DATABASE_PRINCIPAL_ID", 0, 1, int, |_| Ok(Value::Null)),
    lenient("FORMATMESSAGE", 1, 21, long_text, |c| {
        let arguments: Vec<_> = c.values.iter().cloned().zip(c.types.iter().copied()).skip(1).collect();
        Ok(Value::text(c.engine.format_message(&c.text(0)?, &arguments)?))
    }),
    lenient("PARSENAME", 2, 2, name_type, |c| {
        let text = c.text(0)?;
        let at = usize::try_from(c.int(1)?).unwrap_or(0);
        let part = if at == 0 { None } else { text.split('.').rev().nth(at - 1) };
        optional_text(part.map(|part| part.trim_matches(['[', ']']).to_owned()))
    }),
];
