//! The rows of the views.

use std::sync::Arc;

use super::super::catalog::{Column, DEFAULT_SCHEMA, Database, KeyKind, Object, Table, same};
use super::super::engine::Engine;
use super::super::lsn::Lsn;
use super::super::store::Row;
use super::super::syntax::ast::UserType;
use super::super::value::Value;
use super::columns::{SYSTEM_OBJECTS, TYPES, byte_length, int, type_id, type_name, type_number};

impl Engine {
    pub(super) fn database_row(&self, database: &Database) -> Row {
        vec![
            Value::text(database.name.as_str()),
            Value::Int(database.id),
            Value::Bit(database.cdc),
            Value::Int(0),
            Value::text("ONLINE"),
            Value::text("FULL"),
            Value::Int(160),
            Value::Bit(false),
            Value::Int(0),
            Value::Bit(false),
            Value::text("SQL_Latin1_General_CP1_CI_AS"),
            Value::DateTime(self.now()),
            Value::Int(database.id),
        ]
    }

    pub(super) fn object_rows(&self, database: &Database, wanted: impl Fn(&Object) -> bool) -> Vec<Row> {
        let row = |object: &Object| {
            let (schema, name) = object.name();
            let (code, kind) = object.kind();
            let tracked = matches!(object, Object::Table(table) if table.capture.is_some());
            vec![
                Value::text(name),
                Value::Int(object.id()),
                schema_of(database, schema),
                Value::Int(0),
                Value::text(format!("{code:<2}")),
                Value::text(kind),
                Value::DateTime(self.now()),
                Value::DateTime(self.now()),
                Value::Bit(false),
                Value::Bit(tracked),
                Value::Int(0),
                Value::Int(object.id()),
                Value::text(format!("{code:<2}")),
            ]
        };
        database.objects.values().filter(|object| wanted(object)).map(row).collect()
    }

    pub(super) fn all_object_rows(database: &Database) -> Vec<Row> {
        let own = database.objects.values().map(|object| {
            let ((schema, name), (code, kind)) = (object.name(), object.kind());
            let shipped = Value::Bit(false);
            let (code, kind) = (Value::text(format!("{code:<2}")), Value::text(kind));
            vec![Value::text(name), Value::Int(object.id()), schema_of(database, schema), code, kind, shipped]
        });
        let (code, kind) = (Value::text("X "), Value::text("EXTENDED_STORED_PROCEDURE"));
        let shipped = |at: i64| {
            let name = Value::text(format!("sp_shipped_{at}"));
            vec![name, Value::Int(-at), Value::Int(4), code.clone(), kind.clone(), Value::Bit(true)]
        };
        own.chain((1..=SYSTEM_OBJECTS).map(shipped)).collect()
    }

    pub(super) fn sequence_rows(&self, database: &Database) -> Vec<Row> {
        let row = |object: &Object| {
            let Object::Sequence(sequence) = object else { return None };
            let definition = &sequence.definition;
            let next = self.sequences.borrow().get(&sequence.id).copied();
            let last = next.map_or(i128::from(definition.start), |next| next - i128::from(definition.increment));
            Some(vec![
                Value::text(sequence.name.as_str()),
                Value::Int(sequence.id),
                schema_of(database, &sequence.schema),
                Value::Int(definition.start),
                Value::Int(definition.increment),
                Value::Int(definition.least),
                Value::Int(definition.most),
                Value::Bit(definition.cycles),
                i64::try_from(last).map_or(Value::Null, Value::Int),
            ])
        };
        database.objects.values().filter_map(row).collect()
    }

