//! What is behind `OBJECT_ID`, `DB_ID`, `IDENT_CURRENT` and other functions on the server itself.

use std::sync::Arc;

use super::super::catalog::{KeyKind, Object, SYSTEM_DATABASES, Table, same};
use super::super::engine::Engine;
use super::super::syntax::ast::ObjectName;
use super::super::value::Value;
use super::columns::byte_length;
use super::rows::{schema_of, tables};

impl Engine {
    pub(crate) fn database_name(&self, id: Option<i64>) -> Option<String> {
        let Some(id) = id else {
            return self.catalog.database(self.current_database()).map(|database| database.name.clone());
        };
        self.catalog.databases().find(|database| database.id == id).map(|database| database.name.clone())
    }

    pub(crate) fn database_id(&self, name: Option<&str>) -> Option<i64> {
        let name = name.unwrap_or(self.current_database()).trim_end();
        self.catalog.database(name.trim_matches(['[', ']'])).map(|database| database.id)
    }

    /// OBJECT_ID; the second argument is a code of sys.objects.
    pub(crate) fn object_id(&self, name: &str, kind: Option<&str>) -> Option<i64> {
        let name = parse_name(name)?;
        if let Some(bare) = name.name.strip_prefix('#') {
            return self.session_table(&format!("#{bare}")).map(|table| table.id);
        }
        let fits = |code: &str| kind.is_none_or(|kind| kind.trim().eq_ignore_ascii_case(code));
        if let Ok(Some(object)) = self.find_object(self.current_database(), &name) {
            return fits(object.kind().0).then(|| object.id());
        }
        // Constraints have names of their own in the schema.
        let database = self.catalog.database(name.database.as_deref().unwrap_or(self.current_database()))?;
        tables(database).find_map(|table| {
            let keys = table.keys.iter().filter_map(|key| match key.kind {
                KeyKind::Primary => Some((key.name.as_str(), "PK")),
                KeyKind::Unique => Some((key.name.as_str(), "UQ")),
                _ => None,
            });
            let checks = table.checks.iter().map(|check| (check.name.as_str(), "C"));
            let foreign = table.foreign_keys.iter().map(|key| (key.name.as_str(), "F"));
            let defaults = table.columns.iter().filter_map(|c| c.default.as_ref().map(|(name, _)| (name.as_str(), "D")));
            let mut all = keys.chain(checks).chain(foreign).chain(defaults).enumerate();
            all.find(|(_, (other, code))| same(other, &name.name) && fits(code))
                .map(|(at, _)| table.id + 2 + i64::try_from(at).unwrap_or(0))
        })
    }

    fn object_by_id(&self, id: i64) -> Option<&Object> {
        let database = self.catalog.database(self.current_database())?;
        database.objects.values().find(|object| object.id() == id)
    }

    /// Schema and name.
    pub(crate) fn object_name(&self, id: i64) -> Option<(String, String)> {
        self.object_by_id(id).map(|object| (object.name().0.to_owned(), object.name().1.to_owned()))
    }

    pub(crate) fn schema_id(&self, name: &str) -> Option<i64> {
        let database = self.catalog.database(self.current_database())?;
        match schema_of(database, name) {
            Value::Int(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn schema_name(&self, id: i64) -> Option<String> {
        let database = self.catalog.database(self.current_database())?;
        database.schemas.values().find(|name| schema_of(database, name) == Value::Int(id)).cloned()
    }

    fn table_by_text(&self, name: &str) -> Option<Arc<Table>> {
        self.table(self.current_database(), &parse_name(name)?).ok()
    }

    pub(crate) fn column_length(&self, table: &str, column: &str) -> Option<i64> {
        let table = self.table_by_text(table)?;
        table.column(column.trim_matches(['[', ']'])).map(|at| byte_length(table.columns[at].ty))
    }

    pub(crate) fn object_property(&self, id: i64, property: &str) -> Value {
        let Some(object) = self.object_by_id(id) else { return Value::Null };
        let is = match property.to_ascii_lowercase().as_str() {
            "isusertable" | "istable" => matches!(object, Object::Table(_)),
            "isview" => matches!(object, Object::View(_)),
            "isprocedure" => matches!(object, Object::Procedure(_)),
            "tablehasidentity" => matches!(object, Object::Table(table) if table.identity().is_some()),
            "tablehasprimarykey" => matches!(object, Object::Table(table) if table.primary_key().is_some()),
            _ => false,
        };
        Value::Int(i64::from(is))
    }

    /// IDENT_CURRENT: the last value given out, or the seed.
    pub(crate) fn identity_of(&self, name: &str) -> Value {
        let Some(table) = self.table_by_text(name) else { return Value::Null };
        let Some((seed, _)) = table.identity().and_then(|at| table.columns[at].identity) else { return Value::Null };
        Value::Int(self.identities.get(&table.id).copied().unwrap_or(seed))
    }

    /// Seed and step.
    pub(crate) fn identity_rule(&self, name: &str) -> Option<(i64, i64)> {
        let table = self.table_by_text(name)?;
        table.identity().and_then(|at| table.columns[at].identity)
    }

    /// The one database that is not the server's own, if there is just one.
    pub(crate) fn only_user_database(&self) -> Option<String> {
        let mut own = self.catalog.databases().filter(|d| !SYSTEM_DATABASES.iter().any(|name| same(name, &d.name)));
        let first = own.next()?;
        own.next().is_none().then(|| first.name.clone())
    }
}

/// A name given as text, with or without brackets.
pub(crate) fn parse_name(text: &str) -> Option<ObjectName> {
    let mut parts = vec![String::new()];
    let mut bracket = None;
    for c in text.trim().chars() {
        match (bracket, c) {
            (None, '[') => bracket = Some(']'),
            (None, '"') => bracket = Some('"'),
            (Some(end), c) if c == end => bracket = None,
            (None, '.') => parts.push(String::new()),
            (_, c) => parts.last_mut()?.push(c),
        }
    }
    let mut parts = parts.into_iter().rev().map(|part| (!part.is_empty()).then_some(part));
    let name = parts.next()??;
    Some(ObjectName { schema: parts.next().flatten(), database: parts.next().flatten(), name })
}
