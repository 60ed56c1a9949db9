//! Calls of functions: plain ones, aggregates, and those over a window.

use super::super::function;
use super::ast::{Aggregate, AggregateFunction, Expr, ObjectName, Window, WindowFunction};
use super::cursor::{Called, Fault, Parsed, Parser};
use super::expr::text_literal;

const DATE_PART_FUNCTIONS: [&str; 7] =
    ["DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME", "DATETRUNC", "DATE_BUCKET"];

impl Parser<'_> {
    /// A user-defined function, its name in parts.
    pub(super) fn user_call(&mut self, parts: Vec<String>) -> Parsed<Expr> {
        let name = self.named(parts)?;
        let arguments = self.user_arguments(&name)?;
        Ok(Expr::UserCall { name, arguments })
    }

    /// The arguments of a user-defined function in brackets; `None` is DEFAULT.
    pub(super) fn user_arguments(&mut self, name: &ObjectName) -> Parsed<Vec<Option<Expr>>> {
        self.called.push(Called { name: name.name.clone(), line: self.line(), statement: None });
        self.expect_symbol("(")?;
        let mut arguments = Vec::new();
        if !self.is_symbol(")") {
            arguments = self.comma_separated(|p| if p.take("DEFAULT") { Ok(None) } else { p.expr().map(Some) })?;
        }
        self.expect_symbol(")")?;
        Ok(arguments)
    }

    pub(super) fn call(&mut self) -> Parsed<Expr> {
        let name = self.name_after_point()?;
        self.call_named(&name)
    }

    /// A function's name has been read, its arguments follow.
    pub(super) fn call_named(&mut self, name: &str) -> Parsed<Expr> {
        let upper = name.to_ascii_uppercase();
        if let Some(function) = aggregate_function(&upper) {
            let aggregate = self.nested(|p| p.aggregate(function))?;
            if self.is("OVER") {
                return self.over(WindowFunction::Aggregate(aggregate));
            }
            return Ok(Expr::Aggregate(Box::new(aggregate)));
        }
        let line = self.line();
        self.expect_symbol("(")?;
        let mut arguments = Vec::new();
        // in a trigger
        if upper == "UPDATE" {
            let column = self.name()?;
            self.expect_symbol(")")?;
            return Ok(Expr::Call { name: upper, arguments: vec![text_literal(&column, false)] });
        }
        if DATE_PART_FUNCTIONS.contains(&upper.as_str()) {
            let part = self.name_after_point()?;
            if !function::is_date_part(&part) {
                let hint =
                    Some("year, quarter, month, dayofyear, day, week, weekday, hour, minute, second, millisecond".to_owned());
                return Err(Fault { line, message: format!("'{part}' is not a part of a date"), hint });
            }
            arguments.push(text_literal(&part, false));
            self.expect_symbol(",")?;
        }
        let mut upper = upper;
        if upper == "TRIM" {
            // TRIM(LEADING '0' FROM text)
            if self.take("LEADING") {
                "LTRIM".clone_into(&mut upper);
            } else if self.take("TRAILING") {
                "RTRIM".clone_into(&mut upper);
            } else {
                self.take("BOTH");
            }
        }
        if !self.is_symbol(")") {
            arguments.extend(self.comma_separated(Self::expr)?);
        }
        if upper.ends_with("TRIM") && self.take("FROM") {
            arguments.insert(0, self.expr()?);
        }
        self.expect_symbol(")")?;
        if is_window_function(&upper) {
            let window = window_function(&upper, arguments);
            let window = window.ok_or_else(|| self.fault(format!("{upper} does not take these arguments")))?;
            return self.over(window);
        }
        match function::arity(&upper) {
            Some((least, most)) if (least..=most).contains(&arguments.len()) => Ok(Expr::Call { name: upper, arguments }),
            Some((least, most)) => {
                let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
                let message = format!("{upper} takes {count} arguments, {} are given", arguments.len());
                Err(Fault { line, message, hint: None })
            }
            None => {
                let hint = function::nearest(&upper).map(|near| format!("did you mean {near}?"));
                let message = format!("the function {upper} is not supported by the embedded Sentinel");
                Err(Fault { line, message, hint })
            }
        }
    }

    pub(super) fn aggregate(&mut self, function: AggregateFunction) -> Parsed<Aggregate> {
        self.expect_symbol("(")?;
        let mut aggregate = Aggregate { function, distinct: false, argument: None, separator: None, order: Vec::new() };
        if matches!(function, AggregateFunction::Count | AggregateFunction::CountBig) && self.take_symbol("*") {
            self.expect_symbol(")")?;
            return Ok(aggregate);
        }
        aggregate.distinct = self.take("DISTINCT");
        if !aggregate.distinct {
            self.take("ALL");
        }
        aggregate.argument = Some(self.expr()?);
        if function == AggregateFunction::StringAgg {
            self.expect_symbol(",")?;
            aggregate.separator = Some(self.expr()?);
        }
        self.expect_symbol(")")?;
        if function == AggregateFunction::StringAgg && self.take_all(&["WITHIN", "GROUP"]) {
            self.expect_symbol("(")?;
            aggregate.order = self.order_by()?;
            self.expect_symbol(")")?;
        }
        Ok(aggregate)
    }

    /// OVER and what is in it.
    pub(super) fn over(&mut self, function: WindowFunction) -> Parsed<Expr> {
        self.expect("OVER")?;
        self.expect_symbol("(")?;
        let mut window = Window { function, partition: Vec::new(), order: Vec::new(), rows: false };
        if self.take_all(&["PARTITION", "BY"]) {
            window.partition = self.comma_separated(Self::expr)?;
        }
        if self.is("ORDER") {
            window.order = self.order_by()?;
        }
        if self.is_any(&["ROWS", "RANGE"]) {
            window.rows = self.is("ROWS");
            self.advance();
            let running = self.take_all(&["UNBOUNDED", "PRECEDING"])
                || self.take_all(&["BETWEEN", "UNBOUNDED", "PRECEDING", "AND", "CURRENT", "ROW"]);
            let whole = !running && self.take_all(&["BETWEEN", "UNBOUNDED", "PRECEDING", "AND", "UNBOUNDED", "FOLLOWING"]);
            if whole && matches!(window.function, WindowFunction::Aggregate(_)) {
                window.order.clear();
            } else if !running {
                return Err(self.unsupported("this window frame", "frames from UNBOUNDED PRECEDING are supported"));
            }
        }
        self.expect_symbol(")")?;
        Ok(Expr::Window(Box::new(window)))
    }
}

