//! SELECT and what stands in FROM.

use super::super::value::{Type, Value};
use super::ast::{Body, Cte, Expr, JoinKind, ObjectName, Query, Select, SelectItem, SetOperator, TableRef, Top};
use super::cursor::{Parsed, Parser};
use super::lex::Lexeme;

impl Parser<'_> {
    /// Whether a query follows: SELECT, WITH or brackets around one, or VALUES.
    pub(crate) fn begins_query(&self) -> bool {
        let mut by = 0;
        while matches!(self.ahead(by), Lexeme::Symbol("(")) {
            by += 1;
        }
        self.is_word(by, "SELECT") || by == 0 && (self.is("WITH") || self.is("VALUES"))
    }

    pub(crate) fn query(&mut self) -> Parsed<Query> {
        let ctes = self.ctes()?;
        self.query_after(ctes)
    }

    pub(crate) fn ctes(&mut self) -> Parsed<Vec<Cte>> {
        if !self.take("WITH") {
            return Ok(Vec::new());
        }
        self.comma_separated(|p| {
            let name = p.name()?;
            let columns = if p.is_symbol("(") { p.name_list()? } else { Vec::new() };
            p.expect("AS")?;
            p.expect_symbol("(")?;
            let query = p.nested(Self::query)?;
            p.expect_symbol(")")?;
            Ok(Cte { name, columns, query })
        })
    }

    pub(crate) fn query_after(&mut self, ctes: Vec<Cte>) -> Parsed<Query> {
        let body = self.nested(Self::union)?;
        let order = if self.is("ORDER") { self.order_by()? } else { Vec::new() };
        let mut query = Query { ctes, body, order, offset: None, fetch: None };
        if self.take("OFFSET") {
            query.offset = Some(self.sum()?);
            if !self.take("ROWS") {
                self.expect("ROW")?;
            }
            if self.is("FETCH") && (self.is_word(1, "NEXT") || self.is_word(1, "FIRST")) {
                self.advance();
                self.advance();
                query.fetch = Some(self.sum()?);
                if !self.take("ROWS") {
                    self.expect("ROW")?;
                }
                self.expect("ONLY")?;
            }
        }
        if self.is("FOR") && (self.is_word(1, "XML") || self.is_word(1, "JSON")) {
            return Err(self.unsupported("FOR XML and FOR JSON", "STRING_AGG puts rows together into one text"));
        }
        if self.take("OPTION") {
            self.skip_brackets()?;
        }
        Ok(query)
    }

    fn union(&mut self) -> Parsed<Body> {
        let mut left = self.intersect()?;
        loop {
            let operator = if self.take("UNION") {
                if self.take("ALL") { SetOperator::UnionAll } else { SetOperator::Union }
            } else if self.take("EXCEPT") {
                SetOperator::Except
            } else {
                return Ok(left);
            };
            let right = Box::new(self.intersect()?);
            left = Body::Set { operator, left: Box::new(left), right };
        }
    }

    fn intersect(&mut self) -> Parsed<Body> {
        let mut left = self.query_term()?;
        while self.take("INTERSECT") {
            let right = Box::new(self.query_term()?);
            left = Body::Set { operator: SetOperator::Intersect, left: Box::new(left), right };
        }
        Ok(left)
    }

    fn query_term(&mut self) -> Parsed<Body> {
        if self.take_symbol("(") {
            let query = self.nested(Self::query)?;
            self.expect_symbol(")")?;
            return Ok(Body::Nested(Box::new(query)));
        }
        if self.is("VALUES") {
            return Ok(Body::Values(self.values()?));
        }
        self.expect("SELECT")?;
        Ok(Body::Select(Box::new(self.select()?)))
    }

    fn values(&mut self) -> Parsed<Vec<Vec<Expr>>> {
        self.expect("VALUES")?;
        let rows = self.comma_separated(|p| {
            p.expect_symbol("(")?;
            let row = p.comma_separated(Self::expr)?;
            p.expect_symbol(")")?;
            Ok(row)
        })?;
        if rows.iter().any(|row| row.len() != rows[0].len()) {
            return Err(self.fault("the rows of VALUES have different numbers of columns"));
        }
        Ok(rows)
    }

    fn select(&mut self) -> Parsed<Select> {
        let distinct = self.take("DISTINCT");
        if !distinct {
            self.take("ALL");
        }
        let top = self.top()?;
        let items = self.comma_separated(Self::select_item)?;
        let into = if self.take("INTO") { Some(self.object_name()?) } else { None };
        let from = if self.take("FROM") { Some(self.tables()?) } else { None };
        let filter = if self.take("WHERE") { Some(self.expr()?) } else { None };
        let mut group = Vec::new();
        if self.take("GROUP") {
            self.expect("BY")?;
            if self.is_any(&["ROLLUP", "CUBE", "GROUPING"]) {
                return Err(self.unsupported("ROLLUP, CUBE and GROUPING SETS", "write one query per grouping"));
            }
            group = self.comma_separated(Self::expr)?;
        }
        let having = if self.take("HAVING") { Some(self.expr()?) } else { None };
        Ok(Select { distinct, top, items, into, from, filter, group, having })
    }

    pub(crate) fn top(&mut self) -> Parsed<Option<Top>> {
        if !self.take("TOP") {
            return Ok(None);
        }
        let count = if self.take_symbol("(") {
            let count = self.expr()?;
            self.expect_symbol(")")?;
            count
        } else {
            let count = self.integer()?;
            Expr::Literal(Value::Int(count), Type::Int)
        };
        let percent = self.take("PERCENT");
        let ties = self.take_all(&["WITH", "TIES"]);
        Ok(Some(Top { count, percent, ties }))
    }

    pub(crate) fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.take_symbol("*") {
            return Ok(SelectItem::All(None));
        }
        if let Some(qualifier) = self.attempt(|p| {
            let mut qualifier = p.name()?;
            p.expect_symbol(".")?;
            while !p.take_symbol("*") {
                qualifier = p.name_after_point()?;
                p.expect_symbol(".")?;
            }
            Ok(qualifier)
        }) {
            return Ok(SelectItem::All(Some(qualifier)));
        }
        if let Lexeme::Variable(name) = self.lexeme() {
            let assigned = self.attempt(|p| {
                p.advance();
                p.assignment_operator()
            });
            if let Some(operator) = assigned {
                return Ok(SelectItem::Assign { variable: name.to_lowercase(), operator, value: self.expr()? });
            }
        }
        // `alias = expression`
        if matches!(self.ahead(1), Lexeme::Symbol("="))
            && let Some(alias) = self.attempt(Self::name_or_text)
        {
            self.expect_symbol("=")?;
            return Ok(SelectItem::Value { value: self.expr()?, alias: Some(alias) });
        }
        let value = self.expr()?;
        let alias = if self.take("AS") { Some(self.alias_name()?) } else { self.attempt(Self::name_or_text) };
        Ok(SelectItem::Value { value, alias })
    }

    fn alias_name(&mut self) -> Parsed<String> {
        if let Lexeme::Text { text, .. } = self.lexeme() {
            self.advance();
            return Ok(text.clone());
        }
        self.name()
    }

    /// What follows FROM: joins, and tables with commas between them.
    pub(crate) fn tables(&mut self) -> Parsed<TableRef> {
        let mut left = self.joined()?;
        while self.take_symbol(",") {
            let right = Box::new(self.joined()?);
            left = TableRef::Join { kind: JoinKind::Inner, left: Box::new(left), right, on: None };
        }
        Ok(left)
    }

    fn joined(&mut self) -> Parsed<TableRef> {
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
        if self.take("TABLESAMPLE") || self.is_any(&["PIVOT", "UNPIVOT"]) {
            return Err(self.unsupported("PIVOT and TABLESAMPLE", "CASE inside an aggregate makes columns of rows"));
        }
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
            if name.schema.is_none() {
                let hint = "STRING_SPLIT and GENERATE_SERIES are supported; functions of the script are called with their schema";
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
