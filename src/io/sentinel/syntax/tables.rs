//! What stands in FROM.

use super::ast::{Expr, JoinKind, JsonColumn, ObjectName, TableRef};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    /// What follows FROM: joins, and tables with commas between them.
    pub(crate) fn tables(&mut self) -> Parsed<TableRef> {
        let mut left = self.joined()?;
        while self.take_symbol(",") {
            let right = Box::new(self.joined()?);
            left = TableRef::Join { kind: JoinKind::Inner, left: Box::new(left), right, on: None };
        }
        Ok(left)
    }

    pub(super) fn joined(&mut self) -> Parsed<TableRef> {
        let mut left = self.table_ref()?;
        loop {
            let apply = match (self.is_word(0, "CROSS"), self.is_word(0, "OUTER")) {
                (true, _) if self.is_word(1, "APPLY") => Some(false),
                (_, true) if self.is_word(1, "APPLY") => Some(true),
                _ => None,
            };
            if let Some(outer) = apply {
                self.advance();
                self.advance();
                let right = Box::new(self.table_ref()?);
                left = TableRef::Apply { outer, left: Box::new(left), right };
                continue;
            }
            if self.take_all(&["CROSS", "JOIN"]) {
                let right = Box::new(self.table_ref()?);
                left = TableRef::Join { kind: JoinKind::Inner, left: Box::new(left), right, on: None };
                continue;
            }
            let Some(kind) = self.join_kind()? else { return Ok(left) };
            let right = Box::new(self.nested(Self::joined_right)?);
            self.expect("ON")?;
            let on = Some(self.expr()?);
            left = TableRef::Join { kind, left: Box::new(left), right, on };
        }
    }

    /// The right side of a join; `a JOIN b JOIN c ON … ON …` nests to the right.
    fn joined_right(&mut self) -> Parsed<TableRef> {
        let left = self.table_ref()?;
        let start = self.at;
        if let Some(kind) = self.join_kind()? {
            let right = Box::new(self.nested(Self::joined_right)?);
            if self.take("ON") {
                let on = Some(self.expr()?);
                if self.is("ON") {
                    return Ok(TableRef::Join { kind, left: Box::new(left), right, on });
                }
            }
            self.at = start;
        }
        Ok(left)
    }

    fn join_kind(&mut self) -> Parsed<Option<JoinKind>> {
        let (kind, outer) = if self.take("INNER") {
            (JoinKind::Inner, false)
        } else if self.is("LEFT") {
            self.advance();
            (JoinKind::Left, true)
        } else if self.is("RIGHT") {
            self.advance();
            (JoinKind::Right, true)
        } else if self.take("FULL") {
            (JoinKind::Full, true)
        } else if self.take("JOIN") {
            return Ok(Some(JoinKind::Inner));
        } else {
            return Ok(None);
        };
        if outer {
            self.take("OUTER");
        }
        if self.is_any(&["LOOP", "HASH", "MERGE", "REMOTE"]) && self.is_word(1, "JOIN") {
            self.advance();
        }
        self.expect("JOIN")?;
        Ok(Some(kind))
    }

    fn table_ref(&mut self) -> Parsed<TableRef> {
        let mut table = self.plain_table_ref()?;
        loop {
            if self.take("PIVOT") {
                table = self.pivot(table)?;
            } else if self.take("UNPIVOT") {
                table = self.unpivot(table)?;
            } else if self.is("TABLESAMPLE") {
                return Err(self.unsupported("TABLESAMPLE", "TOP takes some of the rows"));
            } else {
                return Ok(table);
            }
        }
    }

    /// `(SUM(x) FOR y IN ([a], [b])) AS p`.
    fn pivot(&mut self, source: TableRef) -> Parsed<TableRef> {
        self.expect_symbol("(")?;
        let Expr::Aggregate(aggregate) = self.sum()? else { return Err(self.expected("an aggregate")) };
        let (column, values) = self.pivoted()?;
        let alias = self.table_name_alias()?.ok_or_else(|| self.expected("a name for the pivoted table"))?;
        Ok(TableRef::Pivot { source: Box::new(source), aggregate, column, values, alias })
    }

    /// `(value FOR name IN (a, b)) AS u`.
    fn unpivot(&mut self, source: TableRef) -> Parsed<TableRef> {
        self.expect_symbol("(")?;
        let value = self.name()?;
        let (name, columns) = self.pivoted()?;
        let alias = self.table_name_alias()?.ok_or_else(|| self.expected("a name for the unpivoted table"))?;
        Ok(TableRef::Unpivot { source: Box::new(source), value, name, columns, alias })
    }

    fn pivoted(&mut self) -> Parsed<(String, Vec<String>)> {
        self.expect("FOR")?;
        let mut column = self.name()?;
        while self.take_symbol(".") {
            column = self.name_after_point()?;
        }
        self.expect("IN")?;
        let values = self.name_list()?;
        self.expect_symbol(")")?;
        Ok((column, values))
    }

    fn open_json(&mut self) -> Parsed<TableRef> {
        self.expect_symbol("(")?;
        let json = self.expr()?;
        let path = if self.take_symbol(",") { Some(self.expr()?) } else { None };
        self.expect_symbol(")")?;
        let mut columns = Vec::new();
        if self.is("WITH") && matches!(self.ahead(1), Lexeme::Symbol("(")) {
            self.advance();
            self.advance();
            columns = self.comma_separated(|p| {
                let name = p.name()?;
                let ty = p.data_type()?;
                let path = match p.lexeme() {
                    Lexeme::Text { text, .. } => {
                        p.advance();
                        Some(text.clone())
                    }
                    _ => None,
                };
                Ok(JsonColumn { name, ty, path, as_json: p.take_all(&["AS", "JSON"]) })
            })?;
            self.expect_symbol(")")?;
        }
        Ok(TableRef::OpenJson { json, path, columns, alias: self.table_name_alias()? })
    }

    fn plain_table_ref(&mut self) -> Parsed<TableRef> {
        if self.is_symbol("(") {
            if self.begins_query() || self.is_word(1, "VALUES") || self.is_word(1, "WITH") {
                self.advance();
                let query = Box::new(self.nested(Self::query)?);
                self.expect_symbol(")")?;
                let (alias, columns) = self.table_alias()?;
                let alias = alias.ok_or_else(|| self.expected("a name for the derived table"))?;
                return Ok(TableRef::Derived { query, alias, columns });
            }
            self.advance();
            let inner = self.nested(Self::tables)?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let name = self.object_name()?;
        if self.is_symbol("(") && !self.is_hint_list() {
            return self.table_function(&name);
        }
        let mut alias = self.table_name_alias()?;
        self.table_hints()?;
        if alias.is_none() {
            alias = self.table_name_alias()?;
        }
        Ok(TableRef::Named { name, alias })
    }

    fn is_hint_list(&self) -> bool {
        ["NOLOCK", "UPDLOCK", "HOLDLOCK", "ROWLOCK", "TABLOCK", "TABLOCKX", "READPAST", "READUNCOMMITTED", "XLOCK"]
            .iter()
            .any(|hint| self.is_word(1, hint))
    }

    /// `WITH (NOLOCK)`, or the brackets alone.
    pub(crate) fn table_hints(&mut self) -> Parsed<()> {
        if self.is("WITH") && matches!(self.ahead(1), Lexeme::Symbol("(")) {
            self.advance();
            self.skip_brackets()?;
        } else if self.is_symbol("(") && self.is_hint_list() {
            self.skip_brackets()?;
        }
        Ok(())
    }

    fn table_name_alias(&mut self) -> Parsed<Option<String>> {
        if self.take("AS") {
            return self.name_or_text().map(Some);
        }
        Ok(self.attempt(Self::name))
    }

    fn table_alias(&mut self) -> Parsed<(Option<String>, Vec<String>)> {
        let alias = self.table_name_alias()?;
        let columns = if alias.is_some() && self.is_symbol("(") { self.name_list()? } else { Vec::new() };
        Ok((alias, columns))
    }

    fn table_function(&mut self, name: &ObjectName) -> Parsed<TableRef> {
        let upper = name.name.to_ascii_uppercase();
        if name.schema.is_some() || !matches!(upper.as_str(), "STRING_SPLIT" | "GENERATE_SERIES") {
            if name.schema.is_none() && upper == "OPENJSON" {
                return self.open_json();
            }
            if name.schema.is_none() {
                let hint = "STRING_SPLIT, GENERATE_SERIES and OPENJSON are supported; functions of the script are called with their schema";
                return Err(self.unsupported(&format!("the table function {name}"), hint));
            }
            let arguments = self.user_arguments(name)?;
            let (alias, columns) = self.table_alias()?;
            return Ok(TableRef::UserFunction { name: name.clone(), arguments, alias, columns });
        }
        self.expect_symbol("(")?;
        let arguments = self.comma_separated(Self::expr)?;
        self.expect_symbol(")")?;
        if !(2..=3).contains(&arguments.len()) {
            return Err(self.fault(format!("{upper} takes 2 to 3 arguments")));
        }
        let (alias, columns) = self.table_alias()?;
        Ok(TableRef::Function { name: upper, arguments, alias, columns })
    }
}