fn is_window_function(name: &str) -> bool {
    matches!(name, "ROW_NUMBER" | "RANK" | "DENSE_RANK" | "NTILE" | "LAG" | "LEAD" | "FIRST_VALUE" | "LAST_VALUE")
}

/// `None` when the arguments are not the function's.
fn window_function(name: &str, arguments: Vec<Expr>) -> Option<WindowFunction> {
    let mut arguments = arguments.into_iter();
    let function = match name {
        "ROW_NUMBER" => WindowFunction::RowNumber,
        "RANK" => WindowFunction::Rank,
        "DENSE_RANK" => WindowFunction::DenseRank,
        "NTILE" => WindowFunction::Tile(arguments.next()?),
        "LAG" | "LEAD" => WindowFunction::Shift {
            forward: name == "LEAD",
            value: arguments.next()?,
            by: arguments.next(),
            default: arguments.next(),
        },
        "FIRST_VALUE" => WindowFunction::First(arguments.next()?),
        _ => WindowFunction::Last(arguments.next()?),
    };
    arguments.next().is_none().then_some(function)
}

fn aggregate_function(name: &str) -> Option<AggregateFunction> {
    Some(match name {
        "COUNT" => AggregateFunction::Count,
        "COUNT_BIG" => AggregateFunction::CountBig,
        "SUM" => AggregateFunction::Sum,
        "AVG" => AggregateFunction::Avg,
        "MIN" => AggregateFunction::Min,
        "MAX" => AggregateFunction::Max,
        "STRING_AGG" => AggregateFunction::StringAgg,
        "STDEV" => AggregateFunction::StDev,
        "STDEVP" => AggregateFunction::StDevP,
        "VAR" => AggregateFunction::Var,
        "VARP" => AggregateFunction::VarP,
        _ => return None,
    })
}
