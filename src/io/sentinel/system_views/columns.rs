//! The columns of the views, and what is told of a data type.

use super::super::value::{Type, Value};

pub(super) const NAME: Type = Type::NVarChar(Some(128));

pub(super) type Columns = &'static [(&'static str, Type)];

pub(super) const OBJECT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("parent_object_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("create_date", Type::DateTime),
    ("modify_date", Type::DateTime),
    ("is_ms_shipped", Type::Bit),
    ("is_tracked_by_cdc", Type::Bit),
    ("temporal_type", Type::TinyInt),
    ("id", Type::Int),
    ("xtype", Type::Char(2)),
];

/// Few, since people multiply this view with itself to make numbers.
pub(super) const ALL_OBJECT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("is_ms_shipped", Type::Bit),
];

/// How many objects of its own a server has, about: scripts count on there being thousands.
pub(super) const SYSTEM_OBJECTS: i64 = 2400;

pub(super) const DATABASE_COLUMNS: Columns = &[
    ("name", NAME),
    ("database_id", Type::Int),
    ("is_cdc_enabled", Type::Bit),
    ("state", Type::TinyInt),
    ("state_desc", NAME),
    ("recovery_model_desc", NAME),
    ("compatibility_level", Type::TinyInt),
    ("is_read_committed_snapshot_on", Type::Bit),
    ("snapshot_isolation_state", Type::TinyInt),
    ("is_broker_enabled", Type::Bit),
    ("collation_name", NAME),
    ("create_date", Type::DateTime),
    ("dbid", Type::Int),
];

pub(super) const COLUMN_COLUMNS: Columns = &[
    ("object_id", Type::Int),
    ("name", NAME),
    ("column_id", Type::Int),
    ("user_type_id", Type::Int),
    ("system_type_id", Type::Int),
    ("max_length", Type::SmallInt),
    ("precision", Type::TinyInt),
    ("scale", Type::TinyInt),
    ("is_nullable", Type::Bit),
    ("is_identity", Type::Bit),
    ("is_computed", Type::Bit),
    ("default_object_id", Type::Int),
    ("id", Type::Int),
    ("colid", Type::SmallInt),
];

pub(super) const INFORMATION_COLUMNS: Columns = &[
    ("TABLE_CATALOG", NAME),
    ("TABLE_SCHEMA", NAME),
    ("TABLE_NAME", NAME),
    ("COLUMN_NAME", NAME),
    ("ORDINAL_POSITION", Type::Int),
    ("COLUMN_DEFAULT", NAME),
    ("IS_NULLABLE", Type::VarChar(Some(3))),
    ("DATA_TYPE", NAME),
    ("CHARACTER_MAXIMUM_LENGTH", Type::Int),
    ("NUMERIC_PRECISION", Type::TinyInt),
    ("NUMERIC_SCALE", Type::Int),
];

pub(super) const CONSTRAINT_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("parent_object_id", Type::Int),
    ("schema_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("parent_column_id", Type::Int),
    ("referenced_object_id", Type::Int),
    ("is_disabled", Type::Bit),
];

pub(super) const TRIGGER_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("parent_id", Type::Int),
    ("type", Type::Char(2)),
    ("type_desc", NAME),
    ("is_disabled", Type::Bit),
    ("is_instead_of_trigger", Type::Bit),
    ("is_ms_shipped", Type::Bit),
];

pub(super) const CAPTURED_COLUMN_COLUMNS: Columns = &[
    ("object_id", Type::Int),
    ("column_name", NAME),
    ("column_id", Type::Int),
    ("column_type", NAME),
    ("column_ordinal", Type::Int),
    ("is_computed", Type::Bit),
];

pub(super) const SEQUENCE_COLUMNS: Columns = &[
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("start_value", Type::BigInt),
    ("increment", Type::BigInt),
    ("minimum_value", Type::BigInt),
    ("maximum_value", Type::BigInt),
    ("is_cycling", Type::Bit),
    ("current_value", Type::BigInt),
];

pub(super) const TYPE_COLUMNS: Columns = &[
    ("name", NAME),
    ("user_type_id", Type::Int),
    ("system_type_id", Type::Int),
    ("schema_id", Type::Int),
    ("is_user_defined", Type::Bit),
    ("is_table_type", Type::Bit),
];

/// The data types by name, in an order that gives each a stable id.
pub(super) const TYPES: [&str; 24] = [
    "binary",
    "varbinary",
    "char",
    "varchar",
    "nchar",
    "nvarchar",
    "uniqueidentifier",
    "bit",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "smallmoney",
    "money",
    "decimal",
    "real",
    "float",
    "time",
    "date",
    "smalldatetime",
    "datetime",
    "datetime2",
    "datetimeoffset",
    "numeric",
];

pub(super) fn int(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

pub(super) fn type_name(ty: Type) -> &'static str {
    if let Type::Decimal { .. } = ty { "decimal" } else { ty.family() }
}

pub(super) fn type_number(ty: Type) -> usize {
    TYPES.iter().position(|name| *name == type_name(ty)).unwrap_or(0) + 34
}

pub(super) fn type_id(ty: Type) -> Value {
    int(type_number(ty))
}

/// A column's size in bytes; -1 for max.
pub(super) fn byte_length(ty: Type) -> i64 {
    match ty {
        Type::Char(n) | Type::Binary(n) | Type::VarChar(Some(n)) | Type::VarBinary(Some(n)) => i64::from(n),
        Type::NChar(n) | Type::NVarChar(Some(n)) => i64::from(n) * 2,
        Type::VarChar(None) | Type::NVarChar(None) | Type::VarBinary(None) => -1,
        Type::Bit | Type::TinyInt => 1,
        Type::SmallInt => 2,
        Type::Date => 3,
        Type::Int | Type::SmallMoney | Type::Real | Type::SmallDateTime => 4,
        Type::UniqueIdentifier => 16,
        Type::Decimal { precision: 0..=9, .. } => 5,
        Type::Decimal { precision: 10..=19, .. } => 9,
        Type::Decimal { precision: 20..=28, .. } => 13,
        Type::Decimal { .. } => 17,
        _ => 8,
    }
}
