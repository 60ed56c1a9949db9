//! Result sets as tables of text.

use std::fmt::Write as _;

use console::{measure_text_width, truncate_str};

use crate::io::sentinel::{ResultSet, Type, Value};

/// Rows as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    /// Names, and whether they hold numbers.
    pub(super) columns: Vec<(String, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

impl From<&ResultSet> for Grid {
    fn from(set: &ResultSet) -> Self {
        let text =
            |row: &Vec<Value>| row.iter().zip(&set.columns).map(|(value, (_, ty))| value.shown(*ty).into_owned()).collect();
        Self {
            columns: set.columns.iter().map(|(name, ty)| (name.clone(), is_number(*ty))).collect(),
            rows: set.rows.iter().map(text).collect(),
        }
    }
}

/// A script that selects a whole book does not ask for all of it on a terminal.
const MOST_ROWS: usize = 100;
/// The same, where each row takes many lines.
const MOST_RECORDS: usize = 10;
/// A longer text is cut.
const WIDEST: usize = 60;

const BETWEEN: &str = "  ";

/// The rows in aligned columns, or one column a line where they do not fit side by side into `width`.
pub(super) fn table(set: &Grid, width: usize) -> String {
    let rows = &set.rows[..set.rows.len().min(MOST_ROWS)];
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let column = |at: usize| cells.iter().map(move |row| row[at].as_str()).chain([set.columns[at].0.as_str()]);
    let widths: Vec<usize> = (0..set.columns.len()).map(|at| column(at).map(measure_text_width).max().unwrap_or(0)).collect();
    let whole = widths.iter().sum::<usize>() + BETWEEN.len() * widths.len().saturating_sub(1);
    let (mut text, shown) = if whole <= width || widths.len() == 1 || rows.is_empty() {
        (side_by_side(set, &cells, &widths), cells.len())
    } else {
        let cells = &cells[..cells.len().min(MOST_RECORDS)];
        (records(set, cells), cells.len())
    };
    if shown < set.rows.len() {
        // writing to a String cannot fail
        let _ = writeln!(text, "… and {} more", set.rows.len() - shown);
    }
    text
}

/// Text without line breaks and whatever else a terminal would act on, and not too long.
fn one_line(text: &str) -> String {
    let plain: String = text.trim_end_matches(' ').chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    truncate_str(&plain, WIDEST, "…").into_owned()
}

fn side_by_side(set: &Grid, cells: &[Vec<String>], widths: &[usize]) -> String {
    let mut text = String::new();
    line(&mut text, set.columns.iter().map(|(name, right)| (name.as_str(), *right)), widths);
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(1))).collect();
    text.push_str(rule.join(BETWEEN).trim_end());
    text.push('\n');
    for row in cells {
        line(&mut text, row.iter().zip(&set.columns).map(|(cell, (_, right))| (cell.as_str(), *right)), widths);
    }
    text
}

fn line<'c>(text: &mut String, cells: impl Iterator<Item = (&'c str, bool)>, widths: &[usize]) {
    let cell = |((cell, right), width): ((&str, bool), &usize)| {
        let padding = " ".repeat(width.max(&1).saturating_sub(measure_text_width(cell)));
        if right { padding + cell } else { cell.to_owned() + &padding }
    };
    let cells: Vec<String> = cells.zip(widths).map(cell).collect();
    text.push_str(cells.join(BETWEEN).trim_end());
    text.push('\n');
}

/// Numbers stand under each other by their last digit.
fn is_number(ty: Type) -> bool {
    matches!(
        ty,
        Type::TinyInt
            | Type::SmallInt
            | Type::Int
            | Type::BigInt
            | Type::SmallMoney
            | Type::Money
            | Type::Decimal { .. }
            | Type::Real
            | Type::Float
    )
}

fn records(set: &Grid, cells: &[Vec<String>]) -> String {
    let widest = set.columns.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
    let mut text = String::new();
    for (at, row) in cells.iter().enumerate() {
        let _ = writeln!(text, "--- row {}", at + 1);
        for ((name, _), cell) in set.columns.iter().zip(row) {
            let padding = " ".repeat(widest - measure_text_width(name));
            let _ = writeln!(text, "{}", format!("{name}{padding}{BETWEEN}{cell}").trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(columns: &[(&str, Type)], rows: Vec<Vec<Value>>) -> Grid {
        Grid::from(&ResultSet { columns: columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(), rows })
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    const NAME: Type = Type::VarChar(Some(20));

    #[test]
    fn columns_are_aligned_numbers_to_the_right_and_null_is_told() {
        let rows =
            vec![vec![text("FRM0001544"), Value::Int(7), Value::Null], vec![text("É"), Value::Int(1200), text("a\tb\u{1b}[1m")]];
        let set = set(&[("agreement", NAME), ("n", Type::Int), ("", NAME)], rows);
        assert_eq!(
            table(&set, 80),
            "agreement      n\n----------  ----  -------\nFRM0001544     7  NULL\nÉ           1200  a b [1m\n"
        );
    }

    #[test]
    fn a_table_as_wide_as_the_terminal_stays_one_and_a_wider_one_has_a_line_for_each_column() {
        let set = set(&[("first", NAME), ("b", NAME)], vec![vec![text("aaaaa"), text("bbbbb")]]);
        assert_eq!(table(&set, 12), "first  b\n-----  -----\naaaaa  bbbbb\n");
        assert_eq!(table(&set, 11), "--- row 1\nfirst  aaaaa\nb      bbbbb\n");
    }

    #[test]
    fn the_first_rows_are_shown_and_the_others_counted() {
        let rows = |count: i64| (0..count).map(|n| vec![Value::Int(n)]).collect();
        let hundred = table(&set(&[("n", Type::Int)], rows(100)), 80);
        assert_eq!((hundred.lines().count(), hundred.lines().last()), (102, Some("99")));
        let more = table(&set(&[("n", Type::Int)], rows(101)), 80);
        assert_eq!((more.lines().count(), more.lines().last()), (103, Some("… and 1 more")));
        let wide = (0..11).map(|n| vec![Value::Int(n), text("x")]).collect();
        let wide = table(&set(&[("n", Type::Int), ("t", NAME)], wide), 3);
        assert_eq!((wide.lines().count(), wide.lines().last()), (31, Some("… and 1 more")));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let set = set(&[("t", NAME)], vec![vec![text(&"x".repeat(60))], vec![text(&"x".repeat(61))]]);
        let shown = table(&set, 80);
        assert_eq!(shown.lines().last(), Some(format!("{}…", "x".repeat(59)).as_str()));
        assert_eq!(shown.lines().nth(2), Some("x".repeat(60).as_str()));
    }

    #[test]
    fn no_rows_leave_the_head() {
        assert_eq!(table(&set(&[("a", NAME), ("b", NAME)], Vec::new()), 1), "a  b\n-  -\n");
    }
}