    pub(super) fn constraint_rows(&self, database: &Database, view: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for table in tables(database) {
            let mut add = |name: &str, code: &str, kind: &str, column: usize, target: Value| {
                let id = table.id + 2 + i64::try_from(rows.len()).unwrap_or(0);
                rows.push(vec![
                    Value::text(name),
                    Value::Int(id),
                    Value::Int(table.id),
                    schema_of(database, &table.schema),
                    Value::text(code),
                    Value::text(kind),
                    int(column),
                    target,
                    Value::Bit(false),
                ]);
            };
            match view {
                "key_constraints" => {
                    for key in &table.keys {
                        match key.kind {
                            KeyKind::Primary => add(&key.name, "PK", "PRIMARY_KEY_CONSTRAINT", 0, Value::Null),
                            KeyKind::Unique => add(&key.name, "UQ", "UNIQUE_CONSTRAINT", 0, Value::Null),
                            KeyKind::UniqueIndex | KeyKind::Index => {}
                        }
                    }
                }
                "foreign_keys" => {
                    for key in &table.foreign_keys {
                        let target = self.find_object(&table.database, &key.table).ok().flatten();
                        let target = target.map_or(Value::Null, |object| Value::Int(object.id()));
                        add(&key.name, "F ", "FOREIGN_KEY_CONSTRAINT", 0, target);
                    }
                }
                "check_constraints" => {
                    table.checks.iter().for_each(|check| add(&check.name, "C ", "CHECK_CONSTRAINT", 0, Value::Null));
                }
                _ => {
                    for (at, column) in table.columns.iter().enumerate() {
                        if let Some((name, _)) = &column.default {
                            add(name, "D ", "DEFAULT_CONSTRAINT", at + 1, Value::Null);
                        }
                    }
                }
            }
        }
        rows
    }
}

pub(super) fn tables(database: &Database) -> impl Iterator<Item = &Arc<Table>> {
    database.objects.values().filter_map(|object| match object {
        Object::Table(table) => Some(table),
        _ => None,
    })
}

pub(super) fn schema_number(name: &str, at: usize) -> usize {
    if same(name, DEFAULT_SCHEMA) { 1 } else { at + 5 }
}

pub(super) fn schema_of(database: &Database, name: &str) -> Value {
    let found = database.schemas.values().enumerate().find(|(_, schema)| same(schema, name));
    found.map_or(Value::Null, |(at, schema)| int(schema_number(schema, at)))
}

pub(super) fn column_rows(database: &Database, view: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables(database) {
        for (at, column) in table.columns.iter().enumerate() {
            let wanted = match view {
                "identity_columns" => column.identity.is_some(),
                "computed_columns" => column.computed.is_some(),
                _ => true,
            };
            if !wanted {
                continue;
            }
            let (precision, scale) = if column.ty.is_number() { column.ty.digits() } else { (0, 0) };
            rows.push(vec![
                Value::Int(table.id),
                Value::text(column.name.as_str()),
                int(at + 1),
                type_id(column.ty),
                type_id(column.ty),
                Value::Int(byte_length(column.ty)),
                Value::Int(i64::from(precision)),
                Value::Int(i64::from(scale)),
                Value::Bit(column.nullable),
                Value::Bit(column.identity.is_some()),
                Value::Bit(column.computed.is_some()),
                Value::Int(i64::from(column.default.is_some())),
                Value::Int(table.id),
                int(at + 1),
            ]);
        }
    }
    rows
}

pub(super) fn information_columns(database: &Database) -> Vec<Row> {
    let row = |table: &Table, at: usize, column: &Column| {
        let (precision, scale) = if column.ty.is_number() {
            let (precision, scale) = column.ty.digits();
            (Value::Int(i64::from(precision)), Value::Int(i64::from(scale)))
        } else {
            (Value::Null, Value::Null)
        };
        let length = match column.ty {
            ty if ty.is_text() => ty.text_length().map_or(Value::Int(-1), |n| Value::Int(i64::from(n))),
            _ => Value::Null,
        };
        vec![
            Value::text(database.name.as_str()),
            Value::text(table.schema.as_str()),
            Value::text(table.name.as_str()),
            Value::text(column.name.as_str()),
            int(at + 1),
            Value::Null,
            Value::text(if column.nullable { "YES" } else { "NO" }),
            Value::text(type_name(column.ty)),
            length,
            precision,
            scale,
        ]
    };
    tables(database).flat_map(|table| table.columns.iter().enumerate().map(|(at, c)| row(table, at, c))).collect()
}

