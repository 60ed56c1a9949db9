//! Expressions and conditions.

use super::super::function;
use super::super::value::{Numeric, Type, Value};
use super::ast::{Arithmetic, Comparison, Expr, Form, OrderItem, Query};
use super::cursor::{Parsed, Parser, is_reserved};
use super::lex::Lexeme;

/// How many operators may follow each other in one chain: they nest on the stack when they are evaluated.
const MAX_CHAIN: usize = 120;

impl Parser<'_> {
    pub(crate) fn expr(&mut self) -> Parsed<Expr> {
        self.nested_by(2, Self::or)
    }

    pub(super) fn or(&mut self) -> Parsed<Expr> {
        let mut terms = vec![self.and()?];
        while self.take("OR") {
            terms.push(self.and()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Expr::Or(terms) })
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut terms = vec![self.not()?];
        while self.take("AND") {
            terms.push(self.not()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Expr::And(terms) })
    }

    fn not(&mut self) -> Parsed<Expr> {
        if self.take("NOT") {
            return self.nested(|p| Ok(Expr::Not(Box::new(p.not()?))));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Parsed<Expr> {
        if self.is("EXISTS") {
            self.advance();
            self.expect_symbol("(")?;
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        let left = self.sum()?;
        if self.take("IS") {
            let negated = self.take("NOT");
            if self.take("DISTINCT") {
                self.expect("FROM")?;
                let right = self.sum()?;
                let distinct = Expr::Case {
                    operand: None,
                    branches: vec![
                        (Expr::And(vec![is_null(&left), is_null(&right)]), int_literal(0)),
                        (Expr::Or(vec![is_null(&left), is_null(&right)]), int_literal(1)),
                        (Expr::Compare(Comparison::Equal, Box::new(left), Box::new(right)), int_literal(0)),
                    ],
                    otherwise: Some(Box::new(int_literal(1))),
                };
                let wanted = int_literal(i64::from(!negated));
                return Ok(Expr::Compare(Comparison::Equal, Box::new(distinct), Box::new(wanted)));
            }
            self.expect("NULL")?;
            return Ok(Expr::IsNull { value: Box::new(left), negated });
        }
        if let Some(comparison) = self.comparison() {
            return self.comparison_right(comparison, left);
        }
        let negated = self.is("NOT") && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_word(1, word));
        if negated {
            self.advance();
        }
        let value = Box::new(left);
        if self.take("BETWEEN") {
            let low = Box::new(self.sum()?);
            self.expect("AND")?;
            let high = Box::new(self.sum()?);
            return Ok(Expr::Between { value, low, high, negated });
        }
        if self.take("LIKE") {
            let pattern = Box::new(self.sum()?);
            let escape = if self.take("ESCAPE") { Some(Box::new(self.sum()?)) } else { None };
            return Ok(Expr::Like { value, pattern, escape, negated });
        }
        if self.take("IN") {
            self.expect_symbol("(")?;
            let found = if self.begins_query() {
                Expr::InQuery { value, query: Box::new(self.query()?), negated }
            } else {
                Expr::InList { value, list: self.comma_separated(Self::expr)?, negated }
            };
            self.expect_symbol(")")?;
            return Ok(found);
        }
        Ok(*value)
    }

    fn comparison_right(&mut self, comparison: Comparison, left: Expr) -> Parsed<Expr> {
        let left = Box::new(left);
        if self.is_any(&["ANY", "SOME", "ALL"]) {
            let all = self.is("ALL");
            self.advance();
            self.expect_symbol("(")?;
            let query = Box::new(self.query()?);
            self.expect_symbol(")")?;
            return Ok(Expr::CompareQuery { comparison, all, left, query });
        }
        Ok(Expr::Compare(comparison, left, Box::new(self.sum()?)))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Lexeme::Symbol(symbol) = self.lexeme() else { return None };
        let comparison = match *symbol {
            "=" => Comparison::Equal,
            "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.advance();
        Some(comparison)
    }

    /// The operator of `+=` and its like, when one is next; takes the `=` too.
    pub(crate) fn assignment_operator(&mut self) -> Parsed<Option<Arithmetic>> {
        if self.take_symbol("=") {
            return Ok(None);
        }
        let operator = self.sum_operator().or_else(|| self.product_operator());
        let operator = operator.filter(|_| matches!(self.ahead(1), Lexeme::Symbol("=")));
        let Some(operator) = operator else { return Err(self.expected("'='")) };
        self.advance();
        self.advance();
        Ok(Some(operator))
    }

    fn sum_operator(&self) -> Option<Arithmetic> {
        let Lexeme::Symbol(symbol) = self.lexeme() else { return None };
        match *symbol {
            "+" => Some(Arithmetic::Add),
            "-" => Some(Arithmetic::Subtract),
            "&" => Some(Arithmetic::BitAnd),
            "|" => Some(Arithmetic::BitOr),
            "^" => Some(Arithmetic::BitXor),
            _ => None,
        }
    }

    fn product_operator(&self) -> Option<Arithmetic> {
        let Lexeme::Symbol(symbol) = self.lexeme() else { return None };
        match *symbol {
            "*" => Some(Arithmetic::Multiply),
            "/" => Some(Arithmetic::Divide),
            "%" => Some(Arithmetic::Modulo),
            _ => None,
        }
    }

    pub(crate) fn sum(&mut self) -> Parsed<Expr> {
        self.chain(Self::sum_operator, Self::product)
    }

    pub(super) fn product(&mut self) -> Parsed<Expr> {
        self.chain(Self::product_operator, Self::unary)
    }

    pub(super) fn chain(
        &mut self,
        operator: fn(&Self) -> Option<Arithmetic>,
        operand: fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let mut left = operand(self)?;
        for links in 0.. {
            let Some(operator) = operator(self) else { break };
            if links >= MAX_CHAIN {
                return Err(self.fault(format!("more than {MAX_CHAIN} operators in a row")));
            }
            self.advance();
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        if self.take_symbol("-") {
            return self.nested(|p| {
                Ok(match p.unary()? {
                    Expr::Literal(Value::Int(n), ty) => Expr::Literal(Value::Int(-n), ty),
                    Expr::Literal(Value::Numeric(n), ty) => Expr::Literal(Value::Numeric(n.negate()), ty),
                    operand => Expr::Negate(Box::new(operand)),
                })
            });
        }
        if self.take_symbol("+") {
            return self.nested(Self::unary);
        }
        if self.take_symbol("~") {
            return self.nested(|p| Ok(Expr::BitNot(Box::new(p.unary()?))));
        }
        let mut operand = self.primary()?;
        loop {
            if self.take("COLLATE") {
                self.name()?;
            } else if self.take_all(&["AT", "TIME", "ZONE"]) {
                let zone = self.primary()?;
                if let Expr::Literal(Value::Text(name), _) = &zone
                    && !function::is_zone(name)
                {
                    let hint = "known are UTC, GMT Standard Time, W. Europe Standard Time, Eastern Standard Time and their like";
                    return Err(self.unsupported(&format!("the time zone {name}"), hint));
                }
                operand = Expr::Call { name: "AT TIME ZONE".to_owned(), arguments: vec![operand, zone] };
            } else {
                break;
            }
        }
        Ok(operand)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.lexeme() {
            Lexeme::Number(digits) => {
                self.advance();
                number(digits).ok_or_else(|| self.fault(format!("the number {digits} has more than 38 digits")))
            }
            Lexeme::Money(digits) => {
                self.advance();
                let money = Numeric::parse(digits).and_then(|n| n.round_to(4));
                let money = money.ok_or_else(|| self.fault("an amount that is no number"))?;
                Ok(Expr::Literal(Value::Numeric(money), Type::Money))
            }
            Lexeme::Text { text, national } => {
                self.advance();
                Ok(text_literal(text, *national))
            }
            Lexeme::Hex(bytes) => {
                self.advance();
                let length = u32::try_from(bytes.len().max(1)).ok();
                Ok(Expr::Literal(Value::Binary(bytes.as_slice().into()), Type::VarBinary(length)))
            }
            Lexeme::Variable(name) => {
                self.advance();
                Ok(Expr::Variable(name.to_lowercase()))
            }
            Lexeme::Global(name) => {
                self.advance();
                if !function::is_global(name) {
                    return Err(self.unsupported(&format!("@@{name}"), "leave it out"));
                }
                Ok(Expr::Global(name.clone()))
            }
            Lexeme::Symbol("(") => {
                self.advance();
                if !self.begins_query() {
                    let inner = self.expr()?;
                    self.expect_symbol(")")?;
                    return Ok(inner);
                }
                let query = self.nested(Self::query)?;
                self.expect_symbol(")")?;
                if matches!(query.form, Some(Form::Xml { .. })) && self.is_symbol(".") {
                    return self.xml_value(query);
                }
                Ok(Expr::Subquery(Box::new(query)))
            }
            Lexeme::Symbol("{") => self.odbc_moment(),
            Lexeme::Word { text, quoted: false } => self.keyword_or_name(text),
            Lexeme::Word { text, .. } => {
                let double = self.tokens.get(self.at).is_some_and(|token| self.source[token.start..].starts_with('"'));
                if double && !matches!(self.ahead(1), Lexeme::Symbol("." | "(")) {
                    self.advance();
                    return Ok(Expr::Quoted(text.clone()));
                }
                self.column_or_call()
            }
            _ => Err(self.expected("an expression")),
        }
    }

    /// `.value('.', 'nvarchar(max)')` behind a query FOR XML: its text without any markup.
    fn xml_value(&mut self, mut query: Query) -> Parsed<Expr> {
        self.expect_symbol(".")?;
        self.expect("value")?;
        self.expect_symbol("(")?;
        let text = |p: &mut Self| match p.lexeme() {
            Lexeme::Text { text, .. } => {
                p.advance();
                Ok(text.clone())
            }
            _ => Err(p.expected("a text")),
        };
        let path = text(self)?;
        if !matches!(path.replace(' ', "").as_str(), "." | "(.)[1]" | "text()[1]" | "(./text())[1]" | "(text())[1]") {
            return Err(self.unsupported(&format!("the XML path {path}"), "'.' takes all of the text"));
        }
        self.expect_symbol(",")?;
        let ty = text(self)?;
        self.expect_symbol(")")?;
        let (name, rest) = ty.split_once('(').unwrap_or((&ty, ""));
        let length = rest.trim_end_matches(')').trim();
        let length = length.parse().map_or((!length.is_empty()).then_some(None), |length| Some(Some(length)));
        let ty = Type::from_name(name.trim(), length.as_slice()).map_err(|message| self.fault(message))?;
        if let Some(Form::Xml { plain, .. }) = &mut query.form {
            *plain = true;
        }
        let value = Box::new(Expr::Subquery(Box::new(query)));
        Ok(Expr::Cast { value, ty, style: None, forgiving: false })
    }

    /// `{d '2026-03-15'}` and `{ts '2026-03-15 09:00:00'}`, as tools that speak ODBC write them.
    fn odbc_moment(&mut self) -> Parsed<Expr> {
        self.advance();
        if !(self.take("d") || self.take("ts")) {
            return Err(self.expected("d or ts"));
        }
        let Lexeme::Text { text, .. } = self.lexeme() else { return Err(self.expected("a moment in quotes")) };
        let value = Box::new(text_literal(text, false));
        self.advance();
        self.expect_symbol("}")?;
        Ok(Expr::Cast { value, ty: Type::DateTime, style: None, forgiving: false })
    }

    fn keyword_or_name(&mut self, word: &str) -> Parsed<Expr> {
        let upper = word.to_ascii_uppercase();
        let called = matches!(self.ahead(1), Lexeme::Symbol("("));
        match upper.as_str() {
            "NULL" => {
                self.advance();
                Ok(Expr::Literal(Value::Null, Type::Null))
            }
            "CASE" => self.nested(Self::case),
            "NEXT" if self.is_word(1, "VALUE") && self.is_word(2, "FOR") => {
                let _ = self.take_all(&["NEXT", "VALUE", "FOR"]);
                let name = self.object_name()?;
                if self.is("OVER") {
                    return Err(self.unsupported("NEXT VALUE FOR … OVER", "order the rows in a derived table"));
                }
                Ok(Expr::NextValue(name))
            }
            "CAST" | "TRY_CAST" if called => {
                self.advance();
                self.advance();
                let value = Box::new(self.expr()?);
                self.expect("AS")?;
                let ty = self.cast_type()?;
                self.expect_symbol(")")?;
                Ok(Expr::Cast { value, ty, style: None, forgiving: upper.starts_with("TRY") })
            }
            "CONVERT" | "TRY_CONVERT" if called => {
                self.advance();
                self.advance();
                let ty = self.cast_type()?;
                self.expect_symbol(",")?;
                let value = Box::new(self.expr()?);
                let style = if self.take_symbol(",") { Some(Box::new(self.expr()?)) } else { None };
                self.expect_symbol(")")?;
                Ok(Expr::Cast { value, ty, style, forgiving: upper.starts_with("TRY") })
            }
            "PARSE" | "TRY_PARSE" if called => {
                self.advance();
                self.advance();
                let text = self.expr()?;
                self.expect("AS")?;
                let ty = self.cast_type()?;
                let culture = if self.take("USING") { self.expr()? } else { text_literal("en-US", false) };
                self.expect_symbol(")")?;
                if !(ty.is_number() || ty.is_temporal()) {
                    return Err(self.fault(format!("{upper} gives numbers, dates and times")));
                }
                let name = if ty.is_number() { "PARSE NUMBER" } else { "PARSE DATE" };
                let plain = Expr::Call { name: name.to_owned(), arguments: vec![text, culture] };
                Ok(Expr::Cast { value: Box::new(plain), ty, style: None, forgiving: upper.starts_with("TRY") })
            }
            "IIF" if called => {
                self.advance();
                self.advance();
                let condition = self.expr()?;
                self.expect_symbol(",")?;
                let then = self.expr()?;
                self.expect_symbol(",")?;
                let otherwise = Some(Box::new(self.expr()?));
                self.expect_symbol(")")?;
                Ok(Expr::Case { operand: None, branches: vec![(condition, then)], otherwise })
            }
            "CURRENT_TIMESTAMP" | "CURRENT_USER" | "SESSION_USER" | "SYSTEM_USER" | "USER" if !called => {
                self.advance();
                Ok(Expr::Call { name: upper, arguments: Vec::new() })
            }
            _ if called => self.call(),
            _ if is_reserved(word) => Err(self.expected("an expression")),
            _ => self.column_or_call(),
        }
    }

    pub(super) fn case(&mut self) -> Parsed<Expr> {
        self.expect("CASE")?;
        let operand = if self.is("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut branches = Vec::new();
        while self.take("WHEN") {
            let when = self.expr()?;
            self.expect("THEN")?;
            branches.push((when, self.expr()?));
        }
        if branches.is_empty() {
            return Err(self.expected("WHEN"));
        }
        let otherwise = if self.take("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.expect("END")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    fn column_or_call(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.name_after_point()?];
        while self.is_symbol(".") {
            self.advance();
            if self.take_symbol(".") {
                // `db..table.column`
                parts.push(String::new());
            }
            parts.push(self.name_after_point()?);
        }
        if self.is_symbol("(") {
            let schema = parts.len().checked_sub(2).and_then(|at| parts.get(at));
            if schema.is_some_and(|schema| !schema.eq_ignore_ascii_case("sys")) {
                return self.user_call(parts);
            }
            let name = parts.pop().unwrap_or_default();
            return self.call_named(&name);
        }
        Ok(Expr::Column(parts))
    }

    /// A type in CAST or CONVERT, where text without a length has thirty characters.
    fn cast_type(&mut self) -> Parsed<Type> {
        let ty = self.data_type()?;
        let sized = self.at > 0 && matches!(self.tokens[self.at - 1].lexeme, Lexeme::Symbol(")"));
        Ok(match ty {
            _ if sized => ty,
            Type::VarChar(Some(1)) => Type::VarChar(Some(30)),
            Type::NVarChar(Some(1)) => Type::NVarChar(Some(30)),
            Type::Char(1) => Type::Char(30),
            Type::NChar(1) => Type::NChar(30),
            Type::VarBinary(Some(1)) => Type::VarBinary(Some(30)),
            Type::Binary(1) => Type::Binary(30),
            other => other,
        })
    }

    /// ORDER BY and its items.
    pub(crate) fn order_by(&mut self) -> Parsed<Vec<OrderItem>> {
        self.expect("ORDER")?;
        self.expect("BY")?;
        self.comma_separated(|p| {
            let value = p.expr()?;
            let descending = p.take("DESC");
            if !descending {
                p.take("ASC");
            }
            Ok(OrderItem { value, descending })
        })
    }
}

fn is_null(value: &Expr) -> Expr {
    Expr::IsNull { value: Box::new(value.clone()), negated: false }
}

pub(crate) fn int_literal(n: i64) -> Expr {
    Expr::Literal(Value::Int(n), Type::Int)
}

pub(crate) fn text_literal(text: &str, national: bool) -> Expr {
    let length = u32::try_from(text.chars().count().max(1)).ok();
    Expr::Literal(Value::text(text), if national { Type::NVarChar(length) } else { Type::VarChar(length) })
}

fn number(digits: &str) -> Option<Expr> {
    if digits.contains(['e', 'E']) {
        let float = digits.parse::<f64>().ok().filter(|f| f.is_finite())?;
        return Some(Expr::Literal(Value::Float(float), Type::Float));
    }
    if let Ok(n) = digits.parse::<i32>() {
        return Some(Expr::Literal(Value::Int(i64::from(n)), Type::Int));
    }
    let n = Numeric::parse(digits)?;
    Some(Expr::Literal(Value::Numeric(n), Type::decimal(n.precision(), n.scale())))
}
