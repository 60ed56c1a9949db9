//! CREATE, ALTER and DROP.

use std::sync::Arc;

use super::super::value::Type;
use super::ast::{
    ColumnContent, ColumnDef, Constraint, ConstraintRule, CreateTable, DropKind, Kind, ObjectName, ReferentialAction, TableChange,
};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    pub(crate) fn create(&mut self) -> Parsed<Kind> {
        self.expect("CREATE")?;
        let replace = self.take_all(&["OR", "ALTER"]);
        if self.take("TABLE") {
            let name = self.object_name()?;
            let (columns, constraints) = self.table_body()?;
            self.storage_options()?;
            return Ok(Kind::CreateTable(CreateTable { name, columns, constraints }));
        }
        if self.take("DATABASE") {
            let name = self.name()?;
            self.rest_of_statement();
            return Ok(Kind::CreateDatabase(name));
        }
        if self.take("SCHEMA") {
            let name = self.name()?;
            if self.take("AUTHORIZATION") {
                self.name()?;
            }
            return Ok(Kind::CreateSchema(name));
        }
        if self.take("VIEW") {
            return self.view(replace);
        }
        if self.take("PROCEDURE") || self.take("PROC") {
            return self.procedure(replace);
        }
        if self.take("FUNCTION") {
            return self.function(replace);
        }
        if self.take("TRIGGER") {
            return self.trigger(replace);
        }
        if self.take("TYPE") {
            return self.user_type();
        }
        if self.take("SEQUENCE") {
            return self.sequence();
        }
        if self.take("SYNONYM") {
            let name = self.object_name()?;
            self.expect("FOR")?;
            return Ok(Kind::CreateSynonym { name, target: self.object_name()? });
        }
        let unique = self.take("UNIQUE");
        if !self.take("CLUSTERED") {
            self.take("NONCLUSTERED");
        }
        if self.take("COLUMNSTORE") {
            self.rest_of_statement();
            return Ok(Kind::Accepted("a columnstore index"));
        }
        if self.take("INDEX") {
            return self.index(unique);
        }
        if self.is_any(&[
            "LOGIN",
            "USER",
            "ROLE",
            "STATISTICS",
            "CERTIFICATE",
            "CREDENTIAL",
            "APPLICATION",
            "SERVER",
            "PARTITION",
            "FULLTEXT",
        ]) {
            self.rest_of_statement();
            return Ok(Kind::Accepted("CREATE of a login, user, role, statistics or storage"));
        }
        Err(self.expected("TABLE, INDEX, VIEW, PROCEDURE, SCHEMA or DATABASE"))
    }

    fn view(&mut self, replace: bool) -> Parsed<Kind> {
        let name = self.object_name()?;
        let columns = if self.is_symbol("(") { self.name_list()? } else { Vec::new() };
        if self.take("WITH") {
            self.comma_separated(Self::name)?;
        }
        self.expect("AS")?;
        let query = Arc::new(self.query()?);
        let _ = self.take_all(&["WITH", "CHECK", "OPTION"]);
        Ok(Kind::CreateView { name, columns, query, replace })
    }

    fn index(&mut self, unique: bool) -> Parsed<Kind> {
        let name = self.name()?;
        self.expect("ON")?;
        let table = self.object_name()?;
        let columns = self.name_list()?;
        if self.take("INCLUDE") {
            self.name_list()?;
        }
        let filtered = self.take("WHERE");
        if filtered {
            self.expr()?;
        }
        self.storage_options()?;
        Ok(Kind::CreateIndex { table, name, unique, columns, filtered })
    }

    /// `WITH (…)`, `ON [PRIMARY]`, `TEXTIMAGE_ON [PRIMARY]`: how it is stored does not matter here.
    fn storage_options(&mut self) -> Parsed<()> {
        loop {
            if self.is("WITH") && matches!(self.ahead(1), Lexeme::Symbol("(")) {
                self.advance();
                self.skip_brackets()?;
            } else if self.is("WITH") && self.is_word(1, "FILLFACTOR") {
                self.advance();
                self.advance();
                self.expect_symbol("=")?;
                self.integer()?;
            } else if self.is_any(&["ON", "TEXTIMAGE_ON", "FILESTREAM_ON"])
                && !self.is_word(1, "DELETE")
                && !self.is_word(1, "UPDATE")
            {
                self.advance();
                self.take("PRIMARY");
                let _ = self.attempt(Self::name_or_text);
                if self.is_symbol("(") {
                    self.skip_brackets()?;
                }
            } else {
                return Ok(());
            }
        }
    }

    pub(crate) fn table_body(&mut self) -> Parsed<(Vec<ColumnDef>, Vec<Constraint>)> {
        self.expect_symbol("(")?;
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        loop {
            self.table_element(&mut columns, &mut constraints)?;
            if !self.take_symbol(",") || self.is_symbol(")") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok((columns, constraints))
    }

    fn table_element(&mut self, columns: &mut Vec<ColumnDef>, constraints: &mut Vec<Constraint>) -> Parsed<()> {
        if self.is_any(&["CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
            constraints.push(self.table_constraint()?);
        } else if self.take("INDEX") {
            self.name()?;
            self.take("UNIQUE");
            if !self.take("CLUSTERED") {
                self.take("NONCLUSTERED");
            }
            self.take("COLUMNSTORE");
            if self.is_symbol("(") {
                self.name_list()?;
            }
            if self.take("INCLUDE") {
                self.name_list()?;
            }
            if self.take("WHERE") {
                self.expr()?;
            }
            self.storage_options()?;
        } else if self.is("PERIOD") && self.is_word(1, "FOR") {
            return Err(self.unsupported("a system-versioned table", "leave PERIOD and SYSTEM_VERSIONING out"));
        } else {
            columns.push(self.column_def()?);
        }
        Ok(())
    }

    fn column_def(&mut self) -> Parsed<ColumnDef> {
        let name = self.name()?;
        let content = if self.take("AS") {
            let computed = ColumnContent::Computed(self.sum()?);
            self.take("PERSISTED");
            computed
        } else if self.is_row_version() {
            self.advance();
            ColumnContent::RowVersion
        } else {
            ColumnContent::Typed(self.data_type()?)
        };
        let mut column = ColumnDef { name, content, nullable: None, identity: None, default: None, constraints: Vec::new() };
        while self.column_option(&mut column)? {}
        Ok(column)
    }

    /// Management Studio writes a type's name in brackets.
    fn is_row_version(&self) -> bool {
        let names = ["rowversion", "timestamp"];
        matches!(self.lexeme(), Lexeme::Word { text, .. } if names.iter().any(|name| text.eq_ignore_ascii_case(name)))
    }

    fn column_option(&mut self, column: &mut ColumnDef) -> Parsed<bool> {
        let name = if self.take("CONSTRAINT") { Some(self.name()?) } else { None };
        let own = vec![column.name.clone()];
        if self.take_all(&["NOT", "FOR", "REPLICATION"]) || self.take("SPARSE") || self.take("ROWGUIDCOL") {
        } else if self.take_all(&["NOT", "NULL"]) {
            column.nullable = Some(false);
        } else if self.take("NULL") {
            column.nullable = Some(true);
        } else if self.take("COLLATE") {
            self.name()?;
        } else if self.take("IDENTITY") {
            column.identity = Some((1, 1));
            if self.take_symbol("(") {
                let seed = self.integer()?;
                self.expect_symbol(",")?;
                column.identity = Some((seed, self.integer()?));
                self.expect_symbol(")")?;
            }
        } else if self.take("DEFAULT") {
            column.default = Some((name, self.sum()?));
            let _ = self.take_all(&["WITH", "VALUES"]);
        } else if self.is("PRIMARY") || self.is("UNIQUE") {
            let rule = self.key_rule(Some(own))?;
            column.constraints.push(Constraint { name, rule });
        } else if self.is("CHECK") {
            let rule = self.check_rule()?;
            column.constraints.push(Constraint { name, rule });
        } else if self.is("REFERENCES") || self.take_all(&["FOREIGN", "KEY"]) {
            let rule = self.references(own)?;
            column.constraints.push(Constraint { name, rule });
        } else if self.take("MASKED") {
            // the owner sees through a mask
            self.expect("WITH")?;
            self.skip_brackets()?;
        } else if self.is("GENERATED") {
            return Err(self.unsupported("a column that is GENERATED ALWAYS", "leave PERIOD and SYSTEM_VERSIONING out"));
        } else if self.is("ENCRYPTED") {
            return Err(self.unsupported("an ENCRYPTED column", "leave that out"));
        } else if name.is_some() {
            return Err(self.expected("a constraint"));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn table_constraint(&mut self) -> Parsed<Constraint> {
        let name = if self.take("CONSTRAINT") { Some(self.name()?) } else { None };
        let rule = if self.is_any(&["PRIMARY", "UNIQUE"]) {
            self.key_rule(None)?
        } else if self.is("CHECK") {
            self.check_rule()?
        } else if self.take("DEFAULT") {
            let value = self.sum()?;
            self.expect("FOR")?;
            ConstraintRule::Default { column: self.name()?, value }
        } else {
            self.expect("FOREIGN")?;
            self.expect("KEY")?;
            let columns = self.name_list()?;
            self.references(columns)?
        };
        Ok(Constraint { name, rule })
    }

    fn key_rule(&mut self, column: Option<Vec<String>>) -> Parsed<ConstraintRule> {
        let primary = self.take("PRIMARY");
        if primary {
            self.expect("KEY")?;
        } else {
            self.expect("UNIQUE")?;
        }
        if !self.take("CLUSTERED") {
            self.take("NONCLUSTERED");
        }
        let columns = match column {
            Some(column) if !self.is_symbol("(") => column,
            _ => self.name_list()?,
        };
        self.storage_options()?;
        Ok(if primary { ConstraintRule::PrimaryKey(columns) } else { ConstraintRule::Unique(columns) })
    }

    fn check_rule(&mut self) -> Parsed<ConstraintRule> {
        self.expect("CHECK")?;
        let _ = self.take_all(&["NOT", "FOR", "REPLICATION"]);
        self.expect_symbol("(")?;
        let condition = self.expr()?;
        self.expect_symbol(")")?;
        Ok(ConstraintRule::Check(condition))
    }

    fn references(&mut self, columns: Vec<String>) -> Parsed<ConstraintRule> {
        self.expect("REFERENCES")?;
        let table = self.object_name()?;
        let references = if self.is_symbol("(") { self.name_list()? } else { Vec::new() };
        let (mut on_delete, mut on_update) = (ReferentialAction::Refuse, ReferentialAction::Refuse);
        while self.is("ON") && (self.is_word(1, "DELETE") || self.is_word(1, "UPDATE")) {
            self.advance();
            let delete = self.is("DELETE");
            self.advance();
            let action = if self.take("CASCADE") {
                ReferentialAction::Cascade
            } else if self.take_all(&["SET", "NULL"]) {
                ReferentialAction::SetNull
            } else if self.take_all(&["SET", "DEFAULT"]) {
                ReferentialAction::SetDefault
            } else {
                self.expect("NO")?;
                self.expect("ACTION")?;
                ReferentialAction::Refuse
            };
            *(if delete { &mut on_delete } else { &mut on_update }) = action;
        }
        let _ = self.take_all(&["NOT", "FOR", "REPLICATION"]);
        Ok(ConstraintRule::ForeignKey { columns, table, references, on_delete, on_update })
    }

    pub(crate) fn alter(&mut self) -> Parsed<Kind> {
        self.expect("ALTER")?;
        if self.take("TABLE") {
            let table = self.object_name()?;
            let change = self.table_change()?;
            return Ok(match change {
                Some(change) => Kind::AlterTable { table, change },
                None => Kind::Accepted("a table option"),
            });
        }
        if self.take("VIEW") {
            return self.view(true);
        }
        if self.take("PROCEDURE") || self.take("PROC") {
            return self.procedure(true);
        }
        if self.take("FUNCTION") {
            return self.function(true);
        }
        if self.take("TRIGGER") {
            return self.trigger(true);
        }
        if self.take("SEQUENCE") {
            return self.restart_sequence();
        }
        if self.is("DATABASE") && self.is_word(2, "MODIFY") && self.is_word(3, "NAME") {
            return Err(self.unsupported("renaming a database", "create it under its name"));
        }
        if self.is_any(&["DATABASE", "AUTHORIZATION", "LOGIN", "USER", "ROLE", "SERVER", "INDEX", "SCHEMA"]) {
            self.rest_of_statement();
            return Ok(Kind::Accepted("ALTER of a database, login, user, role or index"));
        }
        Err(self.unsupported("this ALTER", "ALTER TABLE, VIEW, PROCEDURE, FUNCTION, TRIGGER and SEQUENCE are supported"))
    }

    fn table_change(&mut self) -> Parsed<Option<TableChange>> {
        let unchecked = self.take_all(&["WITH", "NOCHECK"]);
        let _ = self.take_all(&["WITH", "CHECK"]);
        if self.take("ADD") {
            let (mut columns, mut constraints) = (Vec::new(), Vec::new());
            loop {
                if self.is("DEFAULT") {
                    constraints.push(self.table_constraint()?);
                } else {
                    self.table_element(&mut columns, &mut constraints)?;
                }
                if !self.take_symbol(",") {
                    break;
                }
            }
            return Ok(Some(TableChange::Add { columns, constraints, unchecked }));
        }
        if self.take_all(&["ALTER", "COLUMN"]) {
            let name = self.name()?;
            if self.is_any(&["ADD", "DROP"])
                && (self.is_word(1, "MASKED") || self.is_word(1, "SPARSE") || self.is_word(1, "ROWGUIDCOL"))
            {
                self.rest_of_statement();
                return Ok(None);
            }
            if self.is_any(&["ADD", "DROP"]) {
                return Err(self.unsupported("this ALTER COLUMN", "a column's type and NULL can be altered"));
            }
            let ty: Type = self.data_type()?;
            if self.take("COLLATE") {
                self.name()?;
            }
            let nullable = if self.take_all(&["NOT", "NULL"]) { Some(false) } else { self.take("NULL").then_some(true) };
            return Ok(Some(TableChange::AlterColumn { name, ty, nullable }));
        }
        if self.take("DROP") {
            let column = self.take("COLUMN");
            if !column {
                self.take("CONSTRAINT");
            }
            let if_exists = self.take_all(&["IF", "EXISTS"]);
            let names = self.comma_separated(Self::name)?;
            let dropped = if column {
                TableChange::DropColumns { names, if_exists }
            } else {
                TableChange::DropConstraints { names, if_exists }
            };
            return Ok(Some(dropped));
        }
        if self.is_any(&["CHECK", "NOCHECK"]) {
            let on = self.is("CHECK");
            self.advance();
            self.expect("CONSTRAINT")?;
            let name = if self.take("ALL") { None } else { Some(self.name()?) };
            return Ok(Some(TableChange::Enforce { name, on }));
        }
        if self.is_any(&["ENABLE", "DISABLE"]) && self.is_word(1, "TRIGGER") {
            let on = self.is("ENABLE");
            self.advance();
            self.advance();
            return Ok(Some(TableChange::SwitchTriggers { names: self.trigger_names()?, on }));
        }
        if self.is_any(&["SET", "REBUILD", "ENABLE", "DISABLE"]) {
            self.rest_of_statement();
            return Ok(None);
        }
        Err(self.unsupported("this ALTER TABLE", "ADD, ALTER COLUMN, DROP, CHECK and NOCHECK are supported"))
    }

    pub(crate) fn drop(&mut self) -> Parsed<Kind> {
        self.expect("DROP")?;
        let kind = if self.take("TABLE") {
            DropKind::Table
        } else if self.take("VIEW") {
            DropKind::View
        } else if self.take("PROCEDURE") || self.take("PROC") {
            DropKind::Procedure
        } else if self.take("FUNCTION") {
            DropKind::Function
        } else if self.take("TRIGGER") {
            let if_exists = self.take_all(&["IF", "EXISTS"]);
            let names = self.comma_separated(Self::object_name)?;
            // of the database or the server
            if self.take("ON") {
                self.rest_of_statement();
            }
            return Ok(Kind::Drop { kind: DropKind::Trigger, names, if_exists });
        } else if self.take("SEQUENCE") {
            DropKind::Sequence
        } else if self.take("SYNONYM") {
            DropKind::Synonym
        } else if self.take("TYPE") {
            DropKind::Type
        } else if self.take("SCHEMA") {
            DropKind::Schema
        } else if self.take("DATABASE") {
            let if_exists = self.take_all(&["IF", "EXISTS"]);
            let names = self.comma_separated(Self::name)?;
            return Ok(Kind::DropDatabase { names, if_exists });
        } else if self.take("INDEX") {
            let if_exists = self.take_all(&["IF", "EXISTS"]);
            let names = self.comma_separated(|p| {
                let first: ObjectName = p.object_name()?;
                if p.take("ON") {
                    return Ok((first.name, p.object_name()?));
                }
                // The old form: table.index
                let table = first.schema.ok_or_else(|| p.expected("ON"))?;
                Ok((first.name, ObjectName { database: None, schema: first.database, name: table }))
            })?;
            return Ok(Kind::DropIndex { names, if_exists });
        } else if self.is_any(&["LOGIN", "USER", "ROLE", "STATISTICS"]) {
            self.rest_of_statement();
            return Ok(Kind::Accepted("DROP of something that cannot be there"));
        } else {
            return Err(self.expected("TABLE, VIEW, PROCEDURE, SCHEMA, INDEX or DATABASE"));
        };
        let if_exists = self.take_all(&["IF", "EXISTS"]);
        let names = self.comma_separated(Self::object_name)?;
        Ok(Kind::Drop { kind, names, if_exists })
    }
}