pub(super) fn index_rows(database: &Database) -> Vec<Row> {
    let row = |table: &Table, at: usize, key: &super::super::catalog::Key| {
        let primary = key.kind == KeyKind::Primary;
        vec![
            Value::Int(table.id),
            Value::text(key.name.as_str()),
            int(at + 1),
            int(if primary { 1 } else { 2 }),
            Value::text(if primary { "CLUSTERED" } else { "NONCLUSTERED" }),
            Value::Bit(key.kind != KeyKind::Index),
            Value::Bit(primary),
            Value::Bit(key.kind == KeyKind::Unique),
            Value::Bit(false),
        ]
    };
    tables(database).flat_map(|table| table.keys.iter().enumerate().map(|(at, key)| row(table, at, key))).collect()
}

pub(super) fn table_constraints(database: &Database) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables(database) {
        let keys = table.keys.iter().filter_map(|key| match key.kind {
            KeyKind::Primary => Some((&key.name, "PRIMARY KEY")),
            KeyKind::Unique => Some((&key.name, "UNIQUE")),
            _ => None,
        });
        let foreign = table.foreign_keys.iter().map(|key| (&key.name, "FOREIGN KEY"));
        let checks = table.checks.iter().map(|check| (&check.name, "CHECK"));
        for (name, kind) in keys.chain(foreign).chain(checks) {
            rows.push([name.as_str(), &table.schema, &table.name, kind].map(Value::text).to_vec());
        }
    }
    rows
}

pub(super) fn trigger_rows(database: &Database) -> Vec<Row> {
    let row = |object: &Object| {
        let Object::Trigger(trigger) = object else { return None };
        Some(vec![
            Value::text(trigger.name.as_str()),
            Value::Int(trigger.id),
            Value::Int(trigger.definition.table),
            Value::text("TR"),
            Value::text("SQL_TRIGGER"),
            Value::Bit(!trigger.definition.enabled),
            Value::Bit(false),
            Value::Bit(false),
        ])
    };
    database.objects.values().filter_map(row).collect()
}

/// The data types; those of scripts behind the server's own.
pub(super) fn type_rows(database: &Database, tables_only: bool) -> Vec<Row> {
    const FIRST_OWN: usize = 257;
    let row = |name: &str, id: usize, base: usize, schema: usize, own: bool, table: bool| {
        vec![Value::text(name), int(id), int(base), int(schema), Value::Bit(own), Value::Bit(table)]
    };
    let shipped = TYPES.iter().enumerate().map(|(at, name)| row(name, at + 34, at + 34, 4, false, false));
    let own = database.types.iter().enumerate().map(|(at, (name, ty))| match ty {
        UserType::Alias(base) => row(name, FIRST_OWN + at, type_number(*base), 1, true, false),
        UserType::Table(_) => row(name, FIRST_OWN + at, 243, 1, true, true),
    });
    let is_table = |row: &Row| row[5] == Value::Bit(true);
    shipped.chain(own).filter(|row| !tables_only || is_table(row)).collect()
}

/// The instances of a table, the older one first, with the numbers of their change tables.
fn instances(table: &Table) -> Vec<(i64, &str, &[String], Lsn)> {
    let Some(capture) = &table.capture else { return Vec::new() };
    let older =
        capture.older.as_ref().map(|older| (table.id + 3, older.instance.as_str(), older.columns.as_slice(), older.start));
    let newest = (table.id + 1, capture.instance.as_str(), capture.columns.as_slice(), capture.start);
    older.into_iter().chain([newest]).collect()
}

pub(super) fn change_table_rows(database: &Database) -> Vec<Row> {
    let row = |table: &Table, (id, name, _, start): (i64, &str, &[String], Lsn)| {
        vec![Value::Int(id), Value::Int(table.id), Value::text(name), start.to_value(), Value::Bit(false)]
    };
    tables(database).flat_map(|table| instances(table).into_iter().map(|instance| row(table, instance))).collect()
}

pub(super) fn captured_column_rows(database: &Database) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables(database) {
        for (id, _, columns, _) in instances(table) {
            for (ordinal, name) in columns.iter().enumerate() {
                let place = table.column(name);
                rows.push(vec![
                    Value::Int(id),
                    Value::text(name.as_str()),
                    place.map_or(Value::Null, |at| int(at + 1)),
                    place.map_or(Value::Null, |at| Value::text(type_name(table.columns[at].ty))),
                    int(ordinal + 1),
                    Value::Bit(false),
                ]);
            }
        }
    }
    rows
}
