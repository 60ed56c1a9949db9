//! INSERT, UPDATE, DELETE and MERGE.

use super::ast::{
    Cte, Delete, Expr, Insert, InsertSource, Kind, Merge, MergeAction, MergeClause, MergeWhen, ObjectName, Output, SetClause,
    TableRef, Update,
};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    pub(crate) fn insert(&mut self, ctes: Vec<Cte>) -> Parsed<Kind> {
        self.expect("INSERT")?;
        let top = self.top()?;
        self.take("INTO");
        let table = self.object_name()?;
        self.table_hints()?;
        let columns = if self.is_symbol("(") && !self.begins_query() { self.column_list()? } else { Vec::new() };
        let output = self.output()?;
        let source = if self.take("DEFAULT") {
            self.expect("VALUES")?;
            InsertSource::DefaultValues
        } else if self.take("VALUES") {
            let rows = self.comma_separated(Self::row)?;
            if rows.iter().any(|row| row.len() != rows[0].len()) {
                return Err(self.fault("the rows of VALUES have different numbers of columns"));
            }
            if !columns.is_empty() && rows[0].len() != columns.len() {
                let message = format!("{} columns are named, but each row has {} values", columns.len(), rows[0].len());
                return Err(self.fault(message));
            }
            InsertSource::Values(rows)
        } else if self.is_any(&["EXEC", "EXECUTE"]) {
            InsertSource::Execute(Box::new(self.statement()?))
        } else if self.begins_query() {
            InsertSource::Query(Box::new(self.query()?))
        } else {
            return Err(self.expected("VALUES, SELECT, EXEC or DEFAULT VALUES"));
        };
        Ok(Kind::Insert(Insert { ctes, top, table, columns, output, source }))
    }

    /// Column names, each perhaps behind its table's name.
    fn column_list(&mut self) -> Parsed<Vec<String>> {
        self.expect_symbol("(")?;
        let columns = self.comma_separated(Self::column_name)?;
        self.expect_symbol(")")?;
        Ok(columns)
    }

    fn column_name(&mut self) -> Parsed<String> {
        let mut name = self.name()?;
        while self.take_symbol(".") {
            name = self.name_after_point()?;
        }
        Ok(name)
    }

    /// One row of VALUES; `None` is DEFAULT.
    fn row(&mut self) -> Parsed<Vec<Option<Expr>>> {
        self.expect_symbol("(")?;
        let row = self.comma_separated(|p| if p.take("DEFAULT") { Ok(None) } else { p.expr().map(Some) })?;
        self.expect_symbol(")")?;
        Ok(row)
    }

    fn output(&mut self) -> Parsed<Option<Output>> {
        if !self.take("OUTPUT") {
            return Ok(None);
        }
        let items = self.comma_separated(Self::select_item)?;
        let mut into = None;
        if self.take("INTO") {
            let table = self.object_name()?;
            let columns = if self.is_symbol("(") && !self.begins_query() { self.column_list()? } else { Vec::new() };
            into = Some((table, columns));
        }
        Ok(Some(Output { items, into }))
    }

    pub(crate) fn update(&mut self, ctes: Vec<Cte>) -> Parsed<Kind> {
        self.expect("UPDATE")?;
        let top = self.top()?;
        let target = self.object_name()?;
        self.table_hints()?;
        self.expect("SET")?;
        let sets = self.comma_separated(Self::set_clause)?;
        let output = self.output()?;
        let from = if self.take("FROM") { Some(self.tables()?) } else { None };
        let filter = self.filter()?;
        Ok(Kind::Update(Update { ctes, top, target, sets, output, from, filter }))
    }

    fn filter(&mut self) -> Parsed<Option<Expr>> {
        let filter = if self.take("WHERE") {
            if self.is("CURRENT") && self.is_word(1, "OF") {
                return Err(self.unsupported("WHERE CURRENT OF", "name the row by its key"));
            }
            Some(self.expr()?)
        } else {
            None
        };
        if self.take("OPTION") {
            self.skip_brackets()?;
        }
        Ok(filter)
    }

    /// `column = value`, `@v = value`, `@v = column = value`, with compound operators.
    fn set_clause(&mut self) -> Parsed<SetClause> {
        let mut variable = None;
        if let Lexeme::Variable(_) = self.lexeme() {
            let name = self.variable()?;
            let operator = self.assignment_operator()?;
            let column = self.attempt(|p| {
                let column = p.column_name()?;
                p.expect_symbol("=")?;
                Ok(column)
            });
            if column.is_none() {
                let value = Some(self.expr()?);
                return Ok(SetClause { variable: Some(name), column: None, operator, value });
            }
            variable = Some(name);
            let value = Some(self.expr()?);
            return Ok(SetClause { variable, column, operator, value });
        }
        let column = Some(self.column_name()?);
        let operator = self.assignment_operator()?;
        let value = if operator.is_none() && self.take("DEFAULT") { None } else { Some(self.expr()?) };
        Ok(SetClause { variable, column, operator, value })
    }

    pub(crate) fn delete(&mut self, ctes: Vec<Cte>) -> Parsed<Kind> {
        self.expect("DELETE")?;
        let top = self.top()?;
        self.take("FROM");
        let target = self.object_name()?;
        self.table_hints()?;
        let output = self.output()?;
        let from = if self.take("FROM") { Some(self.tables()?) } else { None };
        let filter = self.filter()?;
        Ok(Kind::Delete(Delete { ctes, top, target, output, from, filter }))
    }

    pub(crate) fn merge(&mut self, ctes: Vec<Cte>) -> Parsed<Kind> {
        self.expect("MERGE")?;
        if self.top()?.is_some() {
            return Err(self.unsupported("MERGE TOP", "choose the rows in the source instead"));
        }
        self.take("INTO");
        let target = self.object_name()?;
        self.table_hints()?;
        let alias = if self.take("AS") {
            Some(self.name()?)
        } else if self.is("USING") {
            None
        } else {
            self.attempt(Self::name)
        };
        self.expect("USING")?;
        let source: TableRef = self.tables()?;
        self.expect("ON")?;
        let on = self.expr()?;
        let mut clauses = Vec::new();
        while self.take("WHEN") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return Err(self.expected("WHEN"));
        }
        let output = self.output()?;
        if self.take("OPTION") {
            self.skip_brackets()?;
        }
        Ok(Kind::Merge(Merge { ctes, target, alias, source, on, clauses, output }))
    }

    fn merge_clause(&mut self) -> Parsed<MergeClause> {
        let missing = self.take("NOT");
        self.expect("MATCHED")?;
        let when = if !missing {
            MergeWhen::Matched
        } else if self.take_all(&["BY", "SOURCE"]) {
            MergeWhen::NotMatchedBySource
        } else {
            let _ = self.take_all(&["BY", "TARGET"]);
            MergeWhen::NotMatchedByTarget
        };
        let condition = if self.take("AND") { Some(self.expr()?) } else { None };
        self.expect("THEN")?;
        let action = if when == MergeWhen::NotMatchedByTarget {
            self.expect("INSERT")?;
            let columns = if self.is_symbol("(") { self.column_list()? } else { Vec::new() };
            if self.take("DEFAULT") {
                self.expect("VALUES")?;
                MergeAction::Insert { columns, values: None }
            } else {
                self.expect("VALUES")?;
                let values = self.row()?;
                if !columns.is_empty() && columns.len() != values.len() {
                    return Err(self.fault("the columns of the INSERT and its values differ in number"));
                }
                MergeAction::Insert { columns, values: Some(values) }
            }
        } else if self.take("DELETE") {
            MergeAction::Delete
        } else {
            self.expect("UPDATE")?;
            self.expect("SET")?;
            MergeAction::Update(self.comma_separated(Self::set_clause)?)
        };
        Ok(MergeClause { when, condition, action })
    }

    pub(crate) fn truncate(&mut self) -> Parsed<ObjectName> {
        self.expect("TRUNCATE")?;
        self.expect("TABLE")?;
        self.object_name()
    }
}
