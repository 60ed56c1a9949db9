//! SELECT.

use super::super::value::{Type, Value};
use super::ast::{Body, Cte, Expr, Form, Query, Select, SelectItem, SetOperator, TableRef, Top};
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
        let mut query = Query { ctes, body, order, offset: None, fetch: None, form: None };
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
            query.form = Some(self.form(&query)?);
        }
        if self.take("OPTION") {
            self.skip_brackets()?;
        }
        Ok(query)
    }

    fn form(&mut self, query: &Query) -> Parsed<Form> {
        self.advance();
        if self.take("XML") {
            if !self.take("PATH") {
                return Err(self.unsupported("FOR XML other than PATH", "FOR XML PATH and STRING_AGG are supported"));
            }
            let row = self.bracketed_text()?.unwrap_or_else(|| "row".to_owned());
            let mut root = None;
            while self.take_symbol(",") {
                if self.take("ROOT") {
                    root = Some(self.bracketed_text()?.unwrap_or_else(|| "root".to_owned()));
                } else {
                    self.expect("TYPE")?;
                }
            }
            return Ok(Form::Xml { row, root, plain: false });
        }
        self.expect("JSON")?;
        let joined = |body: &Body| matches!(body, Body::Select(select) if matches!(select.from, Some(TableRef::Join { .. })));
        if self.is("AUTO") && joined(&query.body) {
            return Err(self.unsupported("FOR JSON AUTO over a join", "FOR JSON PATH nests by names such as 'a.b'"));
        }
        if !self.take("AUTO") {
            self.expect("PATH")?;
        }
        let (mut root, mut nulls, mut wrapped) = (None, false, true);
        while self.take_symbol(",") {
            if self.take("ROOT") {
                root = Some(self.bracketed_text()?.unwrap_or_else(|| "root".to_owned()));
            } else if self.take("INCLUDE_NULL_VALUES") {
                nulls = true;
            } else {
                self.expect("WITHOUT_ARRAY_WRAPPER")?;
                wrapped = false;
            }
        }
        Ok(Form::Json { root, nulls, wrapped })
    }

    /// `('text')`, if it is there.
    fn bracketed_text(&mut self) -> Parsed<Option<String>> {
        if !self.take_symbol("(") {
            return Ok(None);
        }
        let Lexeme::Text { text, .. } = self.lexeme() else { return Err(self.expected("a name in quotes")) };
        self.advance();
        self.expect_symbol(")")?;
        Ok(Some(text.clone()))
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

    pub(super) fn values(&mut self) -> Parsed<Vec<Vec<Expr>>> {
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

    pub(super) fn select(&mut self) -> Parsed<Select> {
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
}
